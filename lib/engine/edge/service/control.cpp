#include <unistd.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "natkit/base/text.hpp"
#include "natkit/engine/control/pages.hpp"
#include "natkit/engine/control/usage.hpp"
#include "service_impl.hpp"

namespace natkit::edge {
namespace {

constexpr std::size_t keys_of_a_page = 1000;  ///< calls, or users

const Error not_now{Errc::refused, "", "this node is a standby: ask the active one"};

const char* event_word(sip::BindingChange::Kind kind) {
    switch (kind) {
        case sip::BindingChange::Kind::added: return "added";
        case sip::BindingChange::Kind::updated: return "updated";
        case sip::BindingChange::Kind::removed: return "removed";
    }
    return "unknown";
}

}  // namespace

void Service::Impl::save(const sip::Binding& binding) {
    publish_replica(binding, false);
    on_saved(bindings.save(row_of(binding)));
}

void Service::Impl::on_saved(const Result<void>& saved) {
    if (!saved) {
        if (!state_failed) log.failures(to_string(saved.error()) + "; registrations will not survive a restart");
        state_failed = true;
    } else if (std::exchange(state_failed, false)) {
        log.major("the state can be written again");
        save_all();
    }
}

void Service::Impl::save_all() {
    for (const sip::Binding& binding : edge.registrar().all()) {
        save(binding);
        if (state_failed) return;
    }
}

void Service::Impl::look_at_clock() {
    const auto drift = std::chrono::duration_cast<std::chrono::milliseconds>(io::wall_now() - wall());
    if (std::chrono::abs(drift - clock_drift) < std::chrono::seconds(2)) return;
    log.major("the clock was set by " + std::to_string((drift - clock_drift).count() / 1000) +
              " s: registrations keep the time they have left");
    clock_drift = drift;
    save_all();
}

void Service::Impl::keep(const sip::BindingChange& change) {
    if (change.elsewhere) return publish_replica(change.binding, false);
    if (change.kind != sip::BindingChange::Kind::removed) {
        save(change.binding);
    } else {
        publish_replica(change.binding, true);
        if (const auto removed = bindings.remove(change.binding.id); !removed)
            log.failures(to_string(removed.error()) + "; a registration that ended may come back by a restart");
    }
    if (standby) return;  // all are told of once it is active
    Json record = client_record(change.binding, event_word(change.kind), wall());
    if (change.taken) record["taken"] = true;
    server->publish(record);
}

void Service::Impl::tell(const Event& event) {
    if (const auto* line = std::get_if<LogEvent>(&event)) {
        (line->loop ? loop_log : log).write(line->level, line->text);
    } else if (const auto* change = std::get_if<sip::BindingChange>(&event)) {
        keep(*change);
    } else if (const auto* decision = std::get_if<DecisionEvent>(&event)) {
        if (log.on(LogLevel::major)) {
            log.major("call " + text::printable(decision->call_id, 80) + ": " +
                      to_string(decision->caller_flow.remote) + " " + nat::to_string(decision->caller.place) + " -> " +
                      to_string(decision->callee_flow.remote) + " " + nat::to_string(decision->callee.place) + ": " +
                      (decision->decision.relay ? "media proxy" : "no media proxy") + " " +
                      reasons_json(decision->decision.reasons).dump());
        }
        if (server->watched("decision")) server->publish(decision_record(*decision));
    } else if (const auto* rewrite = std::get_if<RewriteEvent>(&event)) {
        if (server->watched("rewrite")) server->publish(rewrite_record(*rewrite));
    } else if (const auto* pass = std::get_if<PassEvent>(&event)) {
        const auto told = server->watched("pass") ? edge.media().pass(pass->session) : std::nullopt;
        if (told) server->publish(record::to_json(*told));
    } else if (const auto* call = std::get_if<CallEvent>(&event)) {
        if (call->kind == CallEvent::Kind::ended) {
            if (tells_of_calls()) call_records.on_ended(*call, now());
        } else if (server->watched("call")) {
            server->publish(call_event_record(*call, now()));
        }
    }
}

/// A disk that is full is told of by status(), and costs no call anything.
void Service::Impl::tell_ended(Json record, bool whole) {
    if (server->watched("call")) server->publish(record);
    if (whole) call_file.write(record.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Json Service::Impl::status() const {
    Json degraded = Json::array();
    if (state_failed) degraded.push_back("the state cannot be written: registrations will not survive a restart");
    if (const std::string& why = call_file.problem(); !why.empty())
        degraded.push_back("records of calls are lost: " + why);
    Json told = {{"name", "sipedge"},
                 {"pid", ::getpid()},
                 {"uptime_s", std::chrono::duration_cast<std::chrono::seconds>(loop.now() - started).count()},
                 {"clients", edge.registrar().size()},
                 {"foreign", edge.foreign().size()},
                 {"calls", edge.media().size()},
                 {"transactions", edge.transactions()},
                 {"transaction_bytes", edge.transaction_bytes()},
                 {"connections", streams.size()},
                 {"flooded", edge.flooded()},
                 {"mediarelay", relay.connected() ? "connected" : "not connected"},
                 {"degraded", std::move(degraded)}};
    control::add_usage(told);
    if (outlet.destination()) told["hep"] = outlet.status();
    if (standing) cluster::add_standing(told, *standing);
    return told;
}

void Service::Impl::serve() {
    using Repeat = control::Server::Repeat;
    const auto answer = [](const control::Reply& reply, const Result<void>& done) {
        if (done) return reply.ok(Json::object());
        reply.error(done.error());
    };
    server->on("adopt", [this, answer](const Json& request, std::vector<io::Fd> fds, control::Reply reply) {
        answer(reply, adopt(request, std::move(fds)));
    });
    server->on(
        "listeners",
        [this](const Json&, std::vector<io::Fd>, control::Reply reply) {
            std::vector<io::Fd> copies;
            Json names = listeners(copies);
            reply.ok({{"sockets", std::move(names)}}, std::move(copies));
        },
        Repeat::run);
    server->on("reload",
               [this, answer](const Json&, std::vector<io::Fd>, control::Reply reply) { answer(reply, reload()); });
    server->on("drain", [this](const Json& request, std::vector<io::Fd>, control::Reply reply) {
        edge.set_draining(request.value("on", true));
        reply.ok(Json::object());
    });
    server->on("client-dead", [this](const Json& request, std::vector<io::Fd>, control::Reply reply) {
        if (standby) return reply.error(not_now);
        Output out;
        edge.on_client_dead(request.value("client", ""), request.value("reason", ""), now(), out);
        carry_out(out);
        reply.ok(Json::object());
    });
    server->on("hangup", [this](const Json& request, std::vector<io::Fd>, control::Reply reply) {
        Output out;
        const std::string call_id = request.value("call_id", "");
        const std::size_t ended = edge.hang_up(call_id, request.value("who", ""), now(), out);
        carry_out(out);
        if (ended == 0)
            return reply.error({Errc::not_found, "", "no such call: '" + text::printable(call_id, 80) + "'"});
        reply.ok({{"ended", ended}});
    });
    server->on("remove-client", [this](const Json& request, std::vector<io::Fd>, control::Reply reply) {
        if (standby) return reply.error(not_now);
        Output out;
        const std::string name = request.value("client", "");
        const std::size_t removed = edge.remove_clients(name, request.value("who", ""), now(), out);
        carry_out(out);
        if (removed == 0)
            return reply.error({Errc::not_found, "", "no such client: '" + text::printable(name, 80) + "'"});
        reply.ok({{"removed", removed}});
    });
    server->on("ping-connection", [this, answer](const Json& request, std::vector<io::Fd>, control::Reply reply) {
        answer(reply, ping_connection(request));
    });
    server->on("log-level", [this](const Json& request, std::vector<io::Fd>, control::Reply reply) {
        const auto level = parse_log_level(request.value("level", ""));
        if (!level) return reply.error(level.error());
        log.set_level(*level);
        loop_log.set_level(*level);
        reply.ok(Json::object());
    });
    server->on("trace", [this](const Json& request, std::vector<io::Fd>, control::Reply reply) {
        edge.media().set_verbose(request.value("on", true));
        reply.ok(Json::object());
    });
    server->on("stop", [this](const Json&, std::vector<io::Fd>, control::Reply reply) {
        reply.ok(Json::object());
        (void)loop.post([this] { loop.stop(); });
    });
    server->on(
        "status", [this](const Json&, std::vector<io::Fd>, control::Reply reply) { reply.ok(status()); }, Repeat::run);
    serve_state();
    serve_role();
}

void Service::Impl::serve_state() {
    using Repeat = control::Server::Repeat;
    server->on(
        "calls",
        [this](const Json& request, std::vector<io::Fd>, control::Reply reply) {
            const auto after = text::parse_number(request.value("after", "0"), UINT64_MAX);
            if (!after) return reply.error({Errc::bad_input, "after", "must be the next of a page"});
            control::Page page("calls");
            const auto list = edge.media().summaries(*after, keys_of_a_page);
            std::size_t told = 0;
            for (; told < list.size() && !page.full(); ++told) page.add(call_record(list[told], now()));
            const bool more = told < list.size() || told == keys_of_a_page;
            reply.ok(more ? page.close(std::to_string(list[told - 1].id)) : page.close());
        },
        Repeat::run);
    server->on(
        "path",
        [this](const Json& request, std::vector<io::Fd>, control::Reply reply) {
            Json list = Json::array();
            for (const auto& pass : edge.media().passes(request.value("call_id", ""))) {
                list.push_back(record::to_json(pass));
            }
            reply.ok({{"passes", std::move(list)}});
        },
        Repeat::run);
    server->on_view("clients", std::bind_front(&Impl::on_clients, this), Repeat::run);
    server->on(
        "preview",
        [this](const Json& request, std::vector<io::Fd>, control::Reply reply) {
            const auto networks = read_networks(request);
            if (!networks) return reply.error(networks.error());
            const auto changes = edge.place_changes(*networks);
            Json list = Json::array();
            for (const PlaceChange& change : changes) {
                if (list.size() < 1000) list.push_back(place_change_record(change));
            }
            reply.ok(
                {{"clients", edge.registrar().size()}, {"would_change", changes.size()}, {"changes", std::move(list)}});
        },
        Repeat::run);
    server->set_snapshot([this](const std::function<void(const Json&)>& send) {
        if (standby) return;
        for (const sip::Binding& binding : edge.registrar().all()) send(client_record(binding, "added", wall()));
    });
}

}  // namespace natkit::edge
