#include "natkit/sip/message/identity.hpp"

#include <algorithm>
#include <array>

#include "natkit/base/text.hpp"

namespace natkit::sip {
namespace {

// Listed in natkit-security(7), IDENTITIES, too: a test compares them.
constexpr auto fields = std::to_array<IdentityField>({
    {"P-Asserted-Identity", "RFC 3325"},
    {"P-Preferred-Identity", "RFC 3325"},
    {"Remote-Party-ID", "draft-ietf-sip-privacy", Withheld::by_mark},
    {"Diversion", "RFC 5806", Withheld::by_mark},
    {"History-Info", "RFC 7044", Withheld::history},
    {"P-Called-Party-ID", "RFC 7315", Withheld::never},
    {"P-Associated-URI", "RFC 7315", Withheld::never},
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

/// RFC 5806 has ";privacy=full", RFC 7044 "?Privacy=history" inside a URI; the opposites are "off", "no" and "none".
bool marked(std::string_view value) noexcept {
    constexpr std::string_view mark = "privacy=";
    for (std::size_t at = 0; at + mark.size() < value.size(); ++at) {
        if (!text::istarts_with(value.substr(at), mark)) continue;
        std::string_view word = value.substr(at + mark.size());
        if (word.front() == '"') word.remove_prefix(1);
        word = word.substr(0, word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"));
        const auto is = [&](std::string_view other) { return text::iequals(word, other); };
        if (!is("off") && !is("no") && !is("none")) return true;
    }
    return false;
}

}  // namespace

std::span<const IdentityField> identity_fields() noexcept {
    return fields;
}

const IdentityField* identity_field(std::string_view name) noexcept {
    const auto* const found =
        std::ranges::find_if(fields, [&](const IdentityField& field) { return text::iequals(field.name, name); });
    return found == fields.end() ? nullptr : found;
}

void Privacy::add(std::string_view value) noexcept {
    while (!value.empty()) {
        const std::size_t end = std::min(value.find_first_of(";,"), value.size());
        const std::string_view asked = text::trim(value.substr(0, end));
        if (text::iequals(asked, "id")) id_ = true;
        for (const char* one : {"history", "header", "session"}) history_ = history_ || text::iequals(asked, one);
        value.remove_prefix(std::min(end + 1, value.size()));
    }
}

bool Privacy::withholds(const IdentityField& field, std::string_view value) const noexcept {
    switch (field.withheld) {
        case Withheld::never: return false;
        case Withheld::by_id: return id_;
        case Withheld::by_mark: return id_ || marked(value);
        case Withheld::history: return id_ || history_ || marked(value);
    }
    return true;
}

}  // namespace natkit::sip
