#pragma once

#include <string>
#include <string_view>

#include "natkit/base/error.hpp"
#include "natkit/ng/value.hpp"

namespace natkit::record {

/// Reads a message of the ng protocol that came as JSON. Total, and bounded like ng::parse_bencode(): at most 16 deep,
/// at most 4,096 values. Keys that repeat are kept, in their order. true and false are the numbers 1 and 0, null is an
/// empty text, a number with a fraction is the text it was written as, for bencode has none of them.
[[nodiscard]] Result<ng::Value> parse_ng_json(std::string_view text);

/// The same order, without white space; bytes that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string to_ng_json(const ng::Dictionary& dictionary);

}  // namespace natkit::record
