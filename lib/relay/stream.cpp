#include "natkit/relay/stream.hpp"

namespace natkit::relay {

const char* to_string(Stream stream) noexcept {
    switch (stream) {
        case Stream::rtp: return "rtp";
        case Stream::udp: return "udp";
        case Stream::tcp: return "tcp";
        case Stream::t120: return "t120";
    }
    return "unknown";
}
std::optional<Stream> parse_stream(std::string_view word) noexcept {
    for (const Stream stream : {Stream::rtp, Stream::udp, Stream::tcp, Stream::t120}) {
        if (word == to_string(stream)) return stream;
    }
    return std::nullopt;
}
const char* to_string(Component component) noexcept {
    return component == Component::rtp ? "rtp" : "rtcp";
}

}  // namespace natkit::relay
