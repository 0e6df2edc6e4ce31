#include "natkit/relay/promotion.hpp"

#include <algorithm>

namespace natkit::relay {

namespace {

std::unexpected<NotForwarded> no(NotForwarded why) noexcept {
    return std::unexpected(why);
}

}  // namespace

std::expected<Forwarding, NotForwarded> may_forward(const UdpLeg& from, Component arrival, Instant now,
                                                    bool tried) noexcept {
    const UdpLeg* to = from.peer();
    if (to == nullptr) return no(NotForwarded::not_joined);
    if (from.stream != Stream::rtp || to->stream != Stream::rtp) return no(NotForwarded::not_rtp);
    if (from.hold || to->hold) return no(NotForwarded::held);
    if (from.proof.needed() || to->proof.needed()) return no(NotForwarded::unproven);
    if (!tried && now - std::max({from.join->since, from.changed, to->changed}) < promotion_time) {
        return no(NotForwarded::settling);
    }
    const UdpLeg::Part& part = from.part(arrival);
    const auto& mark = part.latch.mark();
    if (!part.latch.settled() || !mark) return no(NotForwarded::unconfirmed);
    const bool rtcp = arrival == Component::rtcp;
    // RTCP comes every some seconds; its stream is well known by then.
    if (!tried && part.counters.received_packets < (rtcp ? 1 : promotion_packets)) {
        return no(NotForwarded::settling);
    }
    const Component out = rtcp && !to->mux ? Component::rtcp : Component::rtp;
    const Latch& target = to->part(out).latch;
    if (!target.settled()) return no(NotForwarded::unconfirmed);
    // Of a muxed leg RTCP may have to leave by another port than RTP.
    const auto kind = rtcp                  ? Forwarding::Kind::rtcp
                      : from.mux && to->mux ? Forwarding::Kind::both
                                            : Forwarding::Kind::rtp;
    return Forwarding{.to = to,
                      .out = out,
                      .source = *part.latch.source(),
                      .destination = *target.target(),
                      .kind = kind,
                      .ssrc = mark->ssrc};
}

void take_in(UdpLeg& from, Component arrival, Component out, const Carried& carried) noexcept {
    if (carried.packets == 0) return;
    UdpLeg::Part& part = from.part(arrival);
    part.counters.received_packets += carried.packets;
    part.counters.received_bytes += carried.bytes;
    part.counters.last_received = std::max(part.counters.last_received, carried.last);
    StreamMark mark{.ssrc = carried.ssrc, .sequence = {}};
    if (carried.rtp) {
        mark.sequence = static_cast<std::uint16_t>(carried.rtp->sequence);
        if (arrival == Component::rtp) from.statistics.carry_on(*carried.rtp);
    }
    part.latch.carried(mark, carried.last);
    if (UdpLeg* to = from.peer()) {
        Counters& sent = to->part(out).counters;
        sent.sent_packets += carried.packets;
        sent.sent_bytes += carried.bytes;
    }
}

}  // namespace natkit::relay
