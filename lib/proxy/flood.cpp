#include "natkit/proxy/flood.hpp"

#include <chrono>

#include "natkit/nat/networks.hpp"

namespace natkit::proxy {
namespace {

constexpr std::chrono::minutes tell_again{1};
constexpr std::size_t most_told = 1'000;

Endpoint source(const IpAddress& address) {
    return {.address = nat::source_of(address), .port = 0};
}

}  // namespace

const char* to_string(FloodGate::Verdict verdict) noexcept {
    constexpr const char* words[] = {"pass", "flow", "source", "strangers"};
    return words[static_cast<int>(verdict)];
}

FloodGate::FloodGate(const FloodLimits& limits) : limits_(limits) {
    for (Kind* kind : {&registered_, &strange_, &servers_, &dialogs_}) {
        *kind = {.flows = Buckets(limits.remembered), .sources = Buckets(limits.remembered)};
    }
}

/// The flow before the source: one phone that floods leaves enough to others behind its NAT.
FloodGate::Verdict FloodGate::take(Kind& kind, const Endpoint& remote, std::uint64_t connection, Sender sender,
                                   Instant now) const {
    const bool counted_as_server = sender != Sender::stranger;
    const Rate& of_source = counted_as_server ? limits_.server : limits_.source;
    const Rate& of_flow = sender == Sender::lan || sender == Sender::server ? limits_.server : limits_.flow;
    if (!kind.flows.take({.remote = remote, .connection = connection}, of_flow, now)) return Verdict::flow;
    const bool left = kind.sources.take({.remote = source(remote.address), .connection = 0}, of_source, now);
    return left ? Verdict::pass : Verdict::source;
}

FloodGate::Verdict FloodGate::admit(const Endpoint& remote, std::uint64_t connection, Sender sender, Instant now) {
    Kind& kind = sender == Sender::stranger ? strange_ : sender == Sender::user ? registered_ : servers_;
    Verdict verdict = take(kind, remote, connection, sender, now);
    if (verdict == Verdict::pass && sender == Sender::stranger) {
        if (!strangers_) strangers_.emplace(limits_.strangers, now);
        if (!strangers_->take(limits_.strangers, now)) verdict = Verdict::strangers;
    }
    if (verdict != Verdict::pass) ++refused_;
    return verdict;
}

FloodGate::Verdict FloodGate::admit_in_dialog(const Endpoint& remote, std::uint64_t connection, Sender sender,
                                              Instant now) {
    const Verdict verdict = take(dialogs_, remote, connection, sender, now);
    if (verdict == Verdict::pass) --refused_;
    return verdict;
}

bool FloodGate::first_refusal(const IpAddress& address, Instant now) {
    if (told_.size() >= most_told) std::erase_if(told_, [now](const auto& entry) { return entry.second <= now; });
    if (told_.size() >= most_told) return false;
    const auto [entry, fresh] = told_.try_emplace(source(address), now + tell_again);
    if (!fresh && entry->second > now) return false;
    entry->second = now + tell_again;
    return true;
}

}  // namespace natkit::proxy
