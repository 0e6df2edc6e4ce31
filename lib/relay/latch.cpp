#include "natkit/relay/latch.hpp"

#include <algorithm>

namespace natkit::relay {
namespace {

/// Whether nothing is sent to the party before a packet of it has come.
bool latches(SourcePolicy policy) noexcept {
    return policy == SourcePolicy::latch || policy == SourcePolicy::first_source;
}

/// Whether the port is learned at the signalled address.
bool learns_port(SourcePolicy policy) noexcept {
    return policy == SourcePolicy::learn_port || policy == SourcePolicy::one_port;
}

/// Whether packets of the signalled address are accepted from other ports than the one they go to.
bool accepts_any_port(SourcePolicy policy) noexcept {
    return policy == SourcePolicy::learn_port || policy == SourcePolicy::any_port;
}

/// Whether a packet of the same stream comes after that one, and not far off.
bool continues_stream(const StreamMark& last, const StreamMark& next) noexcept {
    if (last.ssrc != next.ssrc || !last.sequence || !next.sequence) return false;
    const auto gap = static_cast<std::uint16_t>(*next.sequence - *last.sequence);
    return gap > 0 && gap < rebind_gap;
}

}  // namespace

const char* to_string(SourcePolicy policy) noexcept {
    switch (policy) {
        case SourcePolicy::exact: return "exact";
        case SourcePolicy::learn_port: return "learn-port";
        case SourcePolicy::one_port: return "one-port";
        case SourcePolicy::any_port: return "any-port";
        case SourcePolicy::latch: return "latch";
        case SourcePolicy::first_source: return "first-source";
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
        case Drop::not_dialled: return "not-dialled";
        case Drop::unproven: return "unproven";
        case Drop::wrong_interface: return "wrong-interface";
    }
    return "unknown";
}

bool Latch::Signal::opened_by(const Signal& next) const noexcept {
    if (next == *this) return false;
    // The answer names the endpoint of a party known by its visible address alone, and may come after its first
    // packets: nothing is replaced.
    const bool named = !endpoint && next.endpoint && latches(policy) && next.policy == policy;
    return !named || next.allowed != allowed;
}

void Latch::signal(const Signal& signal, Instant now) noexcept {
    if (signalled_ && !signal_.opened_by(signal)) {
        signal_ = signal;
        return;
    }
    // A second change before the new endpoint has sent anything: the one before is still the one that late packets
    // have.
    const bool still = !source_ && quarantined_ && now < quarantine_end_;
    const std::optional<Endpoint> old = source_ ? source_ : still ? quarantined_ : target_;
    Latch fresh;
    fresh.rtp_ = rtp_;
    fresh.may_send_ = may_send_;
    fresh.announced_ = announced_;
    fresh.signalled_ = true;
    fresh.signal_ = signal;
    if (signal.policy == SourcePolicy::exact) {
        fresh.source_ = signal.endpoint;
        fresh.rule_ = SourceRule::exact;
        fresh.confirmed_ = true;
        fresh.last_accepted_ = now;
    }
    // A far-end party's own endpoint means nothing outside its network: nothing is sent before it has latched.
    if (!latches(signal.policy)) fresh.target_ = signal.endpoint;
    if (signalled_ && old && old != signal.endpoint) {
        fresh.quarantined_ = old;
        fresh.quarantine_end_ = now + quarantine_time;
    }
    *this = fresh;
}

void Latch::let_send(bool may_send, Instant now) noexcept {
    if (may_send && !may_send_) last_accepted_ = std::max(last_accepted_, now);
    may_send_ = may_send;
}

void Latch::reopen() noexcept {
    if (!source_ || signal_.policy == SourcePolicy::exact) return;
    forget_former();
    if (confirmed_) remember_holder();
    reopened_ = true;
    confirmed_ = sent_rtp_ = false;
    probation_.clear();
}

void Latch::restore(const Known& holder, Instant now, Duration handover) noexcept {
    if (!signalled_ || signal_.policy == SourcePolicy::exact || refuse_address(holder.source)) return;
    take(holder.source, holder.rule, holder.confirmed || !rtp_);
    sent_rtp_ = holder.ssrc.has_value();
    if (holder.ssrc) mark_ = StreamMark{.ssrc = *holder.ssrc, .sequence = {}};
    last_accepted_ = now;
    handover_end_ = now + handover;
}

void Latch::take(const Endpoint& source, SourceRule rule, bool confirmed) noexcept {
    source_ = target_ = source;
    rule_ = rule;
    confirmed_ = confirmed;
    sent_rtp_ = reopened_ = false;
    mark_.reset();
    if (quarantined_ == source) quarantined_.reset();
    if (confirmed) {
        probation_.clear();
        sibling_address_.reset();
    }
}

void Latch::note(const std::optional<StreamMark>& mark, Instant now) noexcept {
    last_accepted_ = now;
    // Late packets of the one before are late for as long as this one sends.
    if (quarantined_) quarantine_end_ = std::max(quarantine_end_, now + quarantine_time);
    if (!mark) return;
    sent_rtp_ = sent_rtp_ || mark->sequence;
    // RTCP among RTP (RFC 5761) has no sequence, and must not hide that of the stream.
    if (mark->sequence || !mark_ || !mark_->sequence) mark_ = mark;
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
        case SourcePolicy::one_port:
        case SourcePolicy::any_port:
            if (!signal_.endpoint) return Drop::no_party;
            if (source.address != signal_.endpoint->address) return Drop::wrong_address;
            return std::nullopt;
        case SourcePolicy::latch:
            if (!signal_.allowed.contains(source.address)) return Drop::wrong_address;
            return std::nullopt;
        case SourcePolicy::first_source: return std::nullopt;
    }
    return Drop::no_party;
}

