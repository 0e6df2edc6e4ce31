#pragma once

#include <string>
#include <string_view>

#include "natkit/base/error.hpp"
#include "natkit/base/text.hpp"

namespace natkit::sip {

/// What is said of a value that cannot be read.
[[nodiscard]] inline std::unexpected<Error> not_a(const char* what, std::string_view text) {
    return fail(Errc::bad_input, std::string("not a ") + what + ": '" + text::printable(text, 80) + "'");
}

}  // namespace natkit::sip
