#pragma once

#include <optional>
#include <span>

#include "wire.hpp"

namespace natkit::capture {

/// What was compressed as zlib (RFC 1950) or gzip (RFC 1952) has it, in `into`, which is used again; nothing where it
/// is neither, is not whole, or gives more than `into` has room for.
[[nodiscard]] std::optional<Bytes> inflated(Bytes bytes, std::span<std::uint8_t> into);

}  // namespace natkit::capture
