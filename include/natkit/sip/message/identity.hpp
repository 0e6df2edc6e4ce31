#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace natkit::sip {

/// By what its subject keeps an identity from those whom the network does not trust.
enum class Withheld : std::uint8_t {
    never,    ///< it tells its receiver of the receiver
    by_id,    ///< Privacy: id (RFC 3325 section 9.3)
    by_mark,  ///< that, or a parameter "privacy" of its own
    history,  ///< those, or Privacy: history, header or session (RFC 7044 section 10.1)
};

/// A header field that says who somebody is, or what a network knows of a call, on the word of whoever writes it. Only
/// those who trust each other may tell each other so (RFC 3324, RFC 3325 section 5).
struct IdentityField {
    std::string_view name;
    std::string_view source;  ///< the document that defines it
    Withheld withheld = Withheld::by_id;
};

[[nodiscard]] std::span<const IdentityField> identity_fields() noexcept;

/// The field of that name, in any case, if it is one of them; else null.
[[nodiscard]] const IdentityField* identity_field(std::string_view name) noexcept;

/// What the Privacy fields of a message ask for (RFC 3323 section 4.2), as far as it concerns identities.
class Privacy {
  public:
    /// One of those fields. What cannot be read asks for nothing.
    void add(std::string_view value) noexcept;

    /// Whether an identity of this value must not go to anybody who is not trusted (RFC 3325 section 7).
    [[nodiscard]] bool withholds(const IdentityField& field, std::string_view value) const noexcept;

  private:
    bool id_ = false;
    bool history_ = false;
};

}  // namespace natkit::sip
