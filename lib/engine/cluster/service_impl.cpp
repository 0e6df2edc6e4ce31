#include "service_impl.hpp"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "natkit/io/process.hpp"
#include "natkit/record/json_members.hpp"

namespace natkit::cluster {

using control::Json;
using control::Reply;

Service::Impl::Impl(io::Loop& on, Service::Options with, config::Config from, Names names)
    : loop(on),
      options(std::move(with)),
      config(std::move(from)),
      log("CLUSTER", config.sip.log_level),
      started(on.now()),
      boot_id(io::boot_id()),
      dns(on),
      state(on, log, std::move(names), node_name(config.cluster)) {}

Result<void> Service::Impl::serve() {
    auto listening = control::Server::listen(loop, options.runtime_dir + "/natkit-cluster.sock");
    if (!listening) return std::unexpected(listening.error());
    server = std::move(*listening);
    using Fds = std::vector<io::Fd>;
    constexpr auto run = control::Server::Repeat::run;
    server->on("promote", [this](const Json&, const Fds&, const Reply& reply) { order(Role::active, reply); });
    server->on("demote", [this](const Json&, const Fds&, const Reply& reply) { order(Role::standby, reply); });
    server->on("status", [this](const Json&, const Fds&, const Reply& reply) { reply.ok(status()); }, run);
    server->on("reload", [this](const Json&, const Fds&, const Reply& reply) {
        auto again = options.read_again();
        if (!again) return reply.error(again.error());
        log.set_level(again->sip.log_level);
        config = std::move(*again);
        look_at_addresses();
        reply.ok(Json::object());
    });
    server->on("log-level", [this](const Json& request, const Fds&, const Reply& reply) {
        const auto level = parse_log_level(record::text_of(request, "level"));
        if (!level) return reply.error(level.error());
        log.set_level(*level);
        reply.ok(Json::object());
    });
    server->on("stop", [this](const Json&, const Fds&, const Reply& reply) {
        reply.ok(Json::object());
        loop.stop();
    });
    server->set_snapshot([this](const std::function<void(const Json&)>& send) {
        Json record = {{"type", "cluster"}};
        record.update(status());
        send(record);
    });
    auto watch = io::AddressWatch::open(loop, [this] { look_at_addresses(); });
    if (watch) {
        addresses = std::move(*watch);
    } else {
        state.troubles.set("addresses", "the host's addresses are not followed: " + to_string(watch.error()));
    }
    return {};
}

Json Service::Impl::common_status() const {
    return {{"name", "natkit-cluster"},
            {"pid", ::getpid()},
            {"uptime_s", std::chrono::duration_cast<std::chrono::seconds>(loop.now() - started).count()},
            {"node", state.node},
            {"group", config.cluster.group}};
}

/// Records for those who watch.
void Service::Impl::tell_news() {
    if (!server || !writer || !server->watched("cluster")) return;
    std::string now = news();
    if (now == last_news) return;
    last_news = std::move(now);
    Json record = {{"type", "cluster"}};
    record.update(status());
    server->publish(record);
}

}  // namespace natkit::cluster
