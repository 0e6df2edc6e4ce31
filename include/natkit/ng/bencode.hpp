#pragma once

#include <string>
#include <string_view>

#include "natkit/base/error.hpp"
#include "natkit/ng/value.hpp"

namespace natkit::ng {

/// Reads one bencoded value and nothing behind it. Total; nests at most 16 deep, and holds at most 4,096 values. The
/// error's `where` is the byte ("byte 17").
[[nodiscard]] Result<Value> parse_bencode(std::string_view text);

/// Keys stay in their order: readers of the protocol do not ask for sorted ones.
[[nodiscard]] std::string to_bencode(const Dictionary& dictionary);

}  // namespace natkit::ng
