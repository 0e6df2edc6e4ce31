#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace natkit::sdp {

/// RFC 8866 section 6.7, from the point of view of whoever wrote the SDP.
enum class Direction : std::uint8_t { sendrecv, sendonly, recvonly, inactive };

[[nodiscard]] const char* to_string(Direction direction) noexcept;

/// The attribute's name ("sendonly"), case as written in RFC 8866; nothing for other words.
[[nodiscard]] std::optional<Direction> parse_direction(std::string_view word) noexcept;

/// The same stream as the other party sees it: sendonly <-> recvonly.
[[nodiscard]] Direction reversed(Direction direction) noexcept;

[[nodiscard]] bool sends(Direction direction) noexcept;     ///< sendrecv or sendonly
[[nodiscard]] bool receives(Direction direction) noexcept;  ///< sendrecv or recvonly

/// RFC 4145 section 4: who opens the TCP connection of a stream.
enum class Setup : std::uint8_t { active, passive, actpass, holdconn };

[[nodiscard]] const char* to_string(Setup setup) noexcept;
[[nodiscard]] std::optional<Setup> parse_setup(std::string_view word) noexcept;

}  // namespace natkit::sdp
