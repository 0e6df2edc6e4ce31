#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "natkit/engine/cluster/service.hpp"
#include "natkit/engine/control/server.hpp"
#include "natkit/engine/role/role.hpp"
#include "natkit/io/net/address_watch.hpp"
#include "natkit/io/net/dns.hpp"
#include "state.hpp"
#include "worker_link.hpp"
#include "writer.hpp"

namespace natkit::cluster {

/// What both shapes of a cluster have: the control socket, the links to this node's workers, and what those hold on its
/// way to Redis.
struct Service::Impl {
    io::Loop& loop;
    Service::Options options;
    config::Config config;
    log::Logger log;
    Instant started;
    std::string boot_id;
    io::Dns dns;
    State state;
    std::unique_ptr<control::Server> server;
    std::vector<std::unique_ptr<WorkerLink>> workers;
    std::unique_ptr<Writer> writer;
    std::unique_ptr<io::AddressWatch> addresses;
    Instant reading_since{};
    bool reading = false;  ///< all that our workers have is being read
    std::string last_news;

    Impl(io::Loop& on, Service::Options with, config::Config from, Names names);
    virtual ~Impl() = default;
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    // What a shape does.
    /// The control socket is there; everything else begins.
    virtual void start() = 0;
    virtual void order(Role role, const control::Reply& reply) = 0;
    virtual void look_at_addresses() = 0;
    [[nodiscard]] virtual control::Json status() const = 0;
    /// What those who watch are told changes of, as one text.
    [[nodiscard]] virtual std::string news() const = 0;
    /// Whether our workers' records are written.
    [[nodiscard]] virtual bool writes() const = 0;
    /// A worker's record changed in the table, or is gone from it.
    virtual void on_own(std::string_view) {}
    /// All that the workers have was read.
    virtual void on_read() = 0;
    /// A worker's WorkerLink::Handlers::on_change.
    virtual void on_worker() = 0;

    // service_impl.cpp
    [[nodiscard]] Result<void> serve();
    void tell_news();
    [[nodiscard]] control::Json common_status() const;

    // workers.cpp
    void connect_worker(const char* name, std::optional<Kind> kind);
    [[nodiscard]] WorkerLink* worker_of(Kind kind);
    void tell_workers(const Standing& standing);
    void keep_standing(const Standing& standing);
    void on_replica(std::string_view key, std::optional<std::string> record);
    void keep_members(std::string_view key, const std::string& record);
    void begin_reading();
    void on_all_read();
    [[nodiscard]] redis::Session::Options redis_options();
    [[nodiscard]] std::string password();
};

}  // namespace natkit::cluster
