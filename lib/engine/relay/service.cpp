#include "natkit/engine/relay/service.hpp"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "natkit/base/text.hpp"

namespace natkit::mediarelay {
namespace {

using relay::Component;

/// A reply is one line, and a line has a bound: `list` answers in pages.
constexpr std::size_t page_bytes = 700'000;
constexpr std::size_t max_text = 512;

std::unexpected<Error> must(const std::string& key, const char* what) {
    return fail(Errc::bad_input, what, key);
}

Result<std::string> text_of(const Json& request, const char* key, bool required = false) {
    const auto found = request.find(key);
    if (found == request.end()) {
        if (required) return must(key, "missing");
        return std::string();
    }
    if (!found->is_string() || found->get_ref<const std::string&>().size() > max_text) {
        return must(key, "must be a string of at most 512 bytes");
    }
    return found->get<std::string>();
}

Result<std::optional<bool>> flag_of(const Json& request, const char* key) {
    const auto found = request.find(key);
    if (found == request.end()) return std::optional<bool>();
    if (!found->is_boolean()) return must(key, "must be true or false");
    return std::optional<bool>(found->get<bool>());
}

/// One of two words, or a default.
template <class Enum>
Result<Enum> choice(const Json& request, const char* key, Enum first, Enum second, Enum otherwise) {
    const auto given = text_of(request, key);
    if (!given) return std::unexpected(given.error());
    if (given->empty()) return otherwise;
    if (*given == to_string(first)) return first;
    if (*given == to_string(second)) return second;
    return fail(
        Errc::bad_input,
        "'" + text::printable(*given, 40) + "' is neither '" + to_string(first) + "' nor '" + to_string(second) + "'",
        key);
}

Result<relay::Stream> stream_of(const Json& request) {
    const auto given = text_of(request, "stream");
    if (!given) return std::unexpected(given.error());
    if (given->empty()) return relay::Stream::rtp;
    if (const auto stream = relay::parse_stream(*given)) return *stream;
    return fail(Errc::bad_input, "'" + text::printable(*given, 40) + "' is not one of 'rtp', 'udp', 'tcp', 't120'",
                "stream");
}

Result<unsigned> connections_of(const Json& request) {
    const auto found = request.find("connections");
    if (found == request.end()) return 1U;
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() > 1000) {
        return must("connections", "must be a small number");
    }
    return found->get<unsigned>();
}

/// T.120 has a port of its own: an address alone is enough.
Json with_port(const Json& party, relay::Stream stream) {
    Json full = party;
    const auto endpoint = full.find("endpoint");
    if (stream != relay::Stream::t120 || endpoint == full.end() || !endpoint->is_string()) return full;
    if (const auto address = IpAddress::parse(endpoint->get<std::string>())) {
        *endpoint = to_string(Endpoint{*address, relay::t120_port});
    }
    return full;
}

std::string owner_state_of(const Json& request) {
    const auto found = request.find("owner_state");
    return found == request.end() ? std::string() : found->dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json shown(const record::Leg& leg) {
    Json reply = {{"leg", leg.id}, {"local", to_string(leg.local(Component::rtp))}};
    if (leg.stream == relay::Stream::rtp) reply["rtcp"] = to_string(leg.local(Component::rtcp));
    return reply;
}

Json with_statistics(const record::Leg& leg, const Plane::Statistics& all) {
    Json record = record::to_json(leg);
    const auto found = all.find(Engine::key_of(leg.id));
    if (found == all.end()) return record;
    record["statistics"] = record::to_json(found->second);
    if (leg.joined.empty() || relay::is_tcp(leg.stream)) return record;
    Json& audio = record["audio"] = {{"state", relay::to_string(found->second.flow)}};
    if (found->second.mute != 0) {
        audio["mute"] = Engine::id_of(found->second.mute);
        audio["cause"] = relay::to_string(found->second.cause);
    }
    return record;
}

/// Of two parties `a` is the one that offers: by RFC 4145 section 4 it connects and the other listens; with T.120,
/// which has no a=setup, it is the other way round.
void default_setup(Json& open, bool offerer) {
    const auto stream = stream_of(open);
    const auto party = open.find("party");
    if (!stream || !relay::is_tcp(*stream) || party == open.end() || !party->is_object()) return;
    if (party->contains("setup")) return;
    (*party)["setup"] = sdp::to_string(relay::default_setup(*stream, offerer));
}

void prefix_where(Error& error, const std::string& prefix) {
    error.where = error.where.empty() ? prefix : prefix + "." + error.where;
}

}  // namespace

Result<relay::Party> Service::read_party(const Json& object) const {
    if (!object.is_object()) return must("party", "must be an object");
    Json full = object;
    const auto address = [&](const char* key) -> std::optional<IpAddress> {
        const auto text = text_of(object, key);
        if (!text || text->empty()) return std::nullopt;
        if (const auto plain = IpAddress::parse(*text)) return *plain;
        const auto endpoint = Endpoint::parse(*text);
        return endpoint ? std::optional(endpoint->address) : std::nullopt;
    };
    const auto visible = address("visible");
    // A script may leave to us what the configuration knows.
    if (!full.contains("place")) {
        const auto known = visible ? visible : address("endpoint");
        if (!known) return must("party.place", "missing, and there is no address to tell it from");
        full["place"] = nat::to_string(nat::classify_address(*known, engine_->options().networks).place);
        if (full["place"] == "far-end" && !visible) full["visible"] = to_string(*known);
    }
    auto party = record::parse_party(full);
    if (!party) return party;
    if (party->place == nat::Place::far_end && party->visible && !party->site) {
        party->site = nat::site_of(*party->visible, engine_->options().networks);
    }
    return party;
}

Result<OpenRequest> Service::read_open(const Json& request, const std::string& where) const {
    OpenRequest open;
    const auto stream = stream_of(request);
    if (!stream) return std::unexpected(stream.error());
    const auto connections = connections_of(request);
    if (!connections) return std::unexpected(connections.error());
    if (const auto party = request.find("party"); party != request.end()) {
        auto parsed = read_party(with_port(*party, *stream));
        if (!parsed) return std::unexpected(parsed.error());
        open.party = *parsed;
    }
    const bool on_lan = open.party && open.party->place == nat::Place::lan;
    Family family = Family::ipv4;
    if (open.party) {
        const bool far = open.party->place == nat::Place::far_end;
        if (!far && open.party->endpoint) family = open.party->endpoint->address.family();
        if (far && open.party->visible) family = open.party->visible->family();
    }
    const auto side =
        choice(request, "side", relay::Side::lan, relay::Side::wan, on_lan ? relay::Side::lan : relay::Side::wan);
    const auto asked_family = choice(request, "family", Family::ipv4, Family::ipv6, family);
    const auto mux = flag_of(request, "mux");
    auto call_id = text_of(request, "call_id");
    auto owner = text_of(request, "owner");
    auto id = text_of(request, "id");
    if (!side) return std::unexpected(side.error());
    if (!asked_family) return std::unexpected(asked_family.error());
    if (!mux) return std::unexpected(mux.error());
    if (!call_id) return std::unexpected(call_id.error());
    if (!owner) return std::unexpected(owner.error());
    open.stream = *stream;
    open.side = *side;
    open.family = *asked_family;
    open.mux = mux->value_or(false);
    open.connections = *connections;
    open.call_id = std::move(*call_id);
    open.owner = std::move(*owner);
    open.owner_state = owner_state_of(request);
    if (id && !id->empty()) open.request = *id + where;
    return open;
}

Service::Answer Service::open(const Json& request) {
    if (request.contains("leg")) {
        const auto leg = text_of(request, "leg");
        if (!leg) return std::unexpected(leg.error());
        const auto opened = engine_->open_reserved(*leg);
        if (!opened) return std::unexpected(opened.error());
        return shown(**opened);
    }
    auto open = read_open(request, "");
    if (!open) return std::unexpected(open.error());
    if (const record::Leg* before = engine_->find_request(open->request)) return shown(*before);
    const auto leg = engine_->open(*open);
    if (!leg) return std::unexpected(leg.error());
    return shown(**leg);
}

Service::Answer Service::reserve(const Json& request) {
    auto open = read_open(request, "");
    if (!open) return std::unexpected(open.error());
    if (const record::Leg* before = engine_->find_request(open->request)) return shown(*before);
    const auto leg = engine_->reserve(*open);
    if (!leg) return std::unexpected(leg.error());
    return shown(**leg);
}

Service::Answer Service::update(const Json& request) {
    const auto leg = text_of(request, "leg", true);
    if (!leg) return std::unexpected(leg.error());
    UpdateRequest update;
    if (const auto party = request.find("party"); party != request.end()) {
        const record::Leg* known = engine_->find(*leg);
        auto parsed = read_party(with_port(*party, known == nullptr ? relay::Stream::rtp : known->stream));
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
    if (request.contains("owner_state")) update.owner_state = owner_state_of(request);
    const auto updated = engine_->update(*leg, update);
    if (!updated) return std::unexpected(updated.error());
    if (const auto brief = request.find("brief"); brief != request.end() && *brief == true) return Json::object();
    return shown(**updated);
}

Service::Answer Service::join(const Json& request) {
    const auto a = text_of(request, "a", true);
    const auto b = text_of(request, "b", true);
    if (!a) return std::unexpected(a.error());
    if (!b) return std::unexpected(b.error());
    if (auto done = engine_->join(*a, *b); !done) return std::unexpected(done.error());
    return Json{{"a", *a}, {"b", *b}};
}

Service::Answer Service::part(const Json& request) {
    const auto leg = text_of(request, "leg", true);
    if (!leg) return std::unexpected(leg.error());
    if (auto done = engine_->part(*leg); !done) return std::unexpected(done.error());
    return Json{{"leg", *leg}};
}

Service::Answer Service::free(const Json& request) {
    if (request.contains("call_id")) {
        const auto call_id = text_of(request, "call_id");
        if (!call_id) return std::unexpected(call_id.error());
        return Json{{"freed", engine_->free_call(*call_id)}};
    }
    if (const auto legs = request.find("legs"); legs != request.end()) {
        if (!legs->is_array()) return must("legs", "must be a list");
        std::size_t freed = 0;
        for (const Json& leg : *legs) {
            if (!leg.is_string()) return must("legs", "must hold strings");
            if (engine_->free(leg.get<std::string>())) ++freed;
        }
        return Json{{"freed", freed}};
    }
    const auto leg = text_of(request, "leg", true);
    if (!leg) return std::unexpected(leg.error());
    if (auto done = engine_->free(*leg); !done) return std::unexpected(done.error());
    return Json{{"freed", 1}};
}

Service::Answer Service::relay(const Json& request) {
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
        default_setup(full, name == std::string_view("a"));
        auto open = read_open(full, std::string("/") + name);
        if (!open) return undo(open.error(), name);
        if (const record::Leg* before = engine_->find_request(open->request)) {
            reply[name] = shown(*before);
            continue;
        }
        const auto leg = engine_->open(*open);
        if (!leg) return undo(leg.error(), name);
        made.push_back((*leg)->id);
        reply[name] = shown(**leg);
    }
    const auto joined = engine_->join(reply["a"]["leg"].get<std::string>(), reply["b"]["leg"].get<std::string>());
    if (!joined) return undo(joined.error(), "join");
    return reply;
}

Service::Answer Service::claim(const Json& request) {
    const auto owner = text_of(request, "owner", true);
    if (!owner) return std::unexpected(owner.error());
    if (const auto legs = request.find("legs"); legs != request.end()) {
        if (!legs->is_array()) return must("legs", "must be a list");
        for (const Json& leg : *legs) {
            if (leg.is_string()) engine_->keep(leg.get<std::string>());
        }
        return Json::object();
    }
    return Json{{"legs", engine_->claim(*owner)}};
}

Service::Answer Service::status(const Json&) {
    const auto status = engine_->status();
    const auto up = std::chrono::duration_cast<std::chrono::seconds>(loop_.now() - started_).count();
    Json reply = {{"name", "mediarelay"}, {"pid", ::getpid()}, {"uptime_s", up}};
    reply["legs"] = status.legs;
    reply["sessions"] = status.sessions;
    reply["streams"] = status.sessions;
    reply["ports_in_use"] = status.ports_in_use;
    reply["ports_cooling"] = status.ports_cooling;
    reply["workers"] = status.workers;
    reply["journal_bytes"] = status.journal_bytes;
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
    hooks_.stop();
    return Json::object();
}

Service::Answer Service::log_level(const Json& request) {
    const auto text = text_of(request, "level", true);
    if (!text) return std::unexpected(text.error());
    const auto level = parse_log_level(*text);
    if (!level) return std::unexpected(level.error());
    engine_->set_log_level(*level);
    return Json{{"level", to_string(*level)}};
}

void Service::list(const Json& request, const control::Reply& reply) {
    const auto call_id = text_of(request, "call_id");
    const auto owner = text_of(request, "owner");
    if (!call_id) return reply.error(call_id.error());
    if (!owner) return reply.error(owner.error());
    std::uint64_t after = 0;
    if (const auto cursor = request.find("after"); cursor != request.end()) {
        if (!cursor->is_number_unsigned()) return reply.error({Errc::bad_input, "after", "must be the next of a page"});
        after = cursor->get<std::uint64_t>();
    }
    engine_->collect({},
                     [this, reply, after, wanted_call = *call_id, wanted_owner = *owner](const Plane::Statistics& all) {
                         Json legs = Json::array();
                         std::size_t bytes = 0;
                         std::uint64_t last = 0;
                         bool more = false;
                         for (const auto& [order, leg] : engine_->legs()) {
                             if (order <= after || (!wanted_call.empty() && leg->call_id != wanted_call) ||
                                 (!wanted_owner.empty() && leg->owner != wanted_owner)) {
                                 continue;
                             }
                             more = bytes > page_bytes;
                             if (more) break;
                             legs.push_back(with_statistics(*leg, all));
                             bytes += legs.back().dump(-1, ' ', false, Json::error_handler_t::replace).size();
                             last = order;
                         }
                         Json page = {{"legs", std::move(legs)}};
                         if (more) page["next"] = last;
                         reply.ok(page);
                     });
}

void Service::show(const Json& request, const control::Reply& reply) {
    const auto id = text_of(request, "leg", true);
    if (!id) return reply.error(id.error());
    if (engine_->find(*id) == nullptr)
        return reply.error({Errc::not_found, "leg", "no leg '" + text::printable(*id, 40) + "'"});
    engine_->collect(*id, [this, reply, id = *id](const Plane::Statistics& all) {
        Json legs = Json::array();
        const record::Leg* leg = engine_->find(id);
        if (leg != nullptr) {
            legs.push_back(with_statistics(*leg, all));
            if (const record::Leg* peer = engine_->find(leg->joined)) legs.push_back(with_statistics(*peer, all));
        }
        reply.ok({{"legs", std::move(legs)}});
    });
}

void Service::add_commands() {
    using control::Server;
    const auto add = [this](const char* name, Command command, Server::Repeat repeat = Server::Repeat::remember) {
        server_->on(
            name,
            [this, command](const Json& request, std::vector<io::Fd>, const control::Reply& reply) {
                const Answer answer = (this->*command)(request);
                if (answer) {
                    reply.ok(*answer);
                } else {
                    reply.error(answer.error());
                }
            },
            repeat);
    };
    add("open", &Service::open);
    add("reserve", &Service::reserve);
    add("update", &Service::update);
    add("join", &Service::join);
    add("part", &Service::part);
    add("free", &Service::free);
    add("relay", &Service::relay);
    add("claim", &Service::claim);
    add("reload", &Service::reload);
    add("stop", &Service::stop);
    add("log-level", &Service::log_level);
    add("status", &Service::status, Server::Repeat::run);
    server_->on(
        "list", [this](const Json& request, std::vector<io::Fd>, const control::Reply& reply) { list(request, reply); },
        Server::Repeat::run);
    server_->on(
        "show", [this](const Json& request, std::vector<io::Fd>, const control::Reply& reply) { show(request, reply); },
        Server::Repeat::run);
    server_->set_snapshot([this](const auto& send) {
        for (const auto& [order, leg] : engine_->legs()) send(record::to_json(*leg));
        for (const auto& [order, leg] : engine_->legs()) {
            if (leg->joined.empty() || leg->id > leg->joined) continue;
            if (const record::Leg* peer = engine_->find(leg->joined)) {
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
    auto engine = Engine::start(loop, std::move(options), [raw = service.get()](const Json& record) {
        if (raw->server_->watched()) raw->server_->publish(record);
    });
    if (!engine) return std::unexpected(engine.error());
    service->engine_ = std::move(*engine);
    service->engine_->set_wanted([raw = service.get()](std::string_view type) { return raw->server_->watched(type); });
    service->add_commands();
    return service;
}

}  // namespace natkit::mediarelay
