#include "reports.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "natkit/io/wall_clock.hpp"
#include "natkit/record/homer.hpp"
#include "natkit/rtp/packet.hpp"
#include "natkit/rtp/report.hpp"

namespace natkit::relay {
namespace {

/// Whom the leg has heard, or would have: where its packets go.
std::optional<Endpoint> party_of(const UdpLeg& leg) {
    const Latch& latch = leg.part(Component::rtp).latch;
    return latch.source() ? latch.source() : latch.target();
}

}  // namespace

void Reports::set(std::shared_ptr<hep::Counters> counters, std::optional<hep::Destination> destination) {
    if (!sender_) sender_.emplace(std::move(counters));
    sender_->set(std::move(destination));
}

Reports::About Reports::take(LegKey leg) {
    auto node = legs_.extract(leg);
    return node.empty() ? About{} : std::move(node.mapped());
}

void Reports::send(hep::Packet::Content content, const Endpoint& source, const Endpoint& destination,
                   const std::string& call_id, const std::string& text) {
    sender_->send({.source = source,
                   .destination = destination,
                   .protocol = hep::over_udp,
                   .content = content,
                   .payload = {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()},
                   .correlation = call_id});
}

void Reports::on_packet(const UdpLeg& leg, Component component, const Endpoint& source,
                        std::span<const std::uint8_t> bytes) {
    if (rtp::kind_of(bytes) != rtp::Kind::rtcp) return;
    const auto report = rtp::read_report(bytes);
    const auto about = legs_.find(leg.key);
    if (!report || about == legs_.end()) return;
    room_ = record::homer_rtcp(*report, std::move(room_));
    send(hep::Packet::Content::rtcp, source, about->second.local[static_cast<std::size_t>(component)],
         about->second.call_id, room_);
}

void Reports::on_end(const UdpLeg& leg, Instant now) {
    const auto found = legs_.find(leg.key);
    if (found == legs_.end() || !on()) return;
    const About& about = found->second;
    const Counters& counters = leg.part(Component::rtp).counters;
    const auto party = party_of(leg);
    if (!party || (counters.received_packets == 0 && counters.sent_packets == 0)) return;
    const Duration since_last = counters.received_packets == 0 ? Duration{} : now - counters.last_received;
    const WallTime time = io::wall_now();
    const record::StreamReport report{.call_id = about.call_id,
                                      .leg = id_of(leg.key),
                                      .source = *party,
                                      .destination = about.local[0],
                                      .packets = counters.received_packets,
                                      .octets = counters.received_bytes,
                                      .expected = leg.statistics.expected(),
                                      .lost = leg.statistics.lost(),
                                      .jitter = leg.statistics.jitter(),
                                      .ssrc = leg.statistics.ssrc(),
                                      .payload_type = leg.statistics.payload_type(),
                                      .clock_rate = leg.statistics.clock_rate(),
                                      .duration = std::max(Duration{}, time - about.opened - since_last),
                                      .time = time};
    room_ = record::homer_report(report, std::move(room_));
    send(hep::Packet::Content::report, *party, about.local[0], about.call_id, room_);
}

}  // namespace natkit::relay
