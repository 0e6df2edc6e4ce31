// What an owner does with legs: reserved, opened, told of their parties, joined, parted, freed.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "journal.hpp"
#include "local_ports.hpp"
#include "natkit/base/text.hpp"
#include "natkit/engine/relay/engine.hpp"
#include "natkit/io/wall_clock.hpp"
#include "worker.hpp"

namespace natkit::relay {
namespace {

using record::LegState;

Transport transport_of(Stream stream) {
    return is_tcp(stream) ? Transport::tcp : Transport::udp;
}

Ports::Kind kind_of(const OpenRequest& request) {
    return request.stream == Stream::rtp ? Ports::Kind::pair : Ports::Kind::single;
}

}  // namespace

Result<void> Engine::check(const OpenRequest& request) const {
    if (request.owner_state.size() > max_owner_state) {
        return fail(Errc::bad_input, "larger than 8 kB", "owner_state");
    }
    if (request.connections < 1 || request.connections > max_connections) {
        return fail(Errc::bad_input, "must be a number from 1 to " + std::to_string(max_connections), "connections");
    }
    if (request.connections > 1 && !is_tcp(request.stream)) {
        return fail(Errc::bad_input, "only tcp and t120 have connections", "connections");
    }
    if (request.stream != Stream::rtp && request.mux) {
        return fail(Errc::bad_input, "only rtp can be muxed", "mux");
    }
    if (request.party) return check_party(*request.party, request.side, surroundings_);
    return {};
}

Engine::Entry& Engine::add(const OpenRequest& request, const Endpoint& local, LegState state) {
    const LegKey key = new_key();
    Entry& entry = legs_[key];
    entry.order = ++last_order_;
    record::LegRecord& leg = entry.leg;
    leg.id = id_of(key);
    leg.call_id = request.call_id;
    leg.stream = request.stream;
    leg.side = request.side;
    leg.mux = request.mux;
    leg.connections = request.connections;
    leg.tos = request.tos;
    leg.state = state;
    leg.bound = local;
    const auto shown = options_.advertise.find(local.address);
    leg.advertised = shown == options_.advertise.end() ? local.address : shown->second;
    leg.party = request.party;
    leg.owner = request.owner;
    leg.owner_state = request.owner_state;
    leg.request = request.request;
    leg.opened = io::wall_now();
    entry.worker = choose_worker(leg);
    by_call_.emplace(leg.call_id, key);
    return entry;
}

Result<const record::LegRecord*> Engine::reserve(const OpenRequest& request) {
    if (auto checked = check(request); !checked) return std::unexpected(checked.error());
    const auto local = ports_->reserve(request.side, request.family, kind_of(request), loop_.now());
    if (!local) return std::unexpected(local.error());
    Entry& entry = add(request, *local, LegState::reserved);
    save({&entry});
    publish_leg(entry, "reserved");
    return &entry.leg;
}

Result<const record::LegRecord*> Engine::open(const OpenRequest& request) {
    if (auto checked = check(request); !checked) return std::unexpected(checked.error());
    auto bound = ports_->open(request.side, request.family, kind_of(request), transport_of(request.stream), loop_.now(),
                              request.tos);
    if (!bound) return std::unexpected(bound.error());
    Entry& entry = add(request, bound->local, LegState::open);
    hand_over(entry, std::move(bound->ports));
    save({&entry});
    publish_leg(entry, "opened");
    return &entry.leg;
}

void Engine::hand_over(Entry& entry, BoundPorts ports) {
    const record::LegRecord& leg = entry.leg;
    auto shared = std::make_shared<BoundPorts>(std::move(ports));
    if (is_tcp(leg.stream)) {
        post(entry.worker, [key = key_of(leg.id), limit = leg.connections, shared, local = leg.bound.address](
                               Plane& plane) { plane.open_tcp(key, limit, std::move((*shared)[0].socket), local); });
        if (!std::exchange(entry.in_plane, true)) signal(entry);
        return;
    }
    post(
        entry.worker,
        [shared, opening = Plane::Opening{.key = key_of(leg.id),
                                          .stream = leg.stream,
                                          .mux = leg.mux,
                                          .tos = leg.tos,
                                          .call_id = leg.call_id,
                                          .opened = leg.opened}](Plane& plane) {
            plane.open(opening, std::move(*shared));
        },
        Wake::later);
    if (!std::exchange(entry.in_plane, true)) signal(entry, false, Wake::later);
}

/// Whether that party makes the leg forget what it has learned: of either port, as RTCP's follows from the same party.
bool Engine::opens_latch(const record::LegRecord& leg, const Party& party) const {
    if (!leg.party) return true;
    const auto told = [&](const Party& each) {
        return latch_signal(each, source_policy(each, options_.source_port_restriction));
    };
    return told(*leg.party).opened_by(told(party)) || leg.party->rtcp != party.rtcp;
}

void Engine::signal(Entry& entry, bool renew, Wake wake) {
    const record::LegRecord& leg = entry.leg;
    entry.connected = false;
    if (!entry.in_plane || !leg.party) return;
    const auto policy = source_policy(*leg.party, options_.source_port_restriction);
    post(
        entry.worker,
        [key = key_of(leg.id), party = *leg.party, policy, renew](Plane& plane) {
            plane.signal(key, party, policy, renew);
        },
        wake);
}

Result<void> Engine::open_sockets(Entry& entry) {
    record::LegRecord& leg = entry.leg;
    if (leg.state == LegState::open || leg.state == LegState::joined) return {};
    // The sockets from before it was parted may have yet to be closed by their thread, and hold the ports.
    if (leg.state == LegState::parted && entry.in_plane) workers_[entry.worker]->run([](Plane&) {});
    auto ports = ports_->bind(leg.bound, kind_of(leg), transport_of(leg.stream), leg.tos);
    if (!ports) return std::unexpected(ports.error());
    leg.state = LegState::open;
    hand_over(entry, std::move(*ports));
    return {};
}

Result<const record::LegRecord*> Engine::open_reserved(const std::string& leg) {
    auto entry = get(leg);
    if (!entry) return std::unexpected(entry.error());
    if (auto done = open_sockets(**entry); !done) return std::unexpected(done.error());
    save({*entry});
    publish_leg(**entry, "opened");
    return &(*entry)->leg;
}

Result<const record::LegRecord*> Engine::update(const std::string& id, const UpdateRequest& request) {
    auto entry = get(id);
    if (!entry) return std::unexpected(entry.error());
    record::LegRecord& leg = (*entry)->leg;
    if (request.party) {
        if (auto checked = check_party(*request.party, leg.side, surroundings_); !checked) {
            return std::unexpected(checked.error());
        }
    }
    if (request.owner_state && request.owner_state->size() > max_owner_state) {
        return fail(Errc::bad_input, "larger than 8 kB", "owner_state");
    }
    if (request.owner_state_before && *request.owner_state_before != leg.owner_state) {
        return fail(Errc::refused, "the leg carries another one by now", "owner_state_before");
    }
    if (request.mux && *request.mux && leg.stream != Stream::rtp) {
        return fail(Errc::bad_input, "only rtp can be muxed", "mux");
    }
    keep(id);
    const bool other_party = request.party && request.party != leg.party;
    bool changed = other_party;
    if (other_party || request.renew) {
        if (other_party && opens_latch(leg, *request.party)) leg.latched = {};
        if (request.party) leg.party = request.party;
        signal(**entry, request.renew);
    }
    if (request.hold && *request.hold != leg.hold) {
        changed = true;
        leg.hold = *request.hold;
        post((*entry)->worker, [key = key_of(id), hold = leg.hold](Plane& plane) { plane.set_hold(key, hold); });
    }
    if (request.mux && *request.mux != leg.mux) {
        changed = true;
        leg.mux = *request.mux;
        post((*entry)->worker, [key = key_of(id), mux = leg.mux](Plane& plane) { plane.set_mux(key, mux); });
    }
    if (request.tos && request.tos != leg.tos && !is_tcp(leg.stream)) {
        changed = true;
        leg.tos = request.tos;
        post((*entry)->worker, [key = key_of(id), tos = *leg.tos](Plane& plane) { plane.set_tos(key, tos); });
    }
    if (request.owner_state && *request.owner_state != leg.owner_state) {
        changed = true;
        leg.owner_state = *request.owner_state;
    }
    if (!changed) return &leg;
    save({*entry});
    publish_leg(**entry, "updated");
    return &leg;
}

void Engine::unjoin(Entry& entry, Wake wake) {
    const auto peer = legs_.find(key_of(entry.leg.joined));
    entry.leg.joined.clear();
    if (peer == legs_.end()) return;
    --joins_;
    Entry& other = peer->second;
    other.leg.joined.clear();
    if (entry.leg.state == LegState::joined) entry.leg.state = LegState::open;
    other.leg.state = LegState::open;
    post(entry.worker, [key = key_of(entry.leg.id)](Plane& plane) { plane.part(key); }, wake);
    publish_session(entry.leg, other.leg, "parted");
}

void Engine::move_to_worker_of(Entry& a, Entry& b) {
    if (a.worker == b.worker) return;
    // Legs of different calls may have been given to different threads. What arrives meanwhile waits in the sockets.
    auto moving = std::make_shared<Plane::Moving>();
    workers_[b.worker]->run([&, key = key_of(b.leg.id)](Plane& plane) { *moving = plane.extract(key); });
    post(a.worker, [moving](Plane& plane) { plane.insert(std::move(*moving)); });
    b.worker = a.worker;
}

Result<void> Engine::join(const std::string& a, const std::string& b) {
    auto first = get(a);
    if (!first) return std::unexpected(first.error());
    auto second = get(b);
    if (!second) return std::unexpected(second.error());
    if (*first == *second) return fail(Errc::usage, "a leg cannot be joined with itself", "b");
    Entry& one = **first;
    Entry& other = **second;
    if (one.leg.joined == other.leg.id) return {};
    if (is_tcp(one.leg.stream) != is_tcp(other.leg.stream)) {
        return fail(Errc::usage, "a TCP leg and a UDP leg cannot be joined", "b");
    }
    for (Entry* each : {&one, &other}) {
        if (auto done = open_sockets(*each); !done) return done;
    }
    for (Entry* each : {&one, &other}) {
        if (!each->leg.joined.empty()) unjoin(*each);
    }
    move_to_worker_of(one, other);
    one.leg.joined = other.leg.id;
    other.leg.joined = one.leg.id;
    one.leg.state = other.leg.state = LegState::joined;
    ++joins_;
    post(one.worker, [x = key_of(one.leg.id), y = key_of(other.leg.id)](Plane& plane) { plane.join(x, y); });
    save({&one, &other});
    publish_session(one.leg, other.leg, "joined");
    return {};
}

Result<void> Engine::part(const std::string& id) {
    auto entry = get(id);
    if (!entry) return std::unexpected(entry.error());
    Entry& one = **entry;
    if (one.leg.state == LegState::parted || one.leg.state == LegState::reserved) return {};
    const auto peer = legs_.find(key_of(one.leg.joined));
    if (!one.leg.joined.empty()) unjoin(one);
    one.leg.state = LegState::parted;
    post(one.worker, [key = key_of(id)](Plane& plane) { plane.close(key); });
    if (peer == legs_.end()) {
        save({&one});
    } else {
        save({&one, &peer->second});
    }
    publish_leg(one, "parted");
    return {};
}

Result<void> Engine::free(const std::string& id, const char* why, Wake wake) {
    auto entry = get(id);
    if (!entry) return std::unexpected(entry.error());
    Entry& one = **entry;
    const auto peer = legs_.find(key_of(one.leg.joined));
    if (!one.leg.joined.empty()) unjoin(one, wake);
    if (one.in_plane) {
        // The port cools down for longer than the worker needs to close it.
        post(one.worker, [key = key_of(id)](Plane& plane) { plane.remove(key); }, wake);
    }
    ports_->give_back(one.leg.bound, kind_of(one.leg), loop_.now());
    const Batch both(*this);
    if (peer != legs_.end()) save({&peer->second});
    save_freed(key_of(id));
    publish_leg(one, why);
    const std::string owner = one.leg.owner;
    forget(key_of(id));
    if (const auto told = freed_.find(owner); told != freed_.end()) told->second(id);
    return {};
}

void Engine::forget(LegKey key) {
    const record::LegRecord& leg = legs_.at(key).leg;
    if (!leg.request.empty()) restored_requests_.erase(leg.request);
    const auto [first, last] = by_call_.equal_range(leg.call_id);
    by_call_.erase(std::find_if(first, last, [&](const auto& each) { return each.second == key; }));
    legs_.erase(key);
}

std::size_t Engine::free_call(const std::string& call_id) {
    const auto [first, last] = by_call_.equal_range(call_id);
    std::vector<LegKey> keys;
    for (auto each = first; each != last; ++each) keys.push_back(each->second);
    const Batch all(*this);
    for (const LegKey key : keys) (void)free(id_of(key));
    return keys.size();
}

}  // namespace natkit::relay
