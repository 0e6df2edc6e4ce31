#include "natkit/sip/identity.hpp"

#include <algorithm>
#include <array>

#include "natkit/base/text.hpp"

namespace natkit::sip {
namespace {

// Listed in natkit-security(7), IDENTITIES, too: a test compares them.
constexpr auto fields = std::to_array<IdentityField>({
    {"P-Asserted-Identity", "RFC 3325"},
    {"P-Preferred-Identity", "RFC 3325"},
    {"Remote-Party-ID", "draft-ietf-sip-privacy"},
    {"Diversion", "RFC 5806"},
    {"History-Info", "RFC 7044"},
    {"P-Called-Party-ID", "RFC 7315"},
    {"P-Associated-URI", "RFC 7315"},
    {"P-Visited-Network-ID", "RFC 7315"},
    {"P-Access-Network-Info", "RFC 7315"},
    {"P-Charging-Vector", "RFC 7315"},
    {"P-Charging-Function-Addresses", "RFC 7315"},
    {"P-Charge-Info", "RFC 8496"},
    {"P-Asserted-Service", "RFC 6050"},
    {"P-Preferred-Service", "RFC 6050"},
    {"P-Served-User", "RFC 5502"},
    {"P-Profile-Key", "RFC 5002"},
    {"P-User-Database", "RFC 4457"},
    {"P-Private-Network-Indication", "RFC 7316"},
    {"P-DCS-Trace-Party-ID", "RFC 5503"},
    {"P-DCS-OSPS", "RFC 5503"},
    {"P-DCS-Billing-Info", "RFC 5503"},
    {"P-DCS-LAES", "RFC 5503"},
    {"P-DCS-Redirect", "RFC 5503"},
});

}  // namespace

std::span<const IdentityField> identity_fields() noexcept {
    return fields;
}

bool is_identity(std::string_view name) noexcept {
    return std::ranges::any_of(fields, [&](const IdentityField& field) { return text::iequals(field.name, name); });
}

}  // namespace natkit::sip
