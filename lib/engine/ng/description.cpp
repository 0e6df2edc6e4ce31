// What the other end is shown.
#include "calls.hpp"

namespace natkit::ng {

Result<sdp::MediaTarget> Calls::target(const Branch& branch, End viewer, const Request& request,
                                       const sdp::Media& media, std::size_t line, bool offers) const {
    const dialog::Stream& stream = branch.call.streams()[branch.call.carrier_of(media, line)];
    const auto found = branch.pairs.find(stream.legs);
    const record::LegRecord* leg =
        found == branch.pairs.end() ? nullptr : engine_.find(found->second.legs[index(viewer)]);
    if (leg == nullptr) return fail(Errc::not_found, "a stream whose relay is gone");
    sdp::MediaTarget target{.rtp = leg->local(relay::Component::rtp)};
    const Offered* offered = line < branch.offered.size() ? &branch.offered[line] : nullptr;
    bool mux = media.rtcp_mux;
    if (media.rtp()) {
        const MuxWishes& wishes = branch.wishes.mux;
        mux = offers ? (media.rtcp_mux && !wishes.demux) || wishes.offer || wishes.require
                     : found->second.mux[index(viewer)];
        if (mux != media.rtcp_mux) target.mux = mux;
    }
    if (leg->has_pair() && !mux)
        target.rtcp = Endpoint{target.rtp.address, static_cast<std::uint16_t>(leg->bound.port + 1)};
    if (request.wishes.media_address) {
        target.rtp.address = *request.wishes.media_address;
        if (target.rtcp) target.rtcp->address = *request.wishes.media_address;
    }
    if (offered != nullptr && !offered->protocol.empty()) {
        target.protocol = offers ? std::string_view(branch.wishes.protocol) : std::string_view(offered->protocol);
    }
    return target;
}

Result<std::string> Calls::rewritten(const Speaker& speaker, const Request& request, const sdp::Document& sdp,
                                     bool offers) {
    Branch& branch = *speaker.branch;
    Targets targets(sdp.media().size());
    std::optional<IpAddress> shown;
    for (std::size_t line = 0; line < targets.size() && line < branch.call.streams().size(); ++line) {
        const sdp::Media& media = sdp.media()[line];
        if (media.rejected()) continue;
        auto made = target(branch, other(speaker.end), request, media, line, offers);
        if (!made) return std::unexpected(made.error());
        if (!shown) shown = made->rtp.address;
        targets[line] = *made;
    }
    if (shown) {
        // A rejected stream shows an address too.
        for (std::size_t line = 0; line < targets.size(); ++line) {
            if (!targets[line]) targets[line] = sdp::MediaTarget{.rtp = {*shown, 9}};
        }
    }
    sdp::Options options{.ice = sdp::IcePolicy::drop,
                         .hide_rejected = true,
                         .replace_zero_address = request.wishes.replace_zero_address};
    if (request.wishes.replace_origin) options.origin_address = shown;
    auto rewriting = sdp::rewrite(sdp, targets, options);
    if (!rewriting) return fail(rewriting.error().code, "Error rewriting SDP: " + to_string(rewriting.error()));
    return sdp::keep_session(rewriting->text, request.wishes.keeps, branch.shown[index(other(speaker.end))]);
}

}  // namespace natkit::ng
