#include "plane.hpp"

#include <functional>
#include <utility>

namespace natkit::relay {

namespace {

/// About two seconds of audio, and half of that before the first time.
constexpr std::uint64_t expect_every = 100;

}  // namespace

Plane::Plane(io::Loop& loop, Timeouts timeouts, OnEvents on_events, TrafficGauge& traffic, SteeredPorts* steered,
             unsigned worker)
    : loop_(loop),
      relay_(timeouts),
      on_events_(std::move(on_events)),
      traffic_(traffic),
      steered_(steered != nullptr),
      timer_(loop, [this] { on_time(); }) {
    PacketPath::Callbacks callbacks{.on_packet = std::bind_front(&Plane::on_packet, this),
                                    .on_unsent = std::bind_front(&Plane::on_unsent, this)};
    path_ = steered == nullptr ? socket_path(loop, std::move(callbacks))
                               : steered_path(loop, *steered, worker, std::move(callbacks));
}

Plane::~Plane() {
    for (const auto& [key, leg] : relay_.legs.legs()) {
        if (UdpLeg* udp = as_udp(leg.get())) close_ports(*udp);
    }
}

void Plane::on_time() {
    if (tcp_) tcp_->take_progress();
    if (promotion_) promotion_->catch_up();
    traffic_.tell(relay_.legs.traffic(), loop_.now());
    relay_.on_time(loop_.now());
    if (promotion_) promotion_->review(loop_.now());
    if (tcp_) tcp_->carry_out_effects();
    tell_events();
    start_timer();
}

void Plane::start_timer() {
    if (silent_ || timer_.active()) return;
    if (const auto deadline = relay_.next_deadline()) timer_.start_at(*deadline);
}

void Plane::tell_events() {
    if (!silent_ && relay_.legs.has_events()) on_events_(relay_.legs.take_events());
}

// --- packets -------------------------------------------------------------------------------------------------------

void Plane::on_packet(void* at, const io::Datagram& packet) {
    Port& port = *static_cast<Port*>(at);
    UdpLeg& leg = *port.leg;
    if (packet.interface_index != port.interface && guard_.spoofed(packet.source.address, packet.interface_index)) {
        relay_.udp.refuse(leg, port.component, Drop::wrong_interface, packet.source);
        if (relay_.legs.has_events()) tell_events();
        return;
    }
    const bool forwarded = leg.forwarded;
    if (forwarded) promotion_->before_packet(leg, port.component, packet.source, packet.bytes);
    const auto outcome = relay_.udp.on_packet(leg, port.component, packet.source, packet.bytes, packet.came);
    if (outcome.leg != nullptr) {
        const auto* ports = static_cast<const Ports*>(outcome.leg->attachment);
        const PacketPath::Handle from =
            ports == nullptr ? nullptr : (*ports)[static_cast<std::size_t>(outcome.component)].handle;
        if (from != nullptr) {
            path_->send(from, *outcome.endpoint, packet.bytes, at);
        } else {
            relay_.udp.not_sent(leg, port.component, outcome, packet.bytes.size());
        }
        const UdpLeg::Part& part = leg.part(port.component);
        if (packet.interface_index != 0 && part.latch.source() == packet.source)
            port.interface = packet.interface_index;
        if (part.counters.received_packets % expect_every == expect_every / 2 && part.latch.source() == packet.source) {
            path_->expect(port.handle, packet.source);
        }
        if (reports_.on()) reports_.on_packet(leg, port.component, packet.source, packet.bytes);
    }
    if (forwarded) promotion_->after_packet(leg, packet.came);
    if (relay_.legs.has_events()) tell_events();
}

void Plane::on_unsent(const PacketPath::Unsent& packet) {
    const Port& arrival = *static_cast<const Port*>(packet.arrival);
    const Port& from = *static_cast<const Port*>(packet.from);
    relay_.udp.not_sent(*arrival.leg, arrival.component,
                        {.leg = from.leg, .component = from.component, .endpoint = &packet.to}, packet.bytes);
}

void Plane::attach(UdpLeg& leg, BoundPorts bound) {
    auto& ports = ports_[leg.key];
    if (!ports) ports = std::make_unique<Ports>();
    for (const Component component : {Component::rtp, Component::rtcp}) {
        const auto i = static_cast<std::size_t>(component);
        Port& port = (*ports)[i];
        port.leg = &leg;
        port.component = component;
        if (!bound[i]) continue;
        port.local = bound[i].local;
        port.handle = path_->attach(std::move(bound[i]), &port);
    }
    leg.attachment = ports.get();
}

BoundPorts Plane::detach(UdpLeg& leg) {
    BoundPorts bound;
    auto* ports = static_cast<Ports*>(std::exchange(leg.attachment, nullptr));
    if (ports == nullptr) return bound;
    for (std::size_t i = 0; i < bound.size(); ++i) {
        const PacketPath::Handle handle = (*ports)[i].handle;
        if (handle != nullptr) bound[i] = path_->detach(handle);
    }
    ports_.erase(leg.key);
    return bound;
}

void Plane::close_ports(UdpLeg& leg) {
    auto* ports = static_cast<Ports*>(std::exchange(leg.attachment, nullptr));
    if (ports == nullptr) return;
    for (const Port& port : *ports) {
        if (port.handle != nullptr) path_->close(port.handle);
    }
    ports_.erase(leg.key);
}

// --- what signalling says ------------------------------------------------------------------------------------------

template <class Change>
void Plane::change(LegKey key, const Change& what) {
    Leg* leg = relay_.legs.find(key);
    if (leg == nullptr) return;
    const bool connections = is_tcp(leg->stream);
    if (connections) tcp_->take_progress();
    demote(leg);
    what(*leg);
    if (!connections) return;
    tcp_->carry_out_effects();
    tell_events();
}

void Plane::open(const Opening& opening, BoundPorts bound) {
    Leg* leg = relay_.legs.find(opening.key);
    if (leg == nullptr) leg = &relay_.udp.add(opening.key, opening.stream, opening.mux, loop_.now());
    if (UdpLeg* udp = as_udp(leg)) {
        udp->tos = opening.tos;
        reports_.add(opening.key, {.call_id = opening.call_id,
                                   .local = {bound[0].local, bound[bound[1] ? 1 : 0].local},
                                   .opened = opening.opened});
        attach(*udp, std::move(bound));
    }
    start_timer();
}

void Plane::set_collector(std::shared_ptr<hep::Counters> counters, std::optional<hep::Destination> destination) {
    reports_.set(std::move(counters), std::move(destination));
    if (promotion_) promotion_->set_keeps_rtcp(reports_.on());
}

void Plane::open_tcp(LegKey key, unsigned connections, io::Fd listener, const IpAddress& local) {
    if (!tcp_) tcp_ = std::make_unique<TcpPlane>(loop_, relay_, [this] { tell_events(); });
    if (relay_.legs.find(key) == nullptr) relay_.tcp.add(key, connections, loop_.now());
    tcp_->listen(key, std::move(listener), local);
    start_timer();
}

void Plane::set_tos(std::uint8_t tos) {
    for (const auto& [key, ports] : ports_) {
        for (const Port& port : *ports) {
            if (port.handle != nullptr && !port.leg->tos) path_->set_tos(port.handle, tos);
        }
    }
    if (promotion_) promotion_->set_tos(tos);
}

void Plane::close(LegKey key) {
    change(key, [&](Leg& leg) {
        relay_.close(leg, loop_.now());
        if (UdpLeg* udp = as_udp(&leg)) {
            close_ports(*udp);
        } else {
            tcp_->stop_listening(key);
        }
    });
}

void Plane::remove(LegKey key) {
    close(key);
    if (promotion_) promotion_->forget(key);
    if (const UdpLeg* leg = as_udp(relay_.legs.find(key))) reports_.on_end(*leg, loop_.now());
    reports_.forget(key);
    relay_.remove(key, loop_.now());
    tell_traffic_of_the_last();
}

void Plane::signal(LegKey key, const Party& party, SourcePolicy policy, bool renew) {
    change(key, [&](Leg& leg) { relay_.signal(leg, party, policy, loop_.now(), renew); });
}

void Plane::set_hold(LegKey key, bool hold) {
    change(key, [&](Leg& leg) { relay_.set_hold(leg, hold, loop_.now()); });
}

void Plane::join(LegKey a, LegKey b) {
    Leg* other = relay_.legs.find(b);
    if (other == nullptr || a == b) return;
    demote(other);
    change(a, [&](Leg& leg) {
        if (is_tcp(leg.stream) == is_tcp(other->stream)) relay_.join(leg, *other, loop_.now());
    });
}

void Plane::part(LegKey key) {
    change(key, [&](Leg& leg) { relay_.part(leg, loop_.now()); });
}

void Plane::restore(LegKey key, Component component, const Latch::Known& holder, Duration handover) {
    if (UdpLeg* leg = as_udp(relay_.legs.find(key))) relay_.udp.restore(*leg, component, holder, loop_.now(), handover);
}

void Plane::fall_silent() {
    silent_ = true;
    timer_.stop();
    for (const auto& [key, leg] : relay_.legs.legs()) {
        if (UdpLeg* udp = as_udp(leg.get())) close_ports(*udp);
    }
    if (tcp_) tcp_ = std::make_unique<TcpPlane>(loop_, relay_, [] {});
}

void Plane::set_mux(LegKey key, bool mux) {
    UdpLeg* leg = as_udp(relay_.legs.find(key));
    if (leg == nullptr) return;
    demote(leg);
    leg->mux = mux;
}

void Plane::set_tos(LegKey key, std::uint8_t tos) {
    UdpLeg* leg = as_udp(relay_.legs.find(key));
    if (leg == nullptr) return;
    demote(leg);
    leg->tos = tos;
    const auto* ports = static_cast<const Ports*>(leg->attachment);
    if (ports == nullptr) return;
    for (const Port& port : *ports) {
        if (port.handle != nullptr) path_->set_tos(port.handle, tos);
    }
}

Plane::Moving Plane::extract(LegKey key) {
    Moving moving;
    UdpLeg* leg = as_udp(relay_.legs.find(key));
    if (leg == nullptr) return moving;
    demote(leg);
    relay_.part(*leg, loop_.now());
    moving.ports = detach(*leg);
    moving.about = reports_.take(key);
    moving.leg = relay_.legs.extract(key);
    tell_traffic_of_the_last();
    return moving;
}

void Plane::insert(Moving moving) {
    UdpLeg* leg = as_udp(moving.leg.get());
    if (leg == nullptr) return;
    reports_.add(leg->key, std::move(moving.about));
    relay_.legs.insert(std::move(moving.leg), loop_.now());
    attach(*leg, std::move(moving.ports));
    start_timer();
}

// --- what the kernel forwards --------------------------------------------------------------------------------------

std::optional<Promotion::Place> Plane::place_of(const UdpLeg& leg, Component component) const {
    const auto* ports = static_cast<const Ports*>(leg.attachment);
    if (ports == nullptr) return std::nullopt;
    const Port& port = (*ports)[static_cast<std::size_t>(component)];
    if (port.handle == nullptr || !path_->is_here(port.handle)) return std::nullopt;
    return Promotion::Place{.local = port.local, .interface = port.interface};
}

std::vector<Endpoint> Plane::use_fast_path(FastPath& fast_path, std::uint8_t tos,
                                           const std::vector<bpf::FlowTable::Kept>& kept) {
    promotion_ = std::make_unique<Promotion>(
        fast_path, tos, relay_, [this](const UdpLeg& leg, Component component) { return place_of(leg, component); });
    promotion_->set_keeps_rtcp(reports_.on());
    auto taken = promotion_->take_up(kept, loop_.now());
    relay_.legs.count_from_now();
    return taken;
}

void Plane::check_addresses() {
    path_->check_addresses();
    if (promotion_) promotion_->demote_misplaced();
}

void Plane::demote(Leg* leg) {
    if (UdpLeg* udp = as_udp(leg); udp != nullptr && promotion_) promotion_->demote(*udp);
}

// --- counters ------------------------------------------------------------------------------------------------------

void Plane::collect_one(Leg& leg, Instant now, Statistics& into) const {
    record::LegStatistics& statistics = into[leg.key];
    statistics.taken = now;
    if (is_tcp(leg.stream)) return tcp_->collect(static_cast<const TcpLeg&>(leg), statistics);
    auto& udp = static_cast<UdpLeg&>(leg);
    for (std::size_t i = 0; i < 2; ++i) statistics.counters[i] = udp.parts[i].counters;
    statistics.lost = udp.statistics.lost();
    statistics.expected = udp.statistics.expected();
    statistics.jitter = udp.statistics.jitter();
    statistics.ssrc = udp.statistics.ssrc();
    const std::optional<NotForwarded> why = promotion_ ? promotion_->why_not(udp, now) : NotForwarded::off;
    statistics.not_forwarded = why;
    statistics.tier = !why ? Tier::fast : steered_ ? Tier::steered : Tier::sockets;
    if (leg.join == nullptr) return;
    statistics.audio = leg.join->audio;
    statistics.cause = leg.join->cause;
    statistics.mute = leg.join->mute == nullptr ? 0 : leg.join->mute->key;
}

void Plane::tell_traffic_of_the_last() {
    if (relay_.legs.legs().empty()) traffic_.tell(relay_.legs.traffic(), loop_.now());
}

void Plane::collect(LegKey key, Statistics& into) {
    if (tcp_) tcp_->take_progress();
    if (promotion_) promotion_->catch_up();
    const Instant now = loop_.now();
    if (key == 0) {
        for (const auto& [each, leg] : relay_.legs.legs()) collect_one(*leg, now, into);
        return;
    }
    Leg* leg = relay_.legs.find(key);
    if (leg == nullptr) return;
    collect_one(*leg, now, into);
    if (Leg* peer = leg->peer()) collect_one(*peer, now, into);
}

}  // namespace natkit::relay
