#pragma once

#include <string_view>

#include "natkit/base/error.hpp"
#include "natkit/ng/value.hpp"

namespace natkit::ng {

/// A string of flags as they stand in a proxy's configuration: words, `key=value`, and values in brackets, which hold
/// words (a list) or keys (a dictionary): `codec=[transcode=[PCMA PCMU] strip=[all]]`. Words come as the values of keys
/// `flags`, in their order among the others. A bracket that is not closed ends with the text. Fails on more than 4,096
/// values and on more than 16 brackets within each other; linear.
[[nodiscard]] Result<Dictionary> parse_rtpp_flags(std::string_view text);

}  // namespace natkit::ng
