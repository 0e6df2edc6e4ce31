#include "promotion.hpp"

#include <algorithm>
#include <utility>

#include "natkit/rtp/packet.hpp"

namespace natkit::relay {

namespace {

using namespace std::chrono_literals;

/// A stream of which more comes past the filter than goes by it stays with the relay for this long.
constexpr Duration barred_time = 60s;
/// One that has changed its source or SSRC may do so again: several streams on one port do with every packet.
constexpr Duration changed_time = 10s;
constexpr std::uint64_t most_strays = 25;  ///< half a second of audio

constexpr std::array both_components{Component::rtp, Component::rtcp};

constexpr std::size_t place(Component component) noexcept {
    return static_cast<std::size_t>(component);
}

bpf::FlowKind flow_kind(Forwarding::Kind kind) noexcept {
    switch (kind) {
        case Forwarding::Kind::rtp: return bpf::FlowKind::rtp;
        case Forwarding::Kind::rtcp: return bpf::FlowKind::rtcp;
        case Forwarding::Kind::both: break;
    }
    return bpf::FlowKind::rtp_and_rtcp;
}

}  // namespace

Promotion::Promotion(FastPath& fast_path, std::uint8_t tos, Relay& relay, PlaceOf place_of)
    : fast_path_(fast_path), tos_(tos), relay_(relay), place_of_(std::move(place_of)) {}

std::optional<bpf::FlowRule> Promotion::rule_of(const UdpLeg& leg, Component component, const Forwarding& what) const {
    const auto out = place_of_(*what.to, what.out);
    if (!out) return std::nullopt;
    return bpf::FlowRule{.source = out->local,
                         .destination = what.destination,
                         .tos = what.to->tos.value_or(tos_),
                         .kind = flow_kind(what.kind),
                         .ssrc = what.ssrc,
                         .clock_rate = component == Component::rtp ? leg.statistics.clock_rate() : 0};
}

std::expected<Forwarding, NotForwarded> Promotion::may_go(const UdpLeg& leg, Component component, Instant now,
                                                          bool tried) const {
    auto what = may_forward(leg, component, now, tried);
    if (!what || !keeps_rtcp_ || what->kind == Forwarding::Kind::rtp) return what;
    if (what->kind == Forwarding::Kind::rtcp) return std::unexpected(NotForwarded::not_rtp);
    what->kind = Forwarding::Kind::rtp;
    return what;
}

std::expected<Promotion::Wanted, NotForwarded> Promotion::wanted(const UdpLeg& leg, Component component,
                                                                 Instant now) const {
    if (const auto barred = barred_.find(leg.key); barred != barred_.end() && now < barred->second.until) {
        return std::unexpected(barred->second.why);
    }
    const auto what = may_go(leg, component, now);
    if (!what) return std::unexpected(what.error());
    const auto arrival = place_of_(leg, component);
    const auto rule = rule_of(leg, component, *what);
    if (!arrival || !rule || !fast_path_.proven(arrival->interface, rule->source.address.family())) {
        return std::unexpected(NotForwarded::interface);
    }
    return Wanted{
        .forwarding = *what,
        .key = {.interface = arrival->interface, .source = what->source, .destination = arrival->local},
        .rule = *rule,
    };
}

bool Promotion::forwards(UdpLeg& leg, Component component) const {
    const auto found = flows_.find(&leg);
    return found != flows_.end() && found->second[place(component)];
}

std::optional<NotForwarded> Promotion::why_not(UdpLeg& leg, Instant now) const {
    if (forwards(leg, Component::rtp)) return std::nullopt;
    const auto what = wanted(leg, Component::rtp, now);
    return what ? NotForwarded::settling : what.error();
}

bool Promotion::promote(UdpLeg& leg, Component component, const Wanted& what) {
    bpf::FlowStart start;
    if (component == Component::rtp) {
        const auto progress = leg.statistics.progress();
        start = {.sequence = progress.sequence,
                 .timestamp = progress.timestamp,
                 .rtp_last = progress.arrival,
                 .jitter = progress.jitter};
    }
    const auto slot = fast_path_.table().add(what.key, what.rule, start);
    if (!slot) return false;
    auto& flow = flows_[&leg][place(component)];
    flow = Flow{.forwarding = what.forwarding, .key = what.key, .slot = *slot};
    flow->seen.start_sequence = flow->seen.sequence = start.sequence;
    leg.forwarded = true;
    ++fast_path_.flows;
    return true;
}

std::optional<NotForwarded> Promotion::settle(UdpLeg& leg, Component component, Instant now) {
    if (forwards(leg, component)) return std::nullopt;
    const auto what = wanted(leg, component, now);
    if (!what) return what.error();
    if (!promote(leg, component, *what)) return NotForwarded::table_full;
    return std::nullopt;
}

void Promotion::fold(UdpLeg& leg, Component component, Flow& flow, const bpf::FlowCount& count) {
    Carried carried{.packets = count.packets - flow.seen.packets,
                    .bytes = count.bytes - flow.seen.bytes,
                    .last = count.last,
                    .ssrc = flow.forwarding.ssrc};
    if (count.rtp_packets != flow.seen.rtp_packets) {
        carried.rtp = rtp::ReceiverStatistics::Progress{.ssrc = flow.forwarding.ssrc,
                                                        .start_sequence = count.start_sequence,
                                                        .sequence = count.sequence,
                                                        .skipped = count.start_sequence - flow.seen.start_sequence,
                                                        .packets = count.rtp_packets - flow.seen.rtp_packets,
                                                        .timestamp = count.timestamp,
                                                        .arrival = count.rtp_last,
                                                        .jitter = count.jitter};
    }
    take_in(leg, component, flow.forwarding.out, carried);
    flow.seen = count;
}

void Promotion::remove(UdpLeg& leg) {
    const auto found = flows_.find(&leg);
    if (found == flows_.end()) return;
    for (const Component component : both_components) {
        auto& flow = found->second[place(component)];
        if (!flow) continue;
        fold(leg, component, *flow, fast_path_.table().remove(flow->key));
        --fast_path_.flows;
    }
    flows_.erase(found);
    leg.forwarded = false;
}

void Promotion::demote(UdpLeg& leg) {
    UdpLeg* peer = leg.peer();
    remove(leg);
    if (peer != nullptr) remove(*peer);
}

void Promotion::demote_misplaced() {
    const auto misplaced = [this](const auto& flows) {
        return std::ranges::any_of(both_components, [&](Component component) {
            const auto& flow = flows.second[place(component)];
            return flow &&
                   (!place_of_(*flows.first, component) || !place_of_(*flow->forwarding.to, flow->forwarding.out));
        });
    };
    for (;;) {
        const auto found = std::ranges::find_if(flows_, misplaced);
        if (found == flows_.end()) return;
        demote(*found->first);
    }
}

void Promotion::catch_up(UdpLeg& leg) {
    for (UdpLeg* each : {&leg, leg.peer()}) {
        if (each == nullptr) continue;
        const auto found = flows_.find(each);
        if (found == flows_.end()) continue;
        for (const Component component : both_components) {
            auto& flow = found->second[place(component)];
            if (flow) fold(*each, component, *flow, fast_path_.table().read(flow->slot));
        }
    }
}

void Promotion::catch_up() {
    for (auto& [leg, flows] : flows_) {
        for (const Component component : both_components) {
            auto& flow = flows[place(component)];
            if (flow) fold(*leg, component, *flow, fast_path_.table().read(flow->slot));
        }
    }
}

void Promotion::before_packet(UdpLeg& leg, Component component, const Endpoint& source,
                              std::span<const std::uint8_t> bytes) {
    catch_up(leg);
    const auto found = flows_.find(&leg);
    if (found == flows_.end()) return;
    auto& flow = found->second[place(component)];
    if (!flow || flow->key.source != source) return;
    const auto header = rtp::read_rtp(bytes);
    if (header && header->ssrc == flow->forwarding.ssrc) ++flow->strays;
}

Promotion::State Promotion::state_of(UdpLeg& leg, Instant now) const {
    const auto found = flows_.find(&leg);
    if (found == flows_.end()) return State::same;
    State state = State::same;
    for (const Component component : both_components) {
        const auto& flow = found->second[place(component)];
        if (!flow) continue;
        if (may_go(leg, component, now, true) != flow->forwarding) return State::changed;
        const auto at = place_of_(leg, component);
        if (!at || (at->interface != 0 && at->interface != flow->key.interface)) state = State::elsewhere;
    }
    return state;
}

void Promotion::after_packet(UdpLeg& leg, Instant now) {
    UdpLeg* peer = leg.peer();
    const State state = std::max(state_of(leg, now), peer == nullptr ? State::same : state_of(*peer, now));
    if (state == State::same) return;
    if (state == State::changed) bar(leg, NotForwarded::changing, now + changed_time);
    demote(leg);
}

void Promotion::review(Instant now) {
    std::vector<UdpLeg*> past;
    for (auto& [leg, flows] : flows_) {
        for (auto& flow : flows) {
            if (!flow) continue;
            fast_path_.table().renew(flow->slot, now);
            const std::uint64_t gone_by = flow->seen.packets - std::exchange(flow->at_review, flow->seen.packets);
            const std::uint64_t strays = std::exchange(flow->strays, 0);
            if (strays > most_strays && strays > gone_by) past.push_back(leg);
        }
    }
    for (UdpLeg* leg : past) {
        bar(*leg, NotForwarded::strayed, now + barred_time);
        demote(*leg);
    }
    std::erase_if(barred_, [now](const auto& each) { return each.second.until <= now; });
    FastPath::LeftCounts left{};
    for (const auto& join : relay_.legs.joins()) {
        for (Leg* each : join->legs) {
            UdpLeg* leg = as_udp(each);
            if (leg == nullptr) continue;
            if (const auto why = settle(*leg, Component::rtp, now)) ++left[static_cast<std::size_t>(*why)];
            (void)settle(*leg, Component::rtcp, now);
        }
    }
    fast_path_.count_left(left_, left);
    left_ = left;
}

void Promotion::set_tos(std::uint8_t tos) {
    if (std::exchange(tos_, tos) == tos) return;
    for (auto& [leg, flows] : flows_) {
        for (const Component component : both_components) {
            auto& flow = flows[place(component)];
            const auto rule = flow ? rule_of(*leg, component, flow->forwarding) : std::nullopt;
            if (!rule) continue;
            // For a moment its packets come to the relay.
            fold(*leg, component, *flow, fast_path_.table().remove(flow->key));
            --fast_path_.flows;
            const Wanted again{.forwarding = flow->forwarding, .key = flow->key, .rule = *rule};
            flow.reset();
            (void)promote(*leg, component, again);
        }
    }
}

void Promotion::set_keeps_rtcp(bool keeps) {
    if (std::exchange(keeps_rtcp_, keeps) == keeps) return;
    while (!flows_.empty()) demote(*flows_.begin()->first);  // the next review promotes what may be
}

bool Promotion::take_up(UdpLeg& leg, Component component, const bpf::FlowTable::Kept& kept, Instant now) {
    const bpf::FlowCount count = fast_path_.table().read(kept.slot);
    Latch& latch = leg.part(component).latch;
    if (latch.source() == kept.key.source) latch.carried({.ssrc = kept.rule.ssrc, .sequence = {}}, count.last);
    const auto what = may_go(leg, component, now, true);
    if (!what || what->source != kept.key.source) return false;
    const auto wanted = rule_of(leg, component, *what);
    if (!wanted || wanted->source != kept.rule.source || wanted->destination != kept.rule.destination ||
        wanted->ssrc != kept.rule.ssrc || wanted->kind != kept.rule.kind || wanted->tos != kept.rule.tos) {
        return false;
    }
    auto& flow = flows_[&leg][place(component)];
    flow = Flow{.forwarding = *what, .key = kept.key, .slot = kept.slot};
    leg.forwarded = true;
    ++fast_path_.flows;
    flow->seen.start_sequence = count.start_sequence;
    fold(leg, component, *flow, count);
    flow->at_review = count.packets;
    fast_path_.table().renew(kept.slot, now);
    return true;
}

std::vector<Endpoint> Promotion::take_up(const std::vector<bpf::FlowTable::Kept>& kept, Instant now) {
    std::unordered_map<Endpoint, const bpf::FlowTable::Kept*, EndpointHash> by_port;
    for (const auto& each : kept) by_port[each.key.destination] = &each;
    std::vector<Endpoint> taken;
    for (const auto& join : relay_.legs.joins()) {
        for (Leg* each : join->legs) {
            UdpLeg* leg = as_udp(each);
            if (leg == nullptr) continue;
            for (const Component component : both_components) {
                const auto at = place_of_(*leg, component);
                const auto found = at ? by_port.find(at->local) : by_port.end();
                if (found != by_port.end() && take_up(*leg, component, *found->second, now)) taken.push_back(at->local);
            }
        }
    }
    return taken;
}

}  // namespace natkit::relay
