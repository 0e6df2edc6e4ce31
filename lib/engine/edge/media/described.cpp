#include "media.hpp"
#include "natkit/base/text.hpp"
#include "natkit/dialog/stream_kind.hpp"
#include "natkit/sdp/rewrite.hpp"

/// What a session description says of one stream, where the names in it are looked up, and what it is to say instead.
namespace natkit::edge {
/// A name that nobody knows (multicast DNS) is no endpoint; one that leads nowhere is an error.
Result<std::optional<Endpoint>> Media::endpoint_in(const sdp::Document& sdp, const sdp::Media& media) const {
    const auto name = media.connection ? name_in(sdp, *media.connection) : std::nullopt;
    if (!name) {
        auto rtp = sdp.rtp_endpoint(media);
        if (rtp && rtp->address.is_unspecified()) rtp.reset();  // ICE has yet to find out
        return rtp;
    }
    if (is_local(*name)) return std::optional<Endpoint>();
    const auto* known = names_.find(*name);
    if (known == nullptr || !*known) {
        return fail(Errc::not_found, "'" + text::printable(name->host, 80) +
                                         "' in c= " + (known == nullptr ? "is not looked up" : "leads nowhere"));
    }
    return std::optional(Endpoint{.address = **known, .port = media.port});
}

Result<dialog::Described> Media::described_in(const sdp::Document& sdp, const sdp::Media& media, bool offers) const {
    const auto rtp = endpoint_in(sdp, media);
    if (!rtp) return std::unexpected(rtp.error());
    return dialog::describe(sdp, media, offers, *rtp);
}

/// Nothing: the stream may stay as it is.
Result<std::optional<sdp::MediaTarget>> Media::target(const sdp::Document& sdp, const sdp::Media& media,
                                                      const loop::Shown& shown, bool offers) const {
    const bool same_role = shown.setup == dialog::role_in(media, offers);
    sdp::MediaTarget target;
    if (!same_role) target.setup = shown.setup;
    if (shown.slot != 0) {
        const LiveLeg* leg = live(shown.slot);
        if (leg == nullptr || !leg->opened) return fail(Errc::usage, "a leg that is to be shown is not open");
        target.rtp = leg->opened->local;
        // A leg that was opened muxed has named one port for both, and has the next one for RTCP by itself all the
        // same.
        if (leg->opened->rtcp != leg->opened->local) target.rtcp = leg->opened->rtcp;
        // Not the 9 of one that connects: whoever reads it must ignore it, and when the call comes back through this
        // edge, its leg is known by its port.
        target.shows_port = true;
        return target;
    }
    const auto own = endpoint_in(sdp, media);
    if (!shown.raw || (own && shown.raw == *own && same_role)) return std::nullopt;
    target.rtp = *shown.raw;
    target.rtcp = shown.rtcp;
    target.shows_port = true;
    return target;
}

}  // namespace natkit::edge
