// Who lives, and what of this node's and the others' has to be known before it decides anything.
#include <algorithm>

#include "natkit/io/boot_clock.hpp"
#include "natkit/record/lease.hpp"
#include "several.hpp"

namespace natkit::cluster {

void Several::connect_peers() {
    const auto make = [this](const std::string& name, Clients::Slot slot) {
        return std::make_unique<Peer>(
            state, config.cluster.group, name, slot, dns, redis_options(),
            Peer::Handlers{.on_joined = [this](Peer& peer) { on_joined(peer); },
                           .on_replica = [this](Peer& peer, std::string_view key) { on_replica_of(peer, key); },
                           .on_change = [this] { settle(); }});
    };
    std::vector<Names> names;
    for (Clients::Slot slot = 0; slot < clients.former(); ++slot) {
        if (slot == clients.me()) continue;
        peers.push_back(make(clients.name(slot), slot));
        names.push_back(Names::of_several(config.cluster.group, clients.name(slot)));
    }
    former = make(state.node, clients.former());
    keeper = std::make_unique<LeaseKeeper>(
        state, dns, redis_options(), std::move(names),
        LeaseKeeper::Handlers{
            .value = [this] { return own_lease(); },
            .on_granted = [this](
                              Instant asked, bool was_there,
                              const std::vector<LeaseKeeper::Text>& others) { on_granted(asked, was_there, others); },
            .on_refused = [this] { on_refused(); },
            .on_owner = [this](std::size_t at, const Result<std::optional<Owner>>& owner) { on_owner(at, owner); },
            .on_change = [this] { tell_news(); }});
}

LeaseValue Several::own_lease() const {
    return {.boot = boot, .epoch = state.epoch, .addresses = here};
}

void Several::on_granted(Instant asked, bool was_there, const std::vector<LeaseKeeper::Text>& others) {
    refused = false;
    state.troubles.clear("lease");
    const Instant now = io::boot_now();
    if (lease.lapses(now)) lapse();
    const Lease::Grant grant = lease.granted(asked, was_there, now);
    if (grant == Lease::Grant::late) return;
    if (grant == Lease::Grant::begun) begin();
    Clients::LiveNodes live = {{state.node, here}};
    for (std::size_t at = 0; at < others.size(); ++at) {
        Peer& peer = *peers[at];
        peer.lease.reset();
        if (!others[at]) continue;
        auto value = record::parse_lease(*others[at], parser);
        // It lives, whatever it says of itself.
        peer.lease = value ? std::move(*value) : LeaseValue{};
        live.emplace(peer.name(), peer.lease->addresses);
    }
    tell(clients.set_live(live));
    settle();
    tell_news();
}

void Several::on_refused() {
    refused = true;
    state.troubles.set("lease", "another host calls itself " + state.node +
                                    " too: this one decides nothing and is known to nobody, until that is over; each "
                                    "node needs a [cluster] node of its own");
    lease.lose();
    stop_telling();
    tell_news();
}

/// What is decided from here on is not known to be what others decide: all is told again once it is.
void Several::stop_telling() {
    // What this node has may be another's by then: nobody is to read it before we have read what the others have.
    if (settled) writer->stop();
    settled = told = false;
    if (feeder) feeder->stop();
}

/// The lease was not renewed in time: Redis is away, or this process stood still. Others may decide without us.
void Several::lapse() {
    stop_telling();
    log.failures("the lease of " + state.node +
                 " lapsed: " + (keeper->connected() ? "it was not renewed in time" : "Redis: " + keeper->connection()) +
                 "; nothing is decided until it is there again");
}

void Several::begin() {
    stop_telling();
    wanted = Ownership::Claim::raise;
    lapsed_epoch = state.epoch;
    began = io::boot_now();
    for (const auto& peer : peers) peer->read_anew();
    if (!former_known) keeper->ask_own();
}

void Several::on_owner(std::size_t at, const Result<std::optional<Owner>>& owner) {
    if (at < peers.size()) {
        peers[at]->on_owner(owner);
    } else if (former && !former_known) {
        former_known = true;
        // It was being written when this node died: there is nothing to read.
        const bool none = owner && *owner && (*owner)->state.empty();
        former->on_owner(none ? Result<std::optional<Owner>>() : owner);
    }
    settle();
}

/// Why nothing is decided yet; empty: it can be.
std::string Several::unsettled_why() const {
    if (!lease.held(io::boot_now())) return "the lease is not held";
    if (!state.clock_known) return "the time of Redis is not known yet";
    if (!former_known || (former && !former->read())) return "what this node had before is not read yet";
    for (const auto& peer : peers) {
        if (peer->lease && !peer->read()) return "what " + peer->name() + " has is not read yet";
        // Where Redis was away or has lost all, the others come back with us, and not all at once.
        if (!peer->lease && io::boot_now() - began < Lease::term)
            return "whether " + peer->name() + " lives is not known yet";
    }
    const auto reads = [](const auto& worker) { return worker->kind() && !worker->read(); };
    const auto late = std::ranges::find_if(workers, reads);
    if (late != workers.end()) return (*late)->name() + " is not there";
    return {};
}

void Several::settle() {
    if (settled || !keeper || !unsettled_why().empty()) return;
    settled = true;
    log.major(state.node +
              " has its lease, and knows what the others have: " + std::to_string(clients.count(Clients::Whose::own)) +
              " registrations of its own, " + std::to_string(clients.count(Clients::Whose::foreign)) + " of others, " +
              std::to_string(clients.count(Clients::Whose::taken)) + " to be taken over");
    claim();
    tell_all();
    tell_news();
}

void Several::on_joined(Peer& peer) {
    tell(clients.replace(peer.slot(), peer.rows()));
    if (&peer == former.get()) former_done.start_in({});
}

void Several::drop_former() {
    former_table = former->take_table();
    former.reset();
}

void Several::on_replica_of(Peer& peer, std::string_view key) {
    if (kind_of(key) != Kind::binding) return;
    auto row = peer.row(key);
    const std::string_view id = id_of(key);
    if (row ? clients.put(peer.slot(), id, std::move(*row)) : clients.drop(peer.slot(), id)) tell(id);
}

}  // namespace natkit::cluster
