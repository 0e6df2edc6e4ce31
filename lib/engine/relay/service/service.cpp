#include "natkit/engine/relay/service.hpp"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "natkit/engine/control/usage.hpp"
#include "natkit/record/json_text.hpp"
#include "requests.hpp"

namespace natkit::relay {
namespace {

std::string shown(const record::LegRecord& leg) {
    record::ObjectText reply;
    reply.text("leg", leg.id);
    reply.text("local", leg.local(Component::rtp));
    if (leg.stream == Stream::rtp) reply.text("rtcp", leg.local(Component::rtcp));
    return reply.close();
}

std::string freed(std::size_t legs) {
    record::ObjectText reply;
    reply.number("freed", static_cast<std::int64_t>(legs));
    return reply.close();
}

void prefix_where(Error& error, const std::string& prefix) {
    error.where = error.where.empty() ? prefix : prefix + "." + error.where;
}

/// Its sender wants to know no more than whether it was done.
bool is_brief(const record::ObjectView& request) {
    const auto brief = request.find("brief");
    return brief && brief->flag() == true;
}

/// Whose command it is: an owner's legs are those of the node that serves.
enum class By : std::uint8_t { owner, administrator };

Error standby_refusal() {
    return {Errc::refused, {}, "this node is the standby"};
}

}  // namespace

Service::TextAnswer Service::open(const View& request) {
    if (request.contains("leg")) {
        const auto leg = text_of(request, "leg");
        if (!leg) return std::unexpected(leg.error());
        const auto opened = engine_->open_reserved(*leg);
        if (!opened) return std::unexpected(opened.error());
        return shown(**opened);
    }
    auto open = read_open(request, "");
    if (!open) return std::unexpected(open.error());
    if (const record::LegRecord* before = engine_->find_request(open->request)) return shown(*before);
    const auto leg = engine_->open(*open);
    if (!leg) return std::unexpected(leg.error());
    return shown(**leg);
}

Service::TextAnswer Service::reserve(const View& request) {
    auto open = read_open(request, "");
    if (!open) return std::unexpected(open.error());
    if (const record::LegRecord* before = engine_->find_request(open->request)) return shown(*before);
    const auto leg = engine_->reserve(*open);
    if (!leg) return std::unexpected(leg.error());
    return shown(**leg);
}

Service::TextAnswer Service::update(const View& request) {
    const auto leg = text_of(request, "leg", true);
    if (!leg) return std::unexpected(leg.error());
    UpdateRequest update;
    if (const auto party = request.find("party")) {
        const record::LegRecord* known = engine_->find(*leg);
        auto parsed = read_party(*party, known == nullptr ? Stream::rtp : known->stream);
        if (!parsed) return std::unexpected(parsed.error());
        update.party = *parsed;
    }
    const auto hold = flag_of(request, "hold");
    const auto mux = flag_of(request, "mux");
    const auto connection = text_of(request, "connection");
    if (!connection) return std::unexpected(connection.error());
    if (!connection->empty() && *connection != "new" && *connection != "existing") {
        return must("connection", "must be 'new' or 'existing'");
    }
    update.renew = *connection == "new";
    if (!hold) return std::unexpected(hold.error());
    if (!mux) return std::unexpected(mux.error());
    update.hold = *hold;
    update.mux = *mux;
    if (request.contains("owner_state")) update.owner_state = request.text_of("owner_state");
    if (request.contains("owner_state_before")) update.owner_state_before = request.text_of("owner_state_before");
    const auto updated = engine_->update(*leg, update);
    if (!updated) return std::unexpected(updated.error());
    return is_brief(request) ? std::string("{}") : shown(**updated);
}

Service::TextAnswer Service::join(const View& request) {
    const auto a = text_of(request, "a", true);
    const auto b = text_of(request, "b", true);
    if (!a) return std::unexpected(a.error());
    if (!b) return std::unexpected(b.error());
    if (auto done = engine_->join(*a, *b); !done) return std::unexpected(done.error());
    record::ObjectText reply;
    reply.text("a", *a);
    reply.text("b", *b);
    return reply.close();
}

Service::TextAnswer Service::part(const View& request) {
    const auto leg = text_of(request, "leg", true);
    if (!leg) return std::unexpected(leg.error());
    if (auto done = engine_->part(*leg); !done) return std::unexpected(done.error());
    record::ObjectText reply;
    reply.text("leg", *leg);
    return reply.close();
}

Service::TextAnswer Service::free(const View& request) {
    if (request.contains("call_id")) {
        const auto call_id = text_of(request, "call_id");
        if (!call_id) return std::unexpected(call_id.error());
        return freed(engine_->free_call(*call_id));
    }
    // To whom a brief answer is enough it does not matter when the sockets close.
    const auto wake = is_brief(request) ? Engine::Wake::later : Engine::Wake::at_once;
    if (const auto value = request.find("legs")) {
        const auto legs = value->list();
        if (!legs) return must("legs", "must be a list");
        std::size_t count = 0;
        for (const record::ValueView& leg : *legs) {
            const auto id = leg.string();
            if (!id) return must("legs", "must hold strings");
            if (engine_->free(std::string(*id), "freed", wake)) ++count;
        }
        return freed(count);
    }
    const auto leg = text_of(request, "leg", true);
    if (!leg) return std::unexpected(leg.error());
    if (auto done = engine_->free(*leg, "freed", wake); !done) return std::unexpected(done.error());
    return freed(1);
}

Service::Answer Service::relay(const Json& request) {
    if (engine_->standby()) return std::unexpected(standby_refusal());
    Json reply = Json::object();
    std::vector<std::string> made;
    const auto undo = [&](Error error, const std::string& where) {
        for (const std::string& leg : made) (void)engine_->free(leg);
        prefix_where(error, where);
        return std::unexpected(std::move(error));
    };
    for (const char* name : {"a", "b"}) {
        const auto side = request.find(name);
        if (side == request.end() || !side->is_object())
            return undo({Errc::bad_input, {}, "must be an object with a party"}, name);
        Json full = *side;
        for (const char* key : {"id", "stream", "mux", "connections", "call_id", "owner", "owner_state"}) {
            if (request.contains(key) && !full.contains(key)) full[key] = request[key];
        }
        add_default_setup(full, name == std::string_view("a"));
        const auto text = full.dump(-1, ' ', false, Json::error_handler_t::replace);
        record::ObjectReader reader;
        const auto side_view = reader.read(text);
        if (!side_view) return undo(side_view.error(), name);
        auto open = read_open(*side_view, std::string("/") + name);
        if (!open) return undo(open.error(), name);
        if (const record::LegRecord* before = engine_->find_request(open->request)) {
            reply[name] = Json::parse(shown(*before), nullptr, false);
            continue;
        }
        const auto leg = engine_->open(*open);
        if (!leg) return undo(leg.error(), name);
        made.push_back((*leg)->id);
        reply[name] = Json::parse(shown(**leg), nullptr, false);
    }
    const auto joined = engine_->join(reply["a"]["leg"].get<std::string>(), reply["b"]["leg"].get<std::string>());
    if (!joined) return undo(joined.error(), "join");
    return reply;
}

Service::TextAnswer Service::claim(const View& request) {
    const auto owner = text_of(request, "owner", true);
    if (!owner) return std::unexpected(owner.error());
    if (const auto value = request.find("legs")) {
        const auto legs = value->list();
        if (!legs) return must("legs", "must be a list");
        for (const record::ValueView& leg : *legs) {
            if (const auto id = leg.string()) engine_->keep(std::string(*id));
        }
        return "{}";
    }
    record::ObjectText reply;
    reply.number("legs", static_cast<std::int64_t>(engine_->claim(*owner)));
    return reply.close();
}

Service::Answer Service::status(const Json&) {
    const auto status = engine_->status();
    const auto up = std::chrono::duration_cast<std::chrono::seconds>(loop_.now() - started_).count();
    Json reply = {{"name", "mediarelay"}, {"pid", ::getpid()}, {"uptime_s", up}};
    control::add_usage(reply);
    if (standing_) cluster::add_standing(reply, *standing_);
    reply["legs"] = status.legs;
    reply["sessions"] = status.sessions;
    reply["streams"] = status.sessions;
    reply["received"] = {{"packets", status.traffic.received_packets}, {"bytes", status.traffic.received_bytes}};
    reply["sent"] = {{"packets", status.traffic.sent_packets}, {"bytes", status.traffic.sent_bytes}};
    reply["packets_a_second"] = status.packets_a_second;
    reply["ports_in_use"] = status.ports_in_use;
    reply["ports_cooling"] = status.ports_cooling;
    reply["workers"] = status.workers;
    reply["journal_bytes"] = status.journal_bytes;
    reply["fast_path"] = {{"on", status.fast_path.empty()}};
    reply["fast_flows"] = status.fast_flows;
    if (!status.fast_path.empty()) reply["fast_path"]["why"] = status.fast_path;
    for (std::size_t why = 0; why < status.not_forwarded.size(); ++why) {
        if (status.not_forwarded[why] == 0) continue;
        reply["fast_path"]["not_fast"][to_string(static_cast<NotForwarded>(why))] = status.not_forwarded[why];
    }
    reply["receive"] = {{"steered", status.steered}};
    if (status.steered) reply["receive"]["ports"] = status.steered_ports;
    if (!status.steering_error.empty()) reply["receive"]["why"] = status.steering_error;
    if (engine_->outlet().destination()) reply["hep"] = engine_->outlet().status();
    reply["degraded"] = Json::array();
    if (!status.steering_error.empty() && engine_->options().tiers.receive == ReceiveChoice::steered) {
        reply["degraded"].push_back("media ports are not steered: " + status.steering_error);
    }
    if (!status.journal_error.empty()) {
        reply["journal_error"] = status.journal_error;
        reply["degraded"].push_back("the journal cannot be written, calls would not survive a restart: " +
                                    status.journal_error);
    }
    return reply;
}

Service::Answer Service::reload(const Json&) {
    auto options = hooks_.reload();
    if (!options) return std::unexpected(options.error());
    engine_->reconfigure(*options);
    engine_->set_log_level(options->log_level);
    return Json::object();
}

Service::Answer Service::stop(const Json&) {
    engine_->leave_kernel();
    hooks_.stop();
    return Json::object();
}

Service::Answer Service::calls(const Json& request) {
    if (hooks_.calls) return hooks_.calls(request.value("after", ""));
    return Json{{"calls", Json::array()}};
}

Service::Answer Service::drain(const Json&) {
    if (hooks_.drain) hooks_.drain();
    return Json::object();
}

Service::TextAnswer Service::log_level(const View& request) {
    const auto text = text_of(request, "level", true);
    if (!text) return std::unexpected(text.error());
    const auto level = parse_log_level(*text);
    if (!level) return std::unexpected(level.error());
    engine_->set_log_level(*level);
    record::ObjectText reply;
    reply.text("level", to_string(*level));
    return reply.close();
}

void Service::add_commands() {
    using control::Server;
    const auto add = [this](const char* name, Command command, Server::Repeat repeat = Server::Repeat::remember) {
        server_->on(
            name,
            [this, command](const Json& request, std::vector<io::Fd>, const control::Reply& reply) {
                if (!batch_) batch_.emplace(*engine_);
                const Answer answer = (this->*command)(request);
                if (answer) {
                    reply.ok(*answer);
                } else {
                    reply.error(answer.error());
                }
            },
            repeat);
    };
    const auto add_quick = [this](const char* name, QuickCommand command, By by = By::owner) {
        server_->on_view(name, [this, command, by](const View& request, const control::Reply& reply) {
            if (by == By::owner && engine_->standby()) return reply.error(standby_refusal());
            if (!batch_) batch_.emplace(*engine_);
            const TextAnswer answer = (this->*command)(request);
            if (answer) {
                reply.ok_text(*answer);
            } else {
                reply.error(answer.error());
            }
        });
    };
    server_->set_before_answers([this] { batch_.reset(); });
    add_quick("open", &Service::open);
    add_quick("reserve", &Service::reserve);
    add_quick("update", &Service::update);
    add_quick("join", &Service::join);
    add_quick("part", &Service::part);
    server_->on_view("free", [this](const View& request, const control::Reply& reply) {
        if (engine_->standby()) return reply.error(standby_refusal());
        if (!batch_) batch_.emplace(*engine_);
        const auto statistics = flag_of(request, "statistics");
        if (statistics && statistics->value_or(false)) return free_and_tell(request, reply);
        const TextAnswer answer = statistics ? free(request) : std::unexpected(statistics.error());
        answer ? reply.ok_text(*answer) : reply.error(answer.error());
    });
    add_quick("claim", &Service::claim);
    add_quick("log-level", &Service::log_level, By::administrator);
    add("relay", &Service::relay);
    add("reload", &Service::reload);
    add("stop", &Service::stop);
    add("drain", &Service::drain);
    add("calls", &Service::calls, Server::Repeat::run);
    add("status", &Service::status, Server::Repeat::run);
    server_->on_view(
        "list", [this](const View& request, const control::Reply& reply) { list(request, reply); },
        Server::Repeat::run);
    server_->on_view(
        "show", [this](const View& request, const control::Reply& reply) { show(request, reply); },
        Server::Repeat::run);
    server_->on_view(
        "quality", [this](const View& request, const control::Reply& reply) { quality(request, reply); },
        Server::Repeat::run);
    add_cluster_commands();
    server_->set_snapshot([this](const auto& send) {
        for (const auto& [order, leg] : engine_->legs()) send(record::to_json(*leg));
        for (const auto& [order, leg] : engine_->legs()) {
            if (leg->joined.empty() || leg->id > leg->joined) continue;
            if (const record::LegRecord* peer = engine_->find(leg->joined)) {
                Json record = Engine::session_record(*leg, *peer);
                record["event"] = "joined";
                send(record);
            }
        }
    });
}

Result<std::unique_ptr<Service>> Service::start(io::Loop& loop, Options options, const std::string& socket,
                                                Hooks hooks) {
    std::unique_ptr<Service> service(new Service(loop, std::move(hooks)));
    // The socket first: its lock says that no other process has these legs.
    auto server = control::Server::listen(loop, socket);
    if (!server) return std::unexpected(server.error());
    service->server_ = std::move(*server);
    service->standing_ = options.standing;
    auto engine = Engine::start(loop, std::move(options), [raw = service.get()](const Json& record) {
        if (raw->server_->watched()) raw->server_->publish(record);
    });
    if (!engine) return std::unexpected(engine.error());
    service->engine_ = std::move(*engine);
    service->engine_->set_wanted([raw = service.get()](std::string_view type) { return raw->server_->watched(type); });
    service->engine_->on_saved([raw = service.get()] { return raw->server_->watched("replica"); },
                               [raw = service.get()](const std::string& leg, const std::string* text) {
                                   raw->server_->publish_text("replica", replica_line(leg, text));
                               });
    service->add_commands();
    return service;
}

}  // namespace natkit::relay
