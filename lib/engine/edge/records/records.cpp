#include "records.hpp"

#include <algorithm>

#include "natkit/record/nat.hpp"
#include "natkit/record/party_text.hpp"

namespace natkit::edge {
namespace {

/// T.125 has a TCP connection for each of its four priorities, at most.
constexpr unsigned t120_connections = 4;

Json flow_json(const sip::Flow& flow) {
    Json json = {{"transport", sip::to_string(flow.transport)},
                 {"local", to_string(flow.local)},
                 {"remote", to_string(flow.remote)}};
    if (flow.connection != 0) json["connection"] = flow.connection;
    return json;
}

std::string why(const std::vector<nat::Reason>& reasons) {
    std::string text;
    for (const nat::Reason reason : reasons) text += (text.empty() ? "" : "; ") + std::string(nat::why(reason));
    return text;
}

/// Who calls whom, since when, and for how long they have talked.
void add_times(Json& json, const EndInfo& caller, const EndInfo& callee, Instant began,
               const std::optional<Instant>& answered, Now now) {
    const auto ms = [](Duration since) { return std::chrono::duration_cast<std::chrono::milliseconds>(since).count(); };
    if (!caller.uri.empty()) json["from"] = caller.uri;
    if (!callee.uri.empty()) json["to"] = callee.uri;
    json["began_ms"] = now.wall.time_since_epoch().count() - ms(now.steady - began);
    if (answered) json["duration_s"] = static_cast<double>(ms(now.steady - *answered)) / 1000;
}

const char* kind_word(CallEvent::Kind kind) {
    return kind == CallEvent::Kind::established ? "established" : "ended";
}

}  // namespace

Json reasons_json(const std::vector<nat::Reason>& reasons) {
    Json list = Json::array();
    for (const nat::Reason reason : reasons) list.push_back(nat::to_string(reason));
    return list;
}

Json nat_record(const sip::Flow& flow, const nat::Verdict& verdict) {
    Json json = record::to_json(verdict, flow.remote.address);
    json["source"] = to_string(flow.remote);
    json["why"] = nat::why(verdict, flow.remote.address);
    return json;
}

Json client_record(const sip::Binding& binding, const char* event, WallTime now) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(binding.expires - now);
    Json json = {{"type", "client"},
                 {"event", event},
                 {"id", binding.id},
                 {"aor", "sip:" + binding.aor},
                 {"contact", binding.contact},
                 {"flow", flow_json(binding.flow)},
                 {"place", nat::to_string(binding.verdict.place)},
                 {"rule", nat::to_string(binding.verdict.rule)},
                 {"expires_ms", std::max<std::int64_t>(left.count(), 0)}};
    json["why"] = nat::why(binding.verdict, binding.flow.remote.address);
    if (binding.verdict.claimed) json["claimed"] = to_string(*binding.verdict.claimed);
    if (!binding.server.empty()) json["server"] = binding.server;
    if (!binding.reached) json["reached"] = false;
    if (!binding.user_agent.empty()) json["user_agent"] = binding.user_agent;
    return json;
}

Json place_change_record(const PlaceChange& change) {
    const auto place = [](const nat::Verdict& verdict) -> Json {
        return {{"place", nat::to_string(verdict.place)}, {"rule", nat::to_string(verdict.rule)}};
    };
    return {{"id", change.binding.id},
            {"aor", "sip:" + change.binding.aor},
            {"source", to_string(change.binding.flow.remote)},
            {"before", place(change.binding.verdict)},
            {"after", place(change.now)}};
}

Result<nat::Networks> read_networks(const Json& request) {
    nat::Networks networks;
    for (const auto& [key, set] : {std::pair("lan", &networks.lan), std::pair("nated", &networks.nated),
                                   std::pair("nat_servers", &networks.nat_servers)}) {
        const auto list = request.find(key);
        if (list == request.end() || !list->is_array()) return fail(Errc::bad_input, "a list is missing", key);
        for (const Json& item : *list) {
            const auto range = IpRange::parse(item.is_string() ? item.get<std::string>() : std::string());
            if (!range) return std::unexpected(range.error());
            set->add(*range);
        }
    }
    return networks;
}

Json call_record(const Media::Summary& call, Now now) {
    Json json = {{"type", "call"}, {"call_id", call.call_id}};
    add_times(json, call.caller, call.callee, call.began, call.answered, now);
    json.update(Json{{"state", call.established ? "established" : "setting-up"},
                     {"a", nat_record(call.caller.party(), call.caller.verdict)},
                     {"b", nat_record(call.callee.party(), call.callee.verdict)},
                     {"relayed_streams", call.relayed_streams},
                     {"relay", call.decision.relay},
                     {"reasons", reasons_json(call.decision.reasons)},
                     {"why", why(call.decision.reasons)}});
    return json;
}

Json decision_record(const DecisionEvent& event) {
    return {{"type", "decision"},
            {"call_id", event.call_id},
            {"relay", event.decision.relay},
            {"reasons", reasons_json(event.decision.reasons)},
            {"why", why(event.decision.reasons)},
            {"a", nat_record(event.caller_flow, event.caller)},
            {"b", nat_record(event.callee_flow, event.callee)}};
}