bool Latch::at_signalled_port(const Endpoint& source) const noexcept {
    return signal_.endpoint && source.port == signal_.endpoint->port;
}

Standing Latch::standing(const Endpoint& source, bool sends_rtp, const std::optional<StreamMark>& mark) const noexcept {
    if (!sends_rtp) return at_signalled_port(source) ? Standing::signalled_port : Standing::none;
    if (at_signalled_port(source)) return Standing::signalled_rtp;
    return mark && announced_.contains(mark->ssrc) ? Standing::announced_rtp : Standing::rtp;
}

SourceRule Latch::first_rule(const Endpoint& source) const noexcept {
    if (latches(signal_.policy)) return SourceRule::latch;
    return at_signalled_port(source) ? SourceRule::exact : SourceRule::port_learned;
}

bool Latch::silent(Instant now) const noexcept {
    return may_send_ && now - last_accepted_ >= rebind_silence;
}

/// The source may have changed after the host before has last told of it. A takeover is no reason to wait for silence
/// then: nothing was heard from the one that is known.
bool Latch::is_handed_over(const std::optional<StreamMark>& mark, Instant now) const noexcept {
    return now < handover_end_ && confirmed_ && is_rtp(mark) && mark_ && mark_->ssrc == mark->ssrc &&
           signal_.policy != SourcePolicy::one_port;
}

bool Latch::follows(const IpAddress& address, const std::optional<StreamMark>& mark) const noexcept {
    return sibling_address_ && mark && !mark->sequence && address == *sibling_address_ && mark->ssrc == sibling_ssrc_;
}

void Latch::carried(const StreamMark& mark, Instant last) noexcept {
    if (source_ && (last > last_accepted_ || !mark_)) note(mark, std::max(last, last_accepted_));
}

void Latch::follow(const IpAddress& address, std::uint32_t ssrc) noexcept {
    sibling_address_ = address;
    sibling_ssrc_ = ssrc;
}

void Latch::remember_holder() noexcept {
    former_[former_[0] ? 1 : 0] = Former{.source = *source_, .mark = mark_};
}

void Latch::forget_former() noexcept {
    former_ = {};
    refused_.reset();
}

bool Latch::comes_back(const Endpoint& source, const std::optional<StreamMark>& mark) const noexcept {
    return std::ranges::any_of(former_, [&](const std::optional<Former>& each) {
        if (!each) return false;
        if (!rtp_) return each->source == source;
        return each->mark && is_rtp(mark) &&
               (each->mark->sequence ? continues_stream(*each->mark, *mark)
                                     : each->source == source && each->mark->ssrc == mark->ssrc);
    });
}

/// Counts an RTP packet; whether it confirms its source.
bool Latch::passes_probation(const Endpoint& source, const StreamMark& mark, bool holder, Instant now) noexcept {
    const Standing rank = standing(source, true, mark);
    return probation_.count(source, mark, rank, holder, now) && (confirmed_ || !probation_.outranked(rank, now));
}

