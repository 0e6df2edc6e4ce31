#pragma once

#include <optional>
#include <string>

#include "wire.hpp"

namespace natkit::capture {

/// What was compressed as zlib (RFC 1950) or gzip (RFC 1952) has it; nothing where it is neither, is not whole, or
/// gives more than `most` bytes.
[[nodiscard]] std::optional<std::string> inflated(Bytes bytes, std::size_t most);

}  // namespace natkit::capture
