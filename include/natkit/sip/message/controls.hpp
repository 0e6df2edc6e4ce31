#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace natkit::sip {

/// A byte that a header section may not hold: a CR without its LF, or any other control character but HTAB and the line
/// ends (RFC 3261 section 25.1). Readers disagree about them: what is part of a value to one is a line end, or the end
/// of the text, to the next, who then sees header fields that the first one never judged. RFC 3261 allows some of them
/// behind a backslash in quoted text; no program sends that, and it is no safer.
struct Control {
    std::size_t line = 1;  ///< counted from the start line
    char byte{};
    bool escaped = false;  ///< behind a backslash, as RFC 3261's quoted-pair

    friend bool operator==(const Control&, const Control&) = default;
};

/// "a CR without LF", "control byte \x00".
[[nodiscard]] std::string to_string(const Control& control);

/// The first such byte between the start line and the empty line that ends the header section; where there are several,
/// one without a backslash is preferred. Line ends before the start line, and the body, are not looked at.
[[nodiscard]] std::optional<Control> find_control(std::string_view message);

/// The same, and each of them becomes a space, for those who must answer, or look at, what they do not pass on.
std::optional<Control> blank_controls(std::string& message);

}  // namespace natkit::sip
