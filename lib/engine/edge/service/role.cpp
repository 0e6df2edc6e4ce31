#include <utility>

#include "../records/replica.hpp"
#include "natkit/engine/control/pages.hpp"
#include "natkit/io/net/host.hpp"
#include "natkit/io/process.hpp"
#include "service_impl.hpp"

/// What sipedge is in a cluster (natkit-cluster(7)): a standby holds the active node's registrations, drops what comes,
/// and says nothing to anybody; an active node tells its registrations to who copies them.
namespace natkit::edge {
namespace {

constexpr std::size_t clients_at_once = 200;
constexpr std::size_t users_of_a_page = 1000;

}  // namespace

void Service::Impl::serve_role() {
    using Repeat = control::Server::Repeat;
    server->on("role", [this](const Json& request, std::vector<io::Fd>, const control::Reply& reply) {
        const auto wanted = cluster::parse_standing(request);
        if (!wanted) return reply.error(wanted.error());
        if (!standing) return reply.error({Errc::refused, "", "there is no [cluster] state: this node is alone"});
        on_role(*wanted, reply);
    });
    server->on_view("replica", [this](const record::ObjectView& request, const control::Reply& reply) {
        if (!standby) return reply.error({Errc::refused, "", "this node is active"});
        const auto asked = record::parse_replica_request(request);
        if (!asked) return reply.error(asked.error());
        ahead = asked->ahead;
        replicas.on_request(*asked, reply);
    });
    server->on(
        "replicas",
        [this](const Json& request, std::vector<io::Fd>, const control::Reply& reply) {
            // Those of one address of record are on one page.
            control::Page page("replicas");
            std::string last;
            std::size_t users = 0;
            for (const auto& one : edge.registrar().page(request.value("after", ""), users_of_a_page)) {
                if (one.aor != last && page.full()) return reply.ok(page.close(last));
                users += one.aor != last ? 1 : 0;
                last = one.aor;
                page.add(
                    {{"key", std::string(cluster::binding_key) + one.id}, {"record", binding_replica(row_of(one))}});
            }
            reply.ok(users == users_of_a_page ? page.close(last) : page.close());
        },
        Repeat::run);
    server->on(
        "replica-members",
        [](const Json&, std::vector<io::Fd>, const control::Reply& reply) {
            Json names = Json::array();
            for (const char* name : binding_members()) names.push_back(name);
            reply.ok({{"binding", std::move(names)}});
        },
        Repeat::run);
}

void Service::Impl::on_role(const cluster::Standing& wanted, const control::Reply& reply) {
    const bool same = standing->role == wanted.role;
    standing = wanted;
    edge.set_epoch(wanted.epoch);
    if (wanted.role == cluster::Role::standby) {
        if (!same) demote();
        return reply.ok(Json::object());
    }
    if (same && reading) return reply.ok(Json::object());
    promoting.push_back(reply);
    if (!same) promote();
}

void Service::Impl::demote() {
    log.major("a standby from now on: starting again");
    standby = demoted = true;
    streams.set_accepting(false);
    for (const auto& [local, socket] : sockets) socket->read(false);
    timer.stop();
    (void)loop.post([this] { loop.stop(); });
}

void Service::Impl::promote() {
    log.major("active from now on, epoch " + std::to_string(standing->epoch));
    standby = false;
    replicas.stop();
    // What comes waits until the calls are known.
    for (const auto& [local, socket] : sockets) socket->read(false);
    streams.set_accepting(true);
    drop_connections_of_others();
    follow_host();
    watch_relay();
}

/// They are between the other node and its clients, and never made again.
void Service::Impl::drop_connections_of_others() {
    const auto ids = edge.registrar().ids_if([](const sip::Binding& one) { return one.flow.connection != 0; });
    for (const std::string& id : ids) {
        const sip::Binding* binding = edge.registrar().by_id(id);
        publish_replica(*binding, true);
        if (log.on(LogLevel::low_level)) {
            log.low_level("client " + binding->aor + " at " + to_string(binding->flow.remote) +
                          ": its connection was the other node's; it must register again");
        }
        edge.forget(id);
    }
    if (ids.empty()) return;
    log.major(std::to_string(ids.size()) + " clients by TCP or TLS must register again");
    on_saved(bindings.apply({}, ids));
}

/// The addresses that the nodes share have come to this one.
void Service::Impl::follow_host() {
    fit(configured);
    Settings settings = to_settings(configured);
    if (const auto host = io::host_addresses()) settings.set_networks(*host);
    settings.users = edge.settings().users;
    learn_interfaces();
    // To judge all clients again takes its time, and gives what it gave unless the lists are others now.
    if (settings.networks == edge.settings().networks) return edge.set_listeners(std::move(settings.listeners));
    Output out;
    edge.set_settings(std::move(settings), now(), out);
    carry_out(out);
}

void Service::Impl::tell_clients(std::vector<std::string> ids) {
    for (std::size_t told = 0; told < clients_at_once && !ids.empty(); ++told, ids.pop_back()) {
        if (const sip::Binding* one = edge.registrar().by_id(ids.back()))
            server->publish(client_record(*one, "added", wall()));
    }
    if (ids.empty()) return;
    (void)loop.post([this, left = std::move(ids)]() mutable { tell_clients(std::move(left)); });
}

Result<sip::Binding> Service::Impl::binding_of(store::BindingRow& row, std::chrono::milliseconds before) const {
    row.expires_ms -= before.count();
    if (row.registered_ms != 0) row.registered_ms -= before.count();
    auto binding = from_row(row);
    if (binding) {
        binding->expires -= clock_drift;
        binding->registered -= clock_drift;
    }
    return binding;
}

Replicas::Handlers Service::Impl::replica_handlers() {
    return {.read = [this](store::BindingRow& row) { return binding_of(row, ahead); },
            .replace = [this](sip::Binding binding) { edge.replace(std::move(binding), wall()); },
            .forget = [this](const std::string& id) { edge.forget(id); },
            .ids_if = [this](const auto& holds) { return edge.registrar().ids_if(holds); },
            .keep =
                [this](auto saved, auto removed) {
                    on_saved(bindings.apply(saved, removed));
                    Output out;  // nothing to send, but a timer to start
                    carry_out(out);
                }};
}

/// By the host's clock: whoever reads it does not know how that was set here.
store::BindingRow Service::Impl::row_of(const sip::Binding& binding) const {
    store::BindingRow row = to_row(binding);
    row.expires_ms += clock_drift.count();
    row.registered_ms += clock_drift.count();
    return row;
}

void Service::Impl::publish_replica(const sip::Binding& binding, bool gone) {
    if (!server->watched("replica")) return;
    server->publish({{"type", "replica"},
                     {"key", std::string(cluster::binding_key) + binding.id},
                     {"record", gone ? Json() : binding_replica(row_of(binding))}});
}

HostClock Service::Impl::host_clock() const {
    static const std::string boot = io::boot_id().substr(0, 8);
    if (!standing) return {};
    return {.boot = boot, .steady = loop.now(), .wall = io::wall_now(), .ahead = ahead};
}

}  // namespace natkit::edge
