#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../feeder.hpp"
#include "../service_impl.hpp"
#include "lease_keeper.hpp"
#include "natkit/cluster/clients.hpp"
#include "natkit/cluster/lease.hpp"
#include "natkit/cluster/ownership.hpp"
#include "natkit/cluster/protection.hpp"
#include "peer.hpp"

namespace natkit::cluster {

/// Several active nodes: each serves with addresses of its own, and leases in Redis decide whose a client is. Without
/// Redis nothing is decided: each keeps what it has.
struct Several final : Service::Impl {
    struct Readiness {
        bool ready = false;
        std::string why;
    };

    Lease lease;
    Clients clients;
    Protection protection;  ///< Redis itself is the one who acknowledges
    std::string boot;       ///< what tells this host from others that call themselves so
    std::vector<std::unique_ptr<Peer>> peers;
    std::unique_ptr<Peer> former;  ///< what this node had before it was started, until that is read
    bool former_known = false;
    ReplicaTable former_table;  ///< then
    io::Timer former_done;      ///< lets go of the connection that it was read by
    std::unique_ptr<LeaseKeeper> keeper;
    std::unique_ptr<Feeder> feeder;  ///< of the sipedge
    record::ObjectReader parser;
    std::vector<IpAddress> here;  ///< of the addresses that SIP is bound to
    std::vector<std::string> missing;
    bool refused = false;  ///< another host has this node's lease
    /// The lease began, and all is read that others may have decided before it: from then on this node decides too.
    bool settled = false;
    Ownership::Claim wanted = Ownership::Claim::none;
    Instant began{};                 ///< the lease, by io::boot_now()
    std::uint64_t lapsed_epoch = 0;  ///< of before the lease began: what is claimed anew is above it
    std::uint64_t told_place = 0;    ///< of the feeder, from which the sipedge has all that was decided by then
    bool told = false;               ///< it has
    /// Keys of others' clients that have unregistered here, and since when that is told.
    std::map<std::string, Instant> ended;
    unsigned ticks = 0;
    io::Timer tick;

    Several(io::Loop& on, Service::Options with, const config::Config& from, const Standing& standing);

    // several.cpp
    void start() override;
    void order(Role role, const control::Reply& reply) override;
    void look_at_addresses() override;
    [[nodiscard]] bool writes() const override { return true; }
    void on_own(std::string_view key) override;
    void on_read() override;
    void on_worker() override;
    void connect_redis();
    void claim();
    void on_claimed(std::uint64_t epoch);
    void on_tick();
    void on_fed();
    void tell_pinger();
    [[nodiscard]] std::optional<ClientRow> own_row(std::string_view key);
    void drop_ended();
    [[nodiscard]] Standing standing() const;

    // leases.cpp
    void connect_peers();
    [[nodiscard]] LeaseValue own_lease() const;
    void on_granted(Instant asked, bool was_there, const std::vector<LeaseKeeper::Text>& others);
    void on_refused();
    void on_owner(std::size_t at, const Result<std::optional<Owner>>& owner);
    void lapse();
    void begin();
    void settle();
    [[nodiscard]] std::string unsettled_why() const;
    void on_joined(Peer& peer);
    void drop_former();
    void stop_telling();
    void on_replica_of(Peer& peer, std::string_view key);

    // telling.cpp
    void remove_overtaken();
    void tell_all();
    void tell(const Clients::Ids& ids);
    void tell(std::string_view id);
    [[nodiscard]] std::optional<Feeder::Given> given(const std::string& key) const;
    [[nodiscard]] const Replica* replica_of(Clients::Slot slot, std::string_view key) const;

    // status.cpp
    [[nodiscard]] std::string lease_text() const;
    [[nodiscard]] Readiness readiness() const;
    [[nodiscard]] control::Json status() const override;
    [[nodiscard]] std::string news() const override;
};

}  // namespace natkit::cluster