Latch::Verdict Latch::from_holder(const std::optional<StreamMark>& mark, Instant now) noexcept {
    note(mark, now);
    reopened_ = false;
    handover_end_ = {};
    if (confirmed_ && !sibling_address_) return {.accepted = true};
    const bool followed = follows(source_->address, mark);
    if (followed) sibling_address_.reset();
    if (confirmed_ || (!followed && !(is_rtp(mark) && passes_probation(*source_, *mark, true, now))))
        return {.accepted = true};
    confirmed_ = true;
    probation_.clear();
    return {.accepted = true, .confirmed = true};
}

/// The holder sends nothing though it could: who carries its stream on may take its place at once, another one by
/// probation, or, where there is no RTP, by any packet.
std::optional<Latch::Claim> Latch::claim_after_silence(const Endpoint& source, const std::optional<StreamMark>& mark,
                                                       Instant now) noexcept {
    if (mark_ && is_rtp(mark) && continues_stream(*mark_, *mark))
        return Claim{.rule = SourceRule::rebind, .confirmed = confirmed_};
    if (!confirmed_ || (rtp_ && !(is_rtp(mark) && passes_probation(source, *mark, false, now)))) return std::nullopt;
    remember_holder();
    return Claim{.rule = SourceRule::rebind, .confirmed = true};
}

/// Whether a packet makes its source, which is not the holder, the holder.
std::optional<Latch::Claim> Latch::claim(const Endpoint& source, const std::optional<StreamMark>& mark,
                                         Instant now) noexcept {
    if (signal_.policy == SourcePolicy::any_port) return std::nullopt;
    const bool at_port = learns_port(signal_.policy);
    const SourceRule first = first_rule(source);
    if (at_port && source == *signal_.endpoint) {
        learned_port_ = source_;
        return Claim{.rule = first, .confirmed = !rtp_};
    }
    if (refused_ == source) return std::nullopt;
    if (!source_) return Claim{.rule = first, .confirmed = !rtp_};
    if (follows(source.address, mark)) return Claim{.rule = SourceRule::rebind, .confirmed = true};
    if (comes_back(source, mark)) {
        const bool own =
            std::ranges::any_of(former_, [&](const auto& each) { return each && each->source == source_; });
        const auto other = own ? std::nullopt : source_;
        forget_former();
        refused_ = other;
        return Claim{.rule = SourceRule::rebind, .confirmed = true};
    }
    if (is_handed_over(mark, now)) {
        remember_holder();
        return Claim{.rule = SourceRule::rebind, .confirmed = true};
    }
    if (reopened_) return Claim{.rule = first, .confirmed = !rtp_};
    const bool is_silent = signal_.policy != SourcePolicy::one_port && silent(now);
    if (at_port && *source_ == *signal_.endpoint && !is_silent) return std::nullopt;
    if (is_silent && learned_port_ == source) return Claim{.rule = first, .confirmed = !rtp_};
    if (is_silent) {
        if (const auto claimed = claim_after_silence(source, mark, now)) return claimed;
    }
    if (confirmed_) return std::nullopt;
    if (standing(source, is_rtp(mark), mark) > standing(*source_, sent_rtp_, mark_))
        return Claim{.rule = first, .confirmed = false};
    if (is_rtp(mark) && passes_probation(source, *mark, false, now)) return Claim{.rule = first, .confirmed = true};
    return std::nullopt;
}

Latch::Verdict Latch::on_packet(const Endpoint& source, const std::optional<StreamMark>& mark, Instant now) noexcept {
    if (source_ && *source_ == source) return from_holder(mark, now);
    if (const auto refused = refuse_address(source)) return {.reason = *refused};
    if (quarantined_ == source && now < quarantine_end_) return {.reason = Drop::quarantined};
    const auto claimed = claim(source, mark, now);
    if (!claimed) {
        if (accepts_any_port(signal_.policy)) return {.accepted = true};
        return {.reason = source.address == source_->address ? Drop::wrong_port : Drop::wrong_address};
    }
    take(source, claimed->rule, claimed->confirmed);
    Verdict verdict = from_holder(mark, now);
    verdict.learned = claimed->rule;
    verdict.confirmed = claimed->confirmed;
    return verdict;
}

}  // namespace natkit::relay
