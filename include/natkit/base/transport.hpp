#pragma once

#include <cstdint>
#include <string_view>

#include "natkit/base/error.hpp"

namespace natkit {

/// What carries SIP between two hosts.
enum class Transport : std::uint8_t { udp, tcp, tls };

[[nodiscard]] const char* to_string(Transport transport) noexcept;  ///< "udp", "tcp", "tls"
/// Those words, in any case.
[[nodiscard]] Result<Transport> parse_transport(std::string_view text);

}  // namespace natkit
