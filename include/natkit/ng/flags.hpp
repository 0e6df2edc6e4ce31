#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "natkit/ng/request.hpp"

namespace natkit::ng {

/// What becomes of a wish.
enum class Support : std::uint8_t {
    supported,
    unchanged,  ///< fine where the description has it already; refused where it asks for a conversion
    ignored,    ///< quietly: nothing is lost that a call needs
    warned,     ///< ignored too, and said so
    refused,    ///< in an offer or answer, with `error-reason`
};

[[nodiscard]] const char* to_string(Support support) noexcept;  ///< "supported", "unchanged", …

/// A flag, or a key with its value: "trust-address", "ICE=remove", "media-address=*" (any value), "codec-strip-*" (any
/// word that begins so). Lists are written as their flags: `replace: [origin]` is "replace-origin".
struct Flag {
    std::string_view name;
    Support support{};
    std::string_view remark;                ///< what it does, or why it does nothing and what to write instead
    bool of_offers = false;                 ///< means nothing in an answer
    void (*set)(Wishes& wishes) = nullptr;  ///< null: there is nothing to set, or the value is needed
};

/// In the order of the table in natkit-migrating(7).
[[nodiscard]] std::span<const Flag> flags() noexcept;

/// Space and underscore equal hyphen, and case does not matter. `word` is a flag, or key and value with '=' between
/// them. Null: not known.
[[nodiscard]] const Flag* find_flag(std::string_view word);

/// Whether `key` (before a '=') is known with any value.
[[nodiscard]] bool is_known_key(std::string_view key);

/// The nearest known flag or key, with "did you mean"; empty: none is near.
[[nodiscard]] std::string suggestion(std::string_view word);

/// The error-reason of a wish that is refused: "'ICE=force' is not supported: …".
[[nodiscard]] std::string refusal_of(const Flag& flag, std::string_view word);

/// As `flags` compare them: lower case, hyphens.
[[nodiscard]] std::string fold(std::string_view word);

}  // namespace natkit::ng
