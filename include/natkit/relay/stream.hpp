#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "natkit/sdp/direction.hpp"

/// The kinds of streams that are relayed.
namespace natkit::relay {

enum class Stream : std::uint8_t {
    rtp,   ///< RTP and RTCP, on two ports or one
    udp,   ///< one port, anything (T.38 and others)
    tcp,   ///< TCP connections (RFC 4145)
    t120,  ///< the same; without a=setup its offerer listens and its answerer connects, at port 1503
};
inline constexpr std::uint16_t t120_port = 1503;

[[nodiscard]] constexpr bool is_tcp(Stream stream) noexcept {
    return stream == Stream::tcp || stream == Stream::t120;
}

enum class Component : std::uint8_t {
    rtp,  ///< also the only port of a `udp` stream and of muxed RTP
    rtcp,
};

[[nodiscard]] const char* to_string(Stream stream) noexcept;  ///< "rtp", "udp", "tcp", "t120"
[[nodiscard]] std::optional<Stream> parse_stream(std::string_view word) noexcept;
[[nodiscard]] const char* to_string(Component component) noexcept;  ///< "rtp", "rtcp"

/// Who connects where SDP does not say. RFC 4145 section 4: the offerer connects, the answerer listens. T.120 knows no
/// a=setup: the offerer listens, at port 1503.
[[nodiscard]] constexpr sdp::Setup default_setup(Stream stream, bool offerer) noexcept {
    return offerer == (stream == Stream::t120) ? sdp::Setup::passive : sdp::Setup::active;
}

}  // namespace natkit::relay
