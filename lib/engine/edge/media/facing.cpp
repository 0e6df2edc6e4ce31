#include "media.hpp"

/// What mediarelay is told of the party that a leg faces, besides where it is: whether it sends, its SSRCs, and whether
/// its endpoint is known to be its own.
namespace natkit::edge {
relay::Party Media::faced(loop::SlotId id, const LiveLeg& leg, const loop::Speaker& speaker) const {
    relay::Party faced = party_of(speaker);
    const Stream* stream = stream_of(leg);
    if (stream == nullptr) return faced;
    const End end = scheme_.slot_towards(stream->legs, End::caller) == id ? End::caller : End::callee;
    const dialog::Sending& sending = stream->sending[index(end)];
    faced.direction = sending.direction;
    faced.ssrcs = sending.ssrcs;
    faced.unproven = !relay::is_tcp(stream->kind) && unproven(sessions_.at(leg.session), end, speaker);
    return faced;
}

/// A stranger may write anybody's address into its description. At its signalling address it is proven by what it has
/// received there: the dialog's token, or the connection. A party behind a NAT is sent nothing before it has sent.
bool Media::unproven(const Session& session, End end, const loop::Speaker& speaker) const {
    const bool stranger = session.payer.sender == proxy::Sender::stranger && !settings_.open_registrar;
    if (!stranger || end != End::caller || speaker.where.place != nat::Place::wan || !speaker.endpoint) return false;
    const EndInfo& info = session.ends[index(end)];
    const bool receives = session.caller_proven || info.flow.transport != sip::Transport::udp;
    return !receives || !nat::same_site(info.source().address, speaker.endpoint->address, settings_.networks);
}

void Media::prove_caller(SessionId id, Output& out) {
    Session& session = sessions_.at(id);
    if (std::exchange(session.caller_proven, true)) return;
    for (const Stream& stream : session.call.streams()) {
        const loop::SlotId slot = stream.legs == 0 ? 0 : scheme_.slot_towards(stream.legs, End::caller);
        LiveLeg* leg = live(slot);
        if (leg == nullptr || !leg->opened || !leg->told_party || !leg->told_party->unproven) continue;
        const std::size_t before = out.media.size();
        tell_party(slot, *leg, out);
        if (out.media.size() != before) std::get<UpdateLeg>(out.media.back()).can_wait = true;
    }
}

}  // namespace natkit::edge
