#include "fast_path.hpp"

#include <utility>

namespace natkit::relay {

namespace {

constexpr std::size_t place_of(Family family) noexcept {
    return family == Family::ipv4 ? 0 : 1;
}

}  // namespace

FastPath::FastPath(io::Loop& loop, const TierChoice& choice, log::Logger log) : log_(log) {
    auto opened =
        bpf::FlowTable::open({.lease = std::chrono::duration_cast<std::chrono::seconds>(choice.fast_path_lapse)});
    if (!opened) {
        why_not_ = to_string(opened.error());
        tell();
        return;
    }
    table_ = std::move(*opened);
    for (const Family family : {Family::ipv4, Family::ipv6}) {
        may_route_[place_of(family)] = bpf::let_filters_route(family);
    }
    look_at_interfaces();
    auto watch = io::AddressWatch::open(loop, [this] { look_at_interfaces(); });
    if (watch) {
        watch_ = std::move(*watch);
    } else {
        log_.problems("interfaces that are made anew will not have the fast path: " + to_string(watch.error()));
    }
}

FastPath::Proof FastPath::prove(const io::Interface& interface) {
    Proof proof{.name = interface.name};
    if (const auto attached = table_->attach(interface.index); !attached) {
        proof.why_not = to_string(attached.error());
        return proof;
    }
    for (const Family family : {Family::ipv4, Family::ipv6}) {
        const auto& may_route = may_route_[place_of(family)];
        const bpf::FlowInterface tested{.index = interface.index, .hardware_address = interface.hardware_address};
        const auto passed = table_->self_test(tested, family);
        proof.by_family[place_of(family)] = passed.has_value();
        if (!passed && proof.why_not.empty()) {
            proof.why_not = to_string(passed.error());
            if (!may_route) proof.why_not += " and cannot be set: " + to_string(may_route.error());
        }
    }
    return proof;
}

/// An interface that is known keeps its proof; one that has failed is tried again whenever something changes.
void FastPath::look_at_interfaces() {
    const auto present = io::interfaces();
    if (!present) return;
    std::map<unsigned, Proof> proofs;
    for (const io::Interface& interface : *present) {
        if (!interface.up || !interface.ethernet || !interface.addressed) continue;
        const auto known = proofs_.find(interface.index);
        const bool good =
            known != proofs_.end() && known->second.why_not.empty() && known->second.name == interface.name;
        proofs[interface.index] = good ? known->second : prove(interface);
    }
    {
        const std::lock_guard lock(mutex_);
        proofs_ = std::move(proofs);
    }
    tell();
}

void FastPath::tell() {
    const std::string off = why_not();
    std::string line =
        off.empty() ? "confirmed streams are forwarded by the kernel:" : "no stream is forwarded by the kernel: " + off;
    if (off.empty()) {
        for (const auto& [index, proof] : proofs_) {
            line += " " + proof.name + (proof.why_not.empty() ? "" : " (" + proof.why_not + ")");
        }
    }
    if (std::exchange(told_, line) != line) log_.major(line);
}

std::string FastPath::why_not() const {
    if (!on()) return why_not_;
    std::string first;
    for (const auto& [index, proof] : proofs_) {
        if (proof.by_family[0] || proof.by_family[1]) return {};
        if (first.empty()) first = proof.name + ": " + proof.why_not;
    }
    return first.empty() ? "no interface has Ethernet headers and an address" : first;
}

bool FastPath::proven(unsigned interface, Family out) const {
    const std::lock_guard lock(mutex_);
    const auto found = proofs_.find(interface);
    return found != proofs_.end() && found->second.by_family[place_of(out)];
}

void FastPath::count_left(const LeftCounts& before, const LeftCounts& now) noexcept {
    for (std::size_t why = 0; why < left_.size(); ++why) left_[why] += now[why] - before[why];
}

FastPath::LeftCounts FastPath::left() const noexcept {
    LeftCounts counts{};
    for (std::size_t why = 0; why < left_.size(); ++why) counts[why] = left_[why];
    return counts;
}

void FastPath::withdraw() {
    if (!on()) return;
    watch_.reset();
    for (const auto& each : kept()) (void)table_->remove(each.key);
    const auto complain = [this](const Result<void>& done) {
        if (!done) log_.problems("the fast path is not taken away whole: " + to_string(done.error()));
    };
    for (const auto& [index, proof] : proofs_) complain(table_->detach(index));
    complain(table_->unpin());
}

std::vector<bpf::FlowTable::Kept> FastPath::kept() const {
    return on() ? table_->flows() : std::vector<bpf::FlowTable::Kept>{};
}

}  // namespace natkit::relay