Json rewrite_record(const RewriteEvent& event) {
    return {{"type", "rewrite"},
            {"call_id", event.call_id},
            {"from", event.from_caller ? "caller" : "callee"},
            {"before", event.before},
            {"after", event.after}};
}

Json call_event_record(const CallEvent& event, Now now) {
    Json json = {{"type", "call"}, {"event", kind_word(event.kind)}, {"call_id", event.call_id}};
    if (!event.why.empty()) json["why"] = event.why;
    if (!event.ended) return json;
    const EndedCall& call = *event.ended;
    add_times(json, call.ends[0], call.ends[1], call.began, call.answered, now);
    json["a"] = nat_record(call.ends[0].party(), call.ends[0].verdict);
    json["b"] = nat_record(call.ends[1].party(), call.ends[1].verdict);
    json["reasons"] = reasons_json(call.reasons);
    json["streams"] = Json::array();
    for (const EndedCall::Stream& stream : call.streams) {
        Json one = {{"stream", relay::to_string(stream.kind)}};
        if (!stream.codec.empty()) one["codec"] = stream.codec;
        for (const End end : {End::caller, End::callee}) {
            if (const auto& leg = stream.legs[dialog::index(end)]; !leg.empty())
                one[end == End::caller ? "a" : "b"] = {{"leg", leg}};
        }
        json["streams"].push_back(std::move(one));
    }
    return json;
}

record::ObjectText open_request(const OpenLeg& request) {
    record::ObjectText object;
    object.text("stream", relay::to_string(request.stream));
    object.text("side", to_string(request.side));
    object.text("family", to_string(request.family));
    record::add_party(object, request.party);
    if (request.mux) object.flag("mux", true);
    if (request.stream == relay::Stream::t120) object.number("connections", t120_connections);
    object.text("call_id", request.call_id);
    return object;
}

record::ObjectText update_request(const UpdateLeg& request) {
    record::ObjectText object;
    object.text("leg", request.leg);
    record::add_party(object, request.party);
    object.flag("hold", request.hold);
    if (request.mux) object.flag("mux", *request.mux);
    if (request.renew) object.text("connection", "new");
    return object;
}

Result<RelayLeg> read_leg(const record::ObjectView& reply) {
    const auto text = [&](const char* key) { return reply.string(key).value_or(""); };
    RelayLeg leg{.id = std::string(text("leg")), .local = {}, .rtcp = {}};
    auto local = Endpoint::parse(text("local"));
    if (leg.id.empty() || !local)
        return fail(Errc::bad_input, "mediarelay gave no leg: " + reply.text().substr(0, 200));
    leg.local = *local;
    if (reply.contains("rtcp")) {
        auto rtcp = Endpoint::parse(text("rtcp"));
        if (!rtcp) return std::unexpected(rtcp.error());
        leg.rtcp = *rtcp;
    }
    return leg;
}

store::BindingRow to_row(const sip::Binding& binding) {
    return {.id = binding.id,
            .aor = binding.aor,
            .contact = binding.contact,
            .instance = binding.instance,
            .flow = sip::to_string(binding.flow),
            .place = nat::to_string(binding.verdict.place),
            .rule = nat::to_string(binding.verdict.rule),
            .site = to_string(binding.verdict.site),
            .expires_ms = binding.expires.time_since_epoch().count(),
            .registered_ms = binding.registered.time_since_epoch().count(),
            .call_id = binding.call_id,
            .cseq = binding.cseq,
            .q = binding.q,
            .user_agent = binding.user_agent,
            .authenticated = binding.authenticated,
            .server = binding.server,
            .reached = binding.reached};
}

Result<sip::Binding> from_row(const store::BindingRow& row) {
    const auto flow = sip::parse_flow(row.flow);
    if (!flow) return std::unexpected(flow.error());
    const auto place = nat::parse_place(row.place);
    if (!place) return std::unexpected(place.error());
    const auto rule = nat::parse_rule(row.rule);
    if (!rule) return std::unexpected(rule.error());
    const auto site = IpRange::parse(row.site);
    if (!site) return std::unexpected(site.error());
    const WallTime expires{std::chrono::milliseconds(row.expires_ms)};
    const WallTime registered{std::chrono::milliseconds(row.registered_ms)};
    return sip::Binding{.id = row.id,
                        .aor = row.aor,
                        .contact = row.contact,
                        .instance = row.instance,
                        .flow = *flow,
                        .verdict = {.place = *place, .rule = *rule, .site = *site, .claimed = {}},
                        .expires = expires,
                        .registered = row.registered_ms != 0 ? registered : expires - std::chrono::hours(1),
                        .call_id = row.call_id,
                        .cseq = row.cseq,
                        .q = row.q,
                        .user_agent = row.user_agent,
                        .authenticated = row.authenticated,
                        .server = row.server,
                        .reached = row.reached};
}

}  // namespace natkit::edge
