#include "several.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "natkit/io/boot_clock.hpp"
#include "natkit/io/net/host.hpp"
#include "natkit/io/wall_clock.hpp"
#include "natkit/record/client_row.hpp"

namespace natkit::cluster {
namespace {

using namespace std::chrono_literals;

constexpr Duration second = 1s;
constexpr unsigned ticks_of_expiry = 10;
/// So long an end is told of: the others read it within milliseconds, or once they have a lease again.
constexpr Duration ended_for = Lease::term + 2s;

std::vector<std::string> nodes_of(const config::Cluster& cluster) {
    std::vector<std::string> nodes;
    nodes.reserve(cluster.peers.size());
    for (const config::ClusterPeer& peer : cluster.peers) nodes.push_back(peer.node);
    return nodes;
}

/// Containers share the boot id of their kernel; each has a network of its own.
std::string boot_of(const std::string& boot_id) {
    struct stat network{};
    const bool known = ::stat("/proc/self/ns/net", &network) == 0;
    return boot_id + "/" + std::to_string(known ? network.st_ino : 0);
}

}  // namespace

Several::Several(io::Loop& on, Service::Options with, const config::Config& from, const Standing& standing)
    : Impl(on, std::move(with), from, Names::of_several(from.cluster.group, node_name(from.cluster))),
      clients(state.node, nodes_of(from.cluster)),
      protection(on.now()),
      boot(boot_of(boot_id)),
      former_done(on, [this] { drop_former(); }),
      tick(on, [this] { on_tick(); }) {
    state.epoch = standing.epoch;
}

Standing Several::standing() const {
    return {.role = Role::active, .epoch = state.epoch, .node = state.node};
}

void Several::start() {
    connect_worker("mediarelay", std::nullopt);
    if (options.sip) {
        connect_worker("sipedge", Kind::binding);
        connect_worker("natpinger", std::nullopt);
    }
    if (WorkerLink* edge = worker_of(Kind::binding)) {
        feeder =
            std::make_unique<Feeder>(state, edge->name(), "clients", edge->client(),
                                     Feeder::Handlers{.find = [this](const std::string& key) { return given(key); },
                                                      .on_fed = [this] { on_fed(); },
                                                      .on_failed = [](const Error&) {}});
    }
    begin_reading();
    look_at_addresses();
    connect_redis();
    connect_peers();
    log.major(state.node + " is one of several active nodes, epoch " + std::to_string(state.epoch));
    keep_standing(standing());
    tell_workers(standing());
    tick.start_in(second);
}

void Several::order(Role, const control::Reply& reply) {
    reply.error({.code = Errc::refused, .where = {}, .message = "several active edges: nothing moves by order"});
}

/// Which of the addresses that SIP is bound to this host has: they may move between the nodes.
void Several::look_at_addresses() {
    const auto host = io::host_addresses();
    if (!host) return;
    std::vector<IpAddress> now;
    missing.clear();
    for (const auto& listen : config.sip.listen) {
        const IpAddress& address = listen.endpoint.address;
        const auto is_it = [&](const HostAddress& one) { return one.address == address && one.up; };
        if (std::ranges::find(now, address) != now.end()) continue;
        if (std::ranges::any_of(*host, is_it)) {
            if (now.size() < most_lease_addresses) now.push_back(address);
        } else if (std::ranges::find(missing, to_string(address)) == missing.end()) {
            missing.push_back(to_string(address));
        }
    }
    if (now == here) return;
    here = std::move(now);
    if (keeper) keeper->renew();
}

void Several::connect_redis() {
    writer = std::make_unique<Writer>(
        state, dns, redis_options(),
        Writer::Handlers{.on_ready =
                             [this] {
                                 claim();
                                 tell_news();
                             },
                         .on_owner = [](const std::optional<Owner>&, bool) {},
                         .on_claimed = [this](std::uint64_t epoch) { on_claimed(epoch); },
                         .on_refused =
                             [this](std::uint64_t, const std::string& node) {
                                 state.troubles.set("owner", state.names.owner + " in Redis is " + node + "'s");
                             },
                         .on_unclaimed =
                             [this] {
                                 if (wanted == Ownership::Claim::none) wanted = Ownership::Claim::settle;
                                 claim();
                             },
                         .on_written =
                             [this](StreamId id) {
                                 const Instant now = loop.now();
                                 protection.heard("redis", now);
                                 protection.acknowledged("redis", writer->outbox().acknowledged(id), now);
                             },
                         .on_nodes = [] {}});
}

/// What this node has is written by a claim that comes after all was read: nobody is to read less of it than there was.
void Several::claim() {
    if (!settled || wanted == Ownership::Claim::none) return;
    const bool raise = wanted == Ownership::Claim::raise;
    writer->claim(wanted, state.epoch + (raise ? 1 : 0));
}

void Several::on_claimed(std::uint64_t epoch) {
    // The answer may be to what was asked before the lease lapsed.
    if (wanted != Ownership::Claim::raise || epoch > lapsed_epoch) wanted = Ownership::Claim::none;
    state.troubles.clear("owner");
    if (epoch != state.epoch) log.major(state.node + " goes on with epoch " + std::to_string(epoch));
    state.epoch = epoch;
    keep_standing(standing());
    tell_workers(standing());
    if (!reading) writer->begin_state();
    keeper->renew();
    tell_news();
}

void Several::on_read() {
    settle();
    tell_news();
}

void Several::on_worker() {
    const WorkerLink* edge = worker_of(Kind::binding);
    if (edge == nullptr) return;
    if (!edge->holds()) {
        if (feeder->feed().running() && !edge->connected()) feeder->stop();
    } else if (settled && !feeder->feed().running()) {
        tell_all();
    }
    tell_news();
}

void Several::on_own(std::string_view key) {
    if (kind_of(key) != Kind::binding) return;
    const std::string_view id = id_of(key);
    auto row = own_row(key);
    if (row && row->over()) ended.insert_or_assign(std::string(key), loop.now());
    if (row ? clients.put(clients.me(), id, std::move(*row)) : clients.drop(clients.me(), id)) tell(id);
}

std::optional<ClientRow> Several::own_row(std::string_view key) {
    const Replica* replica = state.table.find(key);
    if (replica == nullptr) return std::nullopt;
    auto row = record::parse_client_row(replica->record, replica->clock_ms, parser);
    return row ? std::optional(std::move(*row)) : std::nullopt;
}

/// The others know by now; whoever was away reads it first.
void Several::drop_ended() {
    if (!settled || !writer->connected() || writer->outbox().waiting() > 0) return;
    const Instant now = loop.now();
    std::vector<std::string> over;
    std::erase_if(ended, [&](const auto& one) {
        if (now - one.second < ended_for) return false;
        over.push_back(one.first);
        return true;
    });
    for (const std::string& key : over) {
        const auto row = own_row(key);
        // It may have registered again.
        if (row && row->over()) on_replica(key, std::nullopt);
    }
}

void Several::on_fed() {
    if (told || !feeder->feed().running() || feeder->feed().passed() < told_place) return;
    told = true;
    tell_pinger();
}

/// How long it may ping before it has to hear of us again: as long as the lease holds, once our sipedge has all that
/// was decided while it did not; and while Redis is away, when nobody else can have decided anything.
void Several::tell_pinger() {
    const auto pinger = std::ranges::find_if(workers, [](const auto& one) { return one->name() == "natpinger"; });
    if (pinger == workers.end() || !(*pinger)->connected()) return;
    const Instant now = io::boot_now();
    Instant until = now + Lease::term;
    if (keeper->connected()) {
        const WorkerLink* edge = worker_of(Kind::binding);
        if (!settled || (!told && edge->connected()) || !lease.held(now)) return;
        until = *lease.until();
    }
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(until.time_since_epoch()).count();
    (*pinger)->client().request("lease", {{"until_ms", ms}}, [](const Result<control::Json>&) {});
}

void Several::on_tick() {
    tick.start_in(second);
    if (lease.lapses(io::boot_now())) lapse();
    const Instant now = loop.now();
    protection.update(writer->outbox().oldest(), writer->connected(), now);
    for (const auto& peer : peers) peer->set_clock(state);
    settle();
    claim();
    on_worker();  // which may have failed to take what it was told
    if (settled && state.clock_known && ++ticks % ticks_of_expiry == 0)
        tell(clients.expire(io::wall_now().time_since_epoch().count() - state.clock_ms));
    drop_ended();
    remove_overtaken();
    tell_pinger();
    tell_news();
}

}  // namespace natkit::cluster
