#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace natkit::ng {

inline constexpr std::size_t max_message = 65536;  ///< bytes, of one request with its cookie

enum class Form : std::uint8_t { bencode, json };

/// A request as it travels: a cookie, a space and a dictionary. A proxy that has a connection of its own for each
/// request may leave the cookie out.
struct Framed {
    std::string_view cookie;  ///< may be empty
    std::string_view body;
    Form form{};
};

/// A datagram, or the body of an HTTP request. False: it has no dictionary where one should begin.
[[nodiscard]] bool read_frame(std::string_view message, Framed& framed) noexcept;

/// How much of a stream the first message takes, white space before it included.
struct FrameLength {
    enum class State : std::uint8_t { incomplete, complete, broken } state{};
    std::size_t length = 0;  ///< of a complete one
};
/// Looks at brackets and lengths alone: what is complete may still be no message. Incomplete beyond `max_message` is
/// broken. Total, linear.
[[nodiscard]] FrameLength frame_length(std::string_view stream) noexcept;

/// The same of lines of text (rtpproxy's protocol), their end included.
[[nodiscard]] FrameLength line_length(std::string_view stream) noexcept;

}  // namespace natkit::ng
