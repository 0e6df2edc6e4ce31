#include "media.hpp"
#include "natkit/base/text.hpp"

/// What mediarelay is told of the party that a leg faces, besides where it is: whether it sends, its SSRCs, and whether
/// its endpoint is known to be its own.
namespace natkit::edge {
namespace {

sdp::Direction direction_of(bool sends, bool receives) noexcept {
    if (sends) return receives ? sdp::Direction::sendrecv : sdp::Direction::sendonly;
    return receives ? sdp::Direction::recvonly : sdp::Direction::inactive;
}

}  // namespace

/// RFC 5576 section 4.1: "a=ssrc:<ssrc-id> <attribute>", a line for each attribute.
Media::Described Media::described_in(const sdp::Document& sdp, const sdp::Media& media) {
    constexpr std::string_view attribute = "ssrc:";
    Described described{.direction = media.direction};
    for (std::size_t i = media.line; i < media.end; ++i) {
        const sdp::Line& line = sdp.lines()[i];
        const std::string_view value = sdp.text(line.value);
        if (line.type != 'a' || !value.starts_with(attribute)) continue;
        const std::string_view rest = value.substr(attribute.size());
        const auto ssrc = text::parse_number(rest.substr(0, rest.find(' ')), 0xffffffffU);
        if (ssrc) described.ssrcs.add(static_cast<std::uint32_t>(*ssrc));
    }
    return described;
}

/// RFC 3264 section 6.1: an end sends where its description says so and the other's says that it receives.
void Media::agree(Stream& stream, End answerer, const Described& answered) {
    const Described& offered = stream.offered_as;
    const bool to_answerer = sdp::sends(offered.direction) && sdp::receives(answered.direction);
    const bool to_offerer = sdp::sends(answered.direction) && sdp::receives(offered.direction);
    stream.described[index(other(answerer))] = {.direction = direction_of(to_answerer, to_offerer),
                                                .ssrcs = offered.ssrcs};
    stream.described[index(answerer)] = {.direction = direction_of(to_offerer, to_answerer), .ssrcs = answered.ssrcs};
}

/// Another stream of a BUNDLE group comes by the same port: an end sends there if it sends one of them.
void Media::share_port(Stream& carrier, End answerer, const Described& offered, const Described& answered) {
    Stream more;
    more.offered_as = offered;
    agree(more, answerer, answered);
    for (std::size_t i = 0; i < 2; ++i) {
        Described& all = carrier.described[i];
        const Described& one = more.described[i];
        all.direction = direction_of(sdp::sends(all.direction) || sdp::sends(one.direction),
                                     sdp::receives(all.direction) || sdp::receives(one.direction));
        for (std::size_t k = 0; k < one.ssrcs.count; ++k) all.ssrcs.add(one.ssrcs.values[k]);
    }
}

MediaParty Media::faced(loop::SlotId id, const LiveLeg& leg, const loop::Speaker& speaker) const {
    MediaParty faced = media_party(speaker);
    const Stream* stream = stream_of(leg);
    if (stream == nullptr) return faced;
    const End end = scheme_.slot_towards(stream->pass, End::caller) == id ? End::caller : End::callee;
    const Described& described = stream->described[index(end)];
    faced.direction = described.direction;
    faced.ssrcs = described.ssrcs;
    faced.unproven = !relay::is_tcp(stream->kind) && unproven(sessions_.at(leg.session), end, speaker);
    return faced;
}

/// A stranger may write anybody's address into its description. At its signalling address it is proven by what it has
/// received there: the dialog's token, or the connection. A party behind a NAT is sent nothing before it has sent.
bool Media::unproven(const Session& session, End end, const loop::Speaker& speaker) const {
    const bool stranger = session.payer.sender == proxy::Sender::stranger && !settings_.open_registrar;
    if (!stranger || end != End::caller || speaker.where.place != nat::Place::wan || !speaker.endpoint) return false;
    const sip::Flow& flow = session.ends[index(end)].flow;
    const bool receives = session.caller_proven || flow.transport != sip::Transport::udp;
    return !receives || !nat::same_site(flow.remote.address, speaker.endpoint->address, settings_.networks);
}

void Media::prove_caller(SessionId id, Output& out) {
    Session& session = sessions_.at(id);
    if (std::exchange(session.caller_proven, true)) return;
    for (const Stream& stream : session.streams) {
        const loop::SlotId slot = stream.pass == 0 ? 0 : scheme_.slot_towards(stream.pass, End::caller);
        LiveLeg* leg = live(slot);
        if (leg == nullptr || !leg->opened || !leg->told_party || !leg->told_party->unproven) continue;
        const std::size_t before = out.media.size();
        tell_party(slot, *leg, out);
        if (out.media.size() != before) std::get<UpdateLeg>(out.media.back()).can_wait = true;
    }
}

}  // namespace natkit::edge
