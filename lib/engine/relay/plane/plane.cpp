#include "plane.hpp"

#include <utility>

namespace natkit::mediarelay {

using relay::Component;
using relay::Leg;
using relay::LegKey;

namespace {

/// About two seconds of audio, and half of that before the first time.
constexpr std::uint64_t settle_every = 100;

}  // namespace

Plane::Plane(io::Loop& loop, relay::Timeouts timeouts, OnEvents on_events)
    : loop_(loop),
      relay_(timeouts),
      on_events_(std::move(on_events)),
      path_(socket_path(
          loop,
          [this](void* slot, Component component, const Endpoint& source, std::span<const std::uint8_t> bytes) {
              on_packet(*static_cast<Leg*>(slot), component, source, bytes);
          })),
      timer_(loop,
             [this] {
                 relay_.on_time(loop_.now());
                 tell_events();
                 arm();
             }),
      timeouts_(timeouts) {}

Plane::~Plane() {
    for (const auto& [key, leg] : relay_.legs()) close_ports(*leg);
}

void Plane::arm() {
    if (timer_.active()) return;
    if (const auto deadline = relay_.next_deadline()) timer_.start_at(*deadline);
}

void Plane::tell_events() {
    if (relay_.has_events()) on_events_(relay_.take_events());
}

void Plane::on_packet(Leg& leg, Component component, const Endpoint& source, std::span<const std::uint8_t> bytes) {
    const auto outcome = relay_.on_packet(leg, component, source, bytes, loop_.now());
    if (outcome.leg != nullptr) {
        const auto* ports = static_cast<const Ports*>(outcome.leg->attachment);
        const PacketPath::Handle from =
            ports == nullptr ? nullptr : ports->handles[static_cast<std::size_t>(outcome.component)];
        const bool sent = from != nullptr && path_->send(from, *outcome.endpoint, bytes).status == io::SendStatus::sent;
        if (!sent) relay_.not_sent(leg, component, outcome, bytes.size());
        const Leg::Part& part = leg.part(component);
        if (part.counters.received_packets % settle_every == settle_every / 2 && part.latch.source() == source)
            settle(leg, component, source);
    }
    tell_events();
}

void Plane::settle(Leg& leg, Component component, const Endpoint& source) {
    const auto* ports = static_cast<const Ports*>(leg.attachment);
    if (ports == nullptr) return;
    const PacketPath::Handle handle = ports->handles[static_cast<std::size_t>(component)];
    if (handle != nullptr) path_->settle(handle, source);
}

void Plane::attach(Leg& leg, Sockets sockets) {
    auto& ports = ports_[leg.key];
    if (!ports) ports = std::make_unique<Ports>();
    for (const Component component : {Component::rtp, Component::rtcp}) {
        const auto i = static_cast<std::size_t>(component);
        if (sockets[i]) ports->handles[i] = path_->attach(std::move(sockets[i]), &leg, component);
    }
    leg.attachment = ports.get();
}

Sockets Plane::detach(Leg& leg) {
    Sockets sockets;
    auto* ports = static_cast<Ports*>(std::exchange(leg.attachment, nullptr));
    if (ports == nullptr) return sockets;
    for (std::size_t i = 0; i < sockets.size(); ++i) {
        if (ports->handles[i] != nullptr) sockets[i] = path_->detach(ports->handles[i]);
    }
    ports_.erase(leg.key);
    return sockets;
}

void Plane::close_ports(Leg& leg) {
    auto* ports = static_cast<Ports*>(std::exchange(leg.attachment, nullptr));
    if (ports == nullptr) return;
    for (const PacketPath::Handle handle : ports->handles) {
        if (handle != nullptr) path_->close(handle);
    }
    ports_.erase(leg.key);
}

void Plane::open_tcp(LegKey key, unsigned connections, io::Fd listener, const IpAddress& local) {
    if (!tcp_) {
        tcp_ = std::make_unique<TcpPlane>(loop_, timeouts_, on_events_);
        tcp_->set_dial_for(dial_for_);
    }
    tcp_->open(key, connections, std::move(listener), local);
}

void Plane::set_timeouts(relay::Timeouts timeouts) {
    timeouts_ = timeouts;
    relay_.set_timeouts(timeouts);
    if (tcp_) tcp_->set_timeouts(timeouts);
}

void Plane::set_dial_for(const RangeSet& ranges) {
    dial_for_ = ranges;
    if (tcp_) tcp_->set_dial_for(ranges);
}

void Plane::open(LegKey key, relay::Stream stream, bool mux, Sockets sockets) {
    Leg* leg = relay_.find(key);
    if (leg == nullptr) leg = &relay_.add(key, stream, mux, loop_.now());
    attach(*leg, std::move(sockets));
    arm();
}

void Plane::close(LegKey key) {
    if (tcp_) tcp_->close(key);
    Leg* leg = relay_.find(key);
    if (leg == nullptr) return;
    relay_.part(*leg, loop_.now());
    close_ports(*leg);
}

void Plane::remove(LegKey key) {
    if (tcp_) tcp_->remove(key);
    close(key);
    relay_.remove(key, loop_.now());
}

void Plane::signal(LegKey key, const relay::Party& party, relay::SourcePolicy policy, bool renew) {
    if (tcp_) tcp_->signal(key, party, policy, renew);
    if (Leg* leg = relay_.find(key)) relay_.signal(*leg, party, policy, loop_.now());
}

void Plane::restore(LegKey key, Component component, const relay::Latch::Known& holder) {
    if (Leg* leg = relay_.find(key)) relay_.restore(*leg, component, holder, loop_.now());
}

void Plane::set_hold(LegKey key, bool hold) {
    if (tcp_) tcp_->set_hold(key, hold);
    if (Leg* leg = relay_.find(key)) relay_.set_hold(*leg, hold, loop_.now());
}

void Plane::set_mux(LegKey key, bool mux) {
    if (Leg* leg = relay_.find(key)) relay_.set_mux(*leg, mux);
}

void Plane::join(LegKey a, LegKey b) {
    if (tcp_) tcp_->join(a, b);
    Leg* first = relay_.find(a);
    Leg* second = relay_.find(b);
    if (first != nullptr && second != nullptr && first != second) relay_.join(*first, *second, loop_.now());
}

void Plane::part(LegKey key) {
    if (tcp_) tcp_->part(key);
    if (Leg* leg = relay_.find(key)) relay_.part(*leg, loop_.now());
}

Plane::Moving Plane::extract(LegKey key) {
    Moving moving;
    Leg* leg = relay_.find(key);
    if (leg == nullptr) return moving;
    relay_.part(*leg, loop_.now());
    moving.sockets = detach(*leg);
    moving.leg = relay_.extract(key);
    return moving;
}

void Plane::insert(Moving moving) {
    if (!moving.leg) return;
    Leg& leg = relay_.insert(std::move(moving.leg), loop_.now());
    attach(leg, std::move(moving.sockets));
    arm();
}

void Plane::collect_one(const Leg& leg, Instant now, Statistics& into) const {
    record::LegStatistics& statistics = into[leg.key];
    statistics.taken = now;
    for (std::size_t i = 0; i < 2; ++i) statistics.counters[i] = leg.parts[i].counters;
    statistics.lost = leg.statistics.lost();
    statistics.expected = leg.statistics.expected();
    statistics.jitter = leg.statistics.jitter();
    statistics.ssrc = leg.statistics.ssrc();
    if (leg.join == nullptr) return;
    statistics.audio = leg.join->audio;
    statistics.cause = leg.join->cause;
    statistics.mute = leg.join->mute == nullptr ? 0 : leg.join->mute->key;
}

void Plane::collect(LegKey key, Statistics& into) {
    if (tcp_) tcp_->collect(key, into);
    const Instant now = loop_.now();
    if (key == 0) {
        for (const auto& [each, leg] : relay_.legs()) collect_one(*leg, now, into);
        return;
    }
    const Leg* leg = relay_.find(key);
    if (leg == nullptr) return;
    collect_one(*leg, now, into);
    if (const Leg* peer = leg->peer()) collect_one(*peer, now, into);
}

}  // namespace natkit::mediarelay
