#pragma once

#include <string>
#include <string_view>

#include "natkit/relay/ports.hpp"

namespace natkit::relay {

/// A list of ports as the kernel writes it ("8080,16384-32767", perhaps with white space around it) with `range` in it:
/// sorted, neighbours joined. Where the range is in it already, and where the list cannot be read, the list comes back
/// as it is. Total.
[[nodiscard]] std::string with_range(std::string_view list, PortRange range);

/// Whether all of `range` is in the list.
[[nodiscard]] bool holds_range(std::string_view list, PortRange range);

}  // namespace natkit::relay
