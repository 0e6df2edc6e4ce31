#include "natkit/relay/latch.hpp"

namespace natkit::relay {

const char* to_string(SourcePolicy policy) noexcept {
    switch (policy) {
        case SourcePolicy::exact: return "exact";
        case SourcePolicy::learn_port: return "learn-port";
        case SourcePolicy::latch: return "latch";
    }
    return "unknown";
}

const char* to_string(SourceRule rule) noexcept {
    switch (rule) {
        case SourceRule::exact: return "exact";
        case SourceRule::port_learned: return "port-learned";
        case SourceRule::latch: return "latch";
        case SourceRule::rebind: return "rebind";
        case SourceRule::forwarded_port: return "forwarded-port";
    }
    return "unknown";
}

const char* to_string(Drop reason) noexcept {
    switch (reason) {
        case Drop::no_party: return "no-party";
        case Drop::wrong_address: return "wrong-address";
        case Drop::wrong_port: return "wrong-port";
        case Drop::quarantined: return "quarantined";
        case Drop::not_joined: return "not-joined";
        case Drop::peer_unknown: return "peer-unknown";
        case Drop::not_sent: return "not-sent";
        case Drop::wrong_role: return "wrong-role";
        case Drop::too_many: return "too-many";
        case Drop::not_connected: return "not-connected";
        case Drop::not_met: return "not-met";
    }
    return "unknown";
}

void Latch::signal(const Signal& signal, Instant now) noexcept {
    if (signalled_ && signal == signal_) return;
    // The answer names the endpoint of a party known by its visible address alone, and may come after its first
    // packets: nothing is replaced.
    if (signalled_ && !signal_.endpoint && signal.endpoint && signal.policy == SourcePolicy::latch &&
        signal_.policy == SourcePolicy::latch && signal.allowed == signal_.allowed) {
        signal_ = signal;
        return;
    }
    const bool had = signalled_;
    // A second change before the new endpoint has sent anything: the one before is still the one that late packets
    // have.
    const bool still = !source_ && quarantined_ && now < quarantine_end_;
    const std::optional<Endpoint> old = source_ ? source_ : still ? quarantined_ : target_;
    clear();
    signalled_ = true;
    signal_ = signal;
    if (signal.policy == SourcePolicy::exact) {
        source_ = signal.endpoint;
        rule_ = SourceRule::exact;
        last_accepted_ = now;
    }
    // A far-end party's own endpoint means nothing outside its network: nothing is sent before it has latched.
    if (signal.policy != SourcePolicy::latch) target_ = signal.endpoint;
    if (had && old && old != signal.endpoint) {
        quarantined_ = old;
        quarantine_end_ = now + quarantine_time;
    }
}

void Latch::restore(const Endpoint& source, SourceRule rule) noexcept {
    if (!signalled_ || refuse_address(source)) return;
    take(source, rule);
}

void Latch::take(const Endpoint& source, SourceRule rule) noexcept {
    source_ = target_ = source;
    rule_ = rule;
    reopened_ = false;
    quarantined_.reset();
    sibling_address_.reset();
}

void Latch::note(const std::optional<StreamMark>& mark, Instant now) noexcept {
    last_accepted_ = now;
    // RTCP among RTP (RFC 5761) has no sequence, and must not hide that of the stream.
    if (mark && (mark->sequence || !mark_ || !mark_->sequence)) mark_ = mark;
}

std::optional<Drop> Latch::refuse_address(const Endpoint& source) const noexcept {
    if (!signalled_) return Drop::no_party;
    switch (signal_.policy) {
        case SourcePolicy::exact:
            if (!signal_.endpoint) return Drop::no_party;
            if (source.address != signal_.endpoint->address) return Drop::wrong_address;
            if (source.port != signal_.endpoint->port) return Drop::wrong_port;
            return std::nullopt;
        case SourcePolicy::learn_port:
            if (!signal_.endpoint) return Drop::no_party;
            if (source.address != signal_.endpoint->address) return Drop::wrong_address;
            return std::nullopt;
        case SourcePolicy::latch:
            if (!signal_.allowed.contains(source.address)) return Drop::wrong_address;
            return std::nullopt;
    }
    return Drop::no_party;
}

bool Latch::continues(const Endpoint& source, const std::optional<StreamMark>& mark, Instant now) const noexcept {
    if (signal_.policy == SourcePolicy::exact || !mark) return false;
    if (!mark->sequence) {
        return sibling_address_ && source.address == *sibling_address_ && mark->ssrc == sibling_ssrc_;
    }
    if (!mark_ || !mark_->sequence || mark->ssrc != mark_->ssrc || now - last_accepted_ < rebind_silence) return false;
    const auto gap = static_cast<std::uint16_t>(*mark->sequence - *mark_->sequence);
    return gap > 0 && gap < rebind_gap;
}

Latch::Verdict Latch::on_packet(const Endpoint& source, const std::optional<StreamMark>& mark, Instant now) noexcept {
    if (source_ && *source_ == source) {
        reopened_ = false;
        note(mark, now);
        return {.accepted = true};
    }
    if (const auto refused = refuse_address(source)) return {.reason = *refused};
    if (quarantined_ && *quarantined_ == source && !source_ && now < quarantine_end_)
        return {.reason = Drop::quarantined};

    std::optional<SourceRule> rule;
    if (!source_ || reopened_) {
        rule = signal_.policy == SourcePolicy::latch   ? SourceRule::latch
               : source.port == signal_.endpoint->port ? SourceRule::exact
                                                       : SourceRule::port_learned;
    } else if (continues(source, mark, now)) {
        rule = SourceRule::rebind;
    }
    if (!rule) return {.reason = source.address == source_->address ? Drop::wrong_port : Drop::wrong_address};
    take(source, *rule);
    note(mark, now);
    return {.accepted = true, .learned = rule};
}

void Latch::sibling_rebound(const IpAddress& address, std::uint32_t ssrc) noexcept {
    if (!source_) return;
    sibling_address_ = address;
    sibling_ssrc_ = ssrc;
}

}  // namespace natkit::relay
