#include "natkit/dialog/stream_kind.hpp"

namespace natkit::dialog {

relay::Stream kind_of(const sdp::Media& media) {
    if (media.t120()) return relay::Stream::t120;
    if (media.tcp()) return relay::Stream::tcp;
    return media.rtp() ? relay::Stream::rtp : relay::Stream::udp;
}

std::optional<sdp::Setup> role_in(const sdp::Media& media, bool offers) {
    const relay::Stream kind = kind_of(media);
    if (!relay::is_tcp(kind)) return std::nullopt;
    return media.setup.value_or(relay::default_setup(kind, offers));
}

}  // namespace natkit::dialog
