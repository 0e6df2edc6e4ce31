// A node of a cluster: a standby holds the legs of the active one, and becomes active with them.
#include <algorithm>

#include "local_ports.hpp"
#include "natkit/engine/relay/engine.hpp"
#include "natkit/io/net/host.hpp"
#include "plane/fast_path.hpp"
#include "standby.hpp"
#include "worker.hpp"

namespace natkit::relay {
namespace {

using record::LegState;

bool has_sockets(const record::LegRecord& leg) {
    return leg.state == LegState::open || leg.state == LegState::joined;
}

/// Whether what is bound for the one serves the other; and whether they are found by the same names.
bool same_place(const record::LegRecord& a, const record::LegRecord& b) {
    return a.bound == b.bound && a.stream == b.stream && a.tos == b.tos && has_sockets(a) == has_sockets(b) &&
           a.call_id == b.call_id && a.request == b.request;
}

void set_deaf(const BoundPorts& ports, bool deaf) {
    for (const BoundPort& each : ports) {
        if (each.socket) static_cast<void>(io::set_deaf(each.socket.get(), deaf));
    }
}

}  // namespace

void Engine::hold(LegKey key, BoundPorts ports) {
    set_deaf(ports, true);
    standby_->ports[key] = std::move(ports);
}

/// The leg that has a port which that one is to have. Of two that the active node names with one port the earlier is
/// gone, and will be named as such.
std::string Engine::holder_of(const record::LegRecord& leg) const {
    const auto shares_port = [&](const record::LegRecord& other) {
        const unsigned last = other.bound.port + (other.has_pair() ? 1U : 0U);
        const unsigned own_last = leg.bound.port + (leg.has_pair() ? 1U : 0U);
        return other.bound.address == leg.bound.address && other.bound.port <= own_last && leg.bound.port <= last;
    };
    const auto found = std::ranges::find_if(legs_, [&](const auto& each) { return shares_port(each.second.leg); });
    return found == legs_.end() ? std::string() : found->second.leg.id;
}

Result<void> Engine::put_replica(const std::string& id, const record::ObjectView& record, Duration ahead) {
    const LegKey key = key_of(id);
    if (standby_->not_put) standby_->not_put->erase(key);
    auto leg = record::parse_leg(record);
    if (!leg) return std::unexpected(leg.error());
    if (key == 0 || leg->id != id) return fail(Errc::bad_input, "not the leg of that key", "leg");
    if (leg->owner_state.size() > max_owner_state) return fail(Errc::bad_input, "larger than 8 kB", "owner_state");
    const auto serves = [&](const std::vector<IpAddress>& side) {
        return std::ranges::find(side, leg->bound.address) != side.end();
    };
    if (!serves(options_.lan) && !serves(options_.wan))
        return fail(Errc::refused, to_string(leg->bound.address) + " is none of this node's media addresses", "local");
    leg->opened -= std::chrono::duration_cast<std::chrono::milliseconds>(ahead);
    if (const auto known = legs_.find(key); known != legs_.end()) {
        if (same_place(known->second.leg, *leg)) {
            known->second.leg = std::move(*leg);
            save({&known->second});
            return {};
        }
        drop_replica(id);
    }
    auto put = restore_leg(*leg, {});
    if (!put && put.error().code == Errc::refused) {
        for (std::string holder = holder_of(*leg); !holder.empty(); holder = holder_of(*leg)) drop_replica(holder);
        put = restore_leg(std::move(*leg), {});
    }
    if (put) save({&legs_.at(key)});
    return put;
}

void Engine::drop_replica(const std::string& id) {
    const LegKey key = key_of(id);
    const auto found = legs_.find(key);
    if (found == legs_.end()) return;
    if (const auto held = standby_->ports.extract(key); held) ports_->close(std::move(held.mapped()));
    ports_->give_back(found->second.leg.bound, kind_of(found->second.leg), loop_.now());
    const Batch one(*this);
    save_freed(key);
    forget(key);
}

void Engine::begin_whole() {
    auto& not_put = standby_->not_put.emplace();
    for (const auto& [key, entry] : legs_) not_put.insert(key);
}

Result<void> Engine::end_whole() {
    if (!standby_->not_put) return fail(Errc::usage, "no whole set has begun", "whole");
    const auto gone = std::exchange(standby_->not_put, std::nullopt);
    const Batch all(*this);
    for (const LegKey key : *gone) drop_replica(id_of(key));
    return {};
}

std::size_t Engine::named_joins() const {
    const auto named = std::ranges::count_if(legs_, [&](const auto& each) {
        const auto peer = legs_.find(key_of(each.second.leg.joined));
        return peer != legs_.end() && each.first < peer->first && peer->second.leg.joined == each.second.leg.id;
    });
    return static_cast<std::size_t>(named);
}

void Engine::activate() {
    if (!standby_) return;
    const Batch all(*this);
    look_at_addresses();  // some have come just now
    const auto held = std::exchange(standby_, nullptr);
    std::vector<Entry*> entries;
    entries.reserve(legs_.size());
    for (auto& [key, entry] : legs_) entries.push_back(&entry);
    std::ranges::sort(entries, {}, &Entry::order);
    for (Entry* entry : entries) {
        const auto ports = held->ports.find(key_of(entry->leg.id));
        if (ports == held->ports.end()) continue;
        set_deaf(ports->second, false);
        take_up(*entry, std::move(ports->second), handover_time);
    }
    take_up_joins();
    for (const auto& worker : workers_) worker->run([](Plane&) {});
    if (steered_) steered_->set_deaf(false);
    log_.major("active: goes on with " + std::to_string(legs_.size()) + " legs and " + std::to_string(joins_) +
               " sessions");
}

void Engine::fall_silent() {
    leave_kernel();
    for (const auto& worker : workers_) worker->run([](Plane& plane) { plane.fall_silent(); });
    write_unsaved();
    claims_.clear();
    claim_timer_.stop();
    standby_ = std::make_unique<Standby>();
    log_.major("standby: nothing is sent any more");
}

void Engine::look_at_addresses() {
    if (auto host = io::host_addresses(); host && *host != options_.host) {
        options_.host = std::move(*host);
        use_addresses();
    }
    for (unsigned i = 0; i < udp_workers_; ++i) post(i, [](Plane& plane) { plane.check_addresses(); });
}

}  // namespace natkit::relay
