// What natkit's control socket answers.
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "natkit/crypto/tls.hpp"
#include "natkit/engine/control/pages.hpp"
#include "natkit/engine/control/usage.hpp"
#include "natkit/engine/settings/put_back.hpp"
#include "supervisor_impl.hpp"

namespace natkit::supervise {
namespace {

const std::set<std::string, std::less<>> cluster_members = {
    "node",          "group",   "role",      "epoch",   "owner",
    "redis",         "ready",   "ready_why", "lag_ms",  "lag_ms_p99",
    "unprotected_s", "records", "standbys",  "pending", "addresses_missing",
    "shape",         "lease",   "nodes",     "clients"};

std::int64_t seconds(Duration duration) {
    return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

/// A number of a worker's status, under the name of natkit's.
void copy_number(const Json& from, const char* key, Json& to, const char* name) {
    const auto found = from.find(key);
    if (found != from.end() && found->is_number()) to[name] = *found;
}

/// What natkit-cluster says of this node and the others, without what is of its process.
Json standing_of(const Json& status) {
    Json standing = Json::object();
    for (const auto& [key, value] : status.items()) {
        if (cluster_members.contains(key)) standing[key] = value;
    }
    return standing;
}

const Error starting{Errc::refused, "", "natkit is starting; try again in a moment"};

/// Collects the workers' answers to one status request.
struct Gathering {
    std::function<void(const Json&)> done;
    Json result;
    std::map<std::string, Json> answers;
    unsigned waiting = 0;

    explicit Gathering(std::function<void(const Json&)> to) : done(std::move(to)) {}
    void finish(const std::vector<std::string>& troubles) {
        if (!troubles.empty()) {
            if (result["state"] == "running") result["state"] = "degraded";
            result["degraded"] = troubles;
        }
        const Json& relay = answers["mediarelay"];
        copy_number(relay, "sessions", result, "sessions");
        copy_number(relay, "streams", result, "streams");
        copy_number(relay, "packets_a_second", result, "packets_a_second");
        copy_number(answers["sipedge"], "calls", result, "calls");
        copy_number(answers["sipedge"], "clients", result, "clients");
        copy_number(answers["natpinger"], "pinged", result, "pinged");
        for (Json& component : result["components"]) {
            const auto answer = answers.find(component["name"].get<std::string>());
            if (answer == answers.end()) continue;
            for (const auto& [key, value] : answer->second.items()) {
                if (!component.contains(key)) component[key] = value;
            }
        }
        if (const auto cluster = answers.find(cluster_program); cluster != answers.end())
            result["cluster"] = standing_of(cluster->second);
        done(result);
    }
};

}  // namespace

Worker* Supervisor::Impl::find(std::string_view name) {
    const auto found = std::ranges::find(workers, name, [](const auto& worker) { return worker->name(); });
    return found == workers.end() ? nullptr : found->get();
}

Json Supervisor::Impl::component(const Worker& worker) const {
    Json record = {{"type", "component"}, {"name", worker.name()}, {"state", to_string(worker.state())}};
    if (worker.pid() != 0) {
        record["pid"] = worker.pid();
        record["uptime_s"] = seconds(worker.uptime());
    }
    record["restarts"] = worker.restarts();
    return record;
}

void Supervisor::Impl::serve() {
    using Fds = std::vector<io::Fd>;
    constexpr auto run = control::Server::Repeat::run;
    server->on(
        "status",
        [this](const Json&, const Fds&, const control::Reply& reply) {
            gather_status([reply](const Json& status) { reply.ok(status); });
        },
        run);
    server->on(
        "clients",
        [this](const Json& request, const Fds&, const control::Reply& reply) {
            ask_edge("clients", {{"after", request.value("after", "")}}, reply);
        },
        run);
    server->on(
        "calls",
        [this](const Json& request, const Fds&, const control::Reply& reply) {
            page_of_calls(request.value("after", ""), request.value("quality", false), reply);
        },
        run);
    server->on("reload", [this](const Json& request, const Fds&, const control::Reply& reply) {
        if (!sockets_open) return reply.error(starting);
        if (request.value("dry_run", false)) {
            return preview(options.source, [reply](const std::expected<Json, config::Problems>& result) {
                if (result) return reply.ok(*result);
                reply.error(one_error(result.error()));
            });
        }
        reload([reply](const config::Problems& problems) {
            if (problems.empty()) return reply.ok(Json::object());
            reply.error(one_error(problems));
        });
    });
    server->on(
        "renew",
        [this](const Json& request, const Fds&, const control::Reply& reply) {
            renew(request.value("token", ""), reply);
        },
        run);
    server->on("hangup", [this](const Json& request, const Fds&, const control::Reply& reply) {
        ask_edge("hangup", {{"call_id", request.value("call_id", "")}, {"who", request.value("who", "")}}, reply);
    });
    server->on("remove-client", [this](const Json& request, const Fds&, const control::Reply& reply) {
        ask_edge("remove-client", {{"client", request.value("client", "")}, {"who", request.value("who", "")}}, reply);
    });
    server->on("drain", [this](const Json&, const Fds&, const control::Reply& reply) {
        if (!sockets_open) return reply.error(starting);
        drain();
        reply.ok(Json::object());
    });
    server->on("stop", [this](const Json&, const Fds&, const control::Reply& reply) {
        if (!sockets_open) return reply.error(starting);
        waiting_for_stop.push_back(reply);
        stop();
    });
    serve_cluster();
    server->set_snapshot([this](const std::function<void(const Json&)>& send) {
        for (const auto& worker : workers) send(component(*worker));
    });
}

void Supervisor::Impl::serve_settings() {
    settings = std::make_unique<settings::Service>(
        loop, options.source, settings::folder_of(config), log,
        settings::Service::Host{
            .running = [this]() -> const config::Config& { return config; },
            .reload = [this](std::function<void(const config::Problems&)> done) { reload(std::move(done)); },
            .preview =
                [this](const std::string& text, OnPreview done) {
                    daemon::Configuration::Options with = options.source.options();
                    with.text = text;
                    preview(daemon::Configuration(std::move(with)), std::move(done));
                }});
    settings->serve(*server);
}

Result<std::unique_ptr<io::HttpServer>> Supervisor::Impl::open_metrics(const config::Control& wanted) {
    const std::optional<Endpoint>& where = wanted.metrics;
    if (!where || (metrics_server && metrics_server->local() == *where)) return nullptr;
    using Response = io::HttpServer::Response;
    auto opened = io::HttpServer::listen(
        loop, *where, [this](const io::HttpServer::Request& request, io::HttpServer::Respond respond) {
            if (request.method != "GET") return respond(Response{.status = 405, .body = "only GET\n"});
            if (request.path != "/metrics" && request.path != "/")
                return respond(Response{.status = 404, .body = "see /metrics\n"});
            gather_status([this, respond = std::move(respond)](const Json& status) {
                respond(Response{.content_type = "text/plain; version=0.0.4; charset=utf-8",
                                 .body = metrics::to_text(tally.families(status))});
            });
        });
    if (opened) return std::move(*opened);
    if (!wanted.metrics_given) {
        log.failures("no metrics: " + opened.error().message +
                     "; write [control] metrics = another address, or \"\" for none");
        return nullptr;
    }
    return fail(opened.error().code, "[control] metrics: " + opened.error().message + "; write \"\" for none");
}

std::optional<Error> Supervisor::Impl::serve_metrics() {
    auto opened = open_metrics(config.control);
    if (!opened) return std::move(opened.error());
    metrics_server = std::move(*opened);
    if (metrics_server) count_from_now();
    return std::nullopt;
}

void Supervisor::Impl::count_from_now() {
    if (std::exchange(counting, true)) return;
    for (const auto& worker : workers) watch(*worker);
}

/// Counts a worker's records for the metrics, where anybody may ask for these: records cost each call their making.
/// Those of a snapshot were counted when they were news.
void Supervisor::Impl::watch(Worker& worker) {
    if (!counting || worker.name() == "natpinger") return;
    auto in_snapshot = std::make_shared<bool>(true);
    worker.client().watch(
        [this, in_snapshot](const Json& record) {
            const auto type = record.find("type");
            if (type != record.end() && *type == "snapshot-end") {
                *in_snapshot = false;
            } else if (!*in_snapshot) {
                tally.on_record(record);
            }
        },
        {"decision", "session", "timeout", "drop", "latch"});
    worker.on_lost([in_snapshot] { *in_snapshot = true; });
}

/// What the workers have read too, at the start or at the last reload.
void Supervisor::Impl::look_at_certificate() {
    certificate_ends.reset();
    if (config.tls.certificate.empty()) return;
    const auto certificate = crypto::read_certificate(config.tls.certificate, {});
    if (certificate) certificate_ends = certificate->not_after;
}

void Supervisor::Impl::gather_status(std::function<void(const Json&)> done) {
    auto gathering = std::make_shared<Gathering>(std::move(done));
    gathering->result = {{"type", "status"},
                         {"state", stopping   ? "stopping"
                                   : draining ? "draining"
                                              : "running"},
                         {"pid", ::getpid()},
                         {"uptime_s", seconds(loop.now() - started)}};
    control::add_usage(gathering->result);
    for (const char* key : {"sessions", "streams", "packets_a_second", "calls", "clients", "pinged"})
        gathering->result[key] = 0;
    gathering->result["listen"] = listeners.names();
    if (auto absent = without_address(); !absent.empty()) gathering->result["no_address"] = std::move(absent);
    const auto unconfirmed = settings ? settings->unconfirmed() : std::nullopt;
    if (unconfirmed) gathering->result["unconfirmed_settings"] = *unconfirmed;
    if (certificate_ends) gathering->result["certificate_expires_s"] = certificate_ends->time_since_epoch().count();
    Json components = Json::array();
    for (const auto& worker : workers) {
        Json one = component(*worker);
        one.erase("type");
        if (worker->name() == pages_program && worker->pid() != 0) control::add_usage(one, worker->pid());
        components.push_back(std::move(one));
    }
    gathering->result["components"] = std::move(components);
    for (auto& worker : workers) {
        // The pages' own state is of no use to others, who are not to wait for it.
        if (worker->state() != Worker::State::running || worker->name() == pages_program) continue;
        ++gathering->waiting;
        worker->client().request("status", nullptr,
                                 [this, gathering, name = worker->name()](const Result<Json>& answer) {
                                     if (answer) gathering->answers[name] = *answer;
                                     if (Worker* asked = find(name); asked != nullptr && answer)
                                         asked->learn_troubles(*answer);
                                     if (--gathering->waiting == 0) gathering->finish(troubles());
                                 });
    }
    if (gathering->waiting == 0) gathering->finish(troubles());
}

/// A page of sipedge's, or, after the last of them, of those that other proxies have asked mediarelay for. One that
/// does not run has none. `after` is what a page gave as `next`: whose calls, and behind a space what it gave itself.
void Supervisor::Impl::page_of_calls(const std::string& after, bool quality, const control::Reply& reply) {
    const auto runs = [this](const char* name) {
        Worker* worker = find(name);
        return worker != nullptr && worker->state() == Worker::State::running ? worker : nullptr;
    };
    if (runs("sipedge") == nullptr && runs("mediarelay") == nullptr) {
        return reply.error({Errc::not_found, "", "neither sipedge nor mediarelay is running"});
    }
    const bool of_proxies = after.starts_with("mediarelay ") || runs("sipedge") == nullptr;
    const std::string then = of_proxies ? "" : "mediarelay ";
    Worker* worker = runs(of_proxies ? "mediarelay" : "sipedge");
    if (worker == nullptr) return reply.ok(control::Page("calls").close());
    const std::size_t space = after.find(' ');
    const std::string own = space == std::string::npos ? "" : after.substr(space + 1);
    worker->client().request("calls", own.empty() ? Json() : Json{{"after", own}},
                             [this, reply, then, quality, name = worker->name()](const Result<Json>& answer) {
                                 Json page =
                                     answer && answer->contains("calls") ? *answer : control::Page("calls").close();
                                 if (const auto next = page.find("next"); next != page.end()) {
                                     *next = name + " " + next->get<std::string>();
                                 } else if (!then.empty()) {
                                     page["next"] = then;
                                 }
                                 if (!quality) return reply.ok(page);
                                 add_quality(std::move(page), reply);
                             });
}

/// To each call of the page what mediarelay counts; without it, they are told all the same.
void Supervisor::Impl::add_quality(Json page, const control::Reply& reply) {
    Json ids = Json::array();
    for (const Json& call : page["calls"]) ids.push_back(call.value("call_id", ""));
    Worker* relay = find("mediarelay");
    if (ids.empty() || relay == nullptr || relay->state() != Worker::State::running) return reply.ok(page);
    relay->client().request("quality", {{"calls", std::move(ids)}},
                            [reply, page = std::move(page)](const Result<Json>& answer) mutable {
                                if (answer && answer->contains("quality")) {
                                    const Json& all = (*answer)["quality"];
                                    for (Json& call : page["calls"]) {
                                        const auto found = all.find(call.value("call_id", ""));
                                        if (found != all.end()) call["quality"] = *found;
                                    }
                                }
                                reply.ok(page);
                            });
}

void Supervisor::Impl::ask_edge(const std::string& command, const Json& params, const control::Reply& reply) {
    Worker* edge = find("sipedge");
    if (edge == nullptr || edge->state() != Worker::State::running) {
        return reply.error({Errc::not_found, "", "sipedge is not running"});
    }
    edge->client().request(command, params, [reply](const Result<Json>& answer) {
        if (answer) {
            reply.ok(*answer);
        } else {
            reply.error(answer.error());
        }
    });
}

}  // namespace natkit::supervise
