#pragma once

#include <span>
#include <string_view>

namespace natkit::sip {

/// A header field that says who somebody is, or what a network knows of a call, on the word of whoever writes it. Only
/// those who trust each other may tell each other so (RFC 3324, RFC 3325 section 5).
struct IdentityField {
    std::string_view name;
    std::string_view source;  ///< the document that defines it
};

[[nodiscard]] std::span<const IdentityField> identity_fields() noexcept;

/// Whether a header field of that name, in any case, is one of them.
[[nodiscard]] bool is_identity(std::string_view name) noexcept;

}  // namespace natkit::sip
