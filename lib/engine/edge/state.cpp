#include <limits>

#include "natkit/base/text.hpp"
#include "records.hpp"

/// The state of an established call as mediarelay keeps it for the edge: `owner_state` of one of its legs, 8 kB at
/// most.
namespace natkit::edge {
namespace {

std::string text_of(const Json& json, const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Json side_state(const SessionState::Side& side) {
    Json json = Json::object();
    if (side.leg) {
        json["leg"] = {{"leg", side.leg->id}, {"local", to_string(side.leg->local)}};
        if (side.leg->rtcp) json["leg"]["rtcp"] = to_string(*side.leg->rtcp);
    }
    if (side.said) json["said"] = to_string(*side.said);
    if (side.rtcp) json["rtcp"] = to_string(*side.rtcp);
    if (side.setup) json["setup"] = sdp::to_string(*side.setup);
    return json;
}

std::optional<Endpoint> endpoint_of(const Json& json, const char* key) {
    const auto endpoint = Endpoint::parse(text_of(json, key));
    return endpoint ? std::optional(*endpoint) : std::nullopt;
}

Result<SessionState::Side> read_side(const Json& json) {
    SessionState::Side side{.leg = {},
                            .said = endpoint_of(json, "said"),
                            .rtcp = endpoint_of(json, "rtcp"),
                            .setup = sdp::parse_setup(text_of(json, "setup"))};
    const auto leg = json.find("leg");
    if (leg == json.end()) return side;
    auto read = read_leg(*leg);
    if (!read) return std::unexpected(read.error());
    side.leg = std::move(*read);
    return side;
}

Result<EndInfo> read_end(const Json& json) {
    EndInfo end;
    const auto flow = sip::parse_flow(text_of(json, "flow"));
    const auto place = nat::parse_place(text_of(json, "place"));
    const auto rule = nat::parse_rule(text_of(json, "rule"));
    const auto site = IpRange::parse(text_of(json, "site"));
    if (!flow || !place || !rule || !site) return fail(Errc::bad_input, "not the state of a call's end");
    return EndInfo{.flow = *flow,
                   .party = {.place = *place, .rule = *rule, .site = *site, .claimed = {}},
                   .tag = text_of(json, "tag"),
                   .binding = text_of(json, "binding")};
}

/// Numbers of 64 bits as text: not every reader of JSON has them.
Json number_state(const Numbered& told) {
    if (!told.version) return Json::object();
    return {{"version", std::to_string(*told.version)}, {"print", std::to_string(told.print)}};
}

Numbered read_number(const Json& json) {
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    const auto version = text::parse_number(text_of(json, "version"), most);
    const auto print = text::parse_number(text_of(json, "print"), most);
    if (!version || !print) return {};
    return {.version = *version, .print = *print};
}

bool flag_of(const Json& json, const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_boolean() && found->get<bool>();
}

}  // namespace

Json state_record(const SessionState& state) {
    Json ends = Json::array();
    for (const EndInfo& end : state.ends) {
        ends.push_back({{"flow", sip::to_string(end.flow)},
                        {"place", nat::to_string(end.party.place)},
                        {"rule", nat::to_string(end.party.rule)},
                        {"site", to_string(end.party.site)},
                        {"tag", end.tag}});
    }
    for (std::size_t i = 0; i < 2; ++i) {
        const sip::Flow& named = i == 0 ? state.token.caller : state.token.callee;
        if (!state.ends[i].binding.empty()) ends[i]["binding"] = state.ends[i].binding;
        if (named != state.ends[i].flow) ends[i]["token"] = sip::to_string(named);
        ends[i]["told"] = number_state(state.told[i]);
    }
    Json streams = Json::array();
    for (const SessionState::Stream& stream : state.streams) {
        streams.push_back({{"caller", side_state(stream.sides[0])},
                           {"callee", side_state(stream.sides[1])},
                           {"stream", relay::to_string(stream.kind)},
                           {"mux", stream.mux},
                           {"hold", stream.hold}});
    }
    return {{"call_id", state.call_id}, {"ends", std::move(ends)}, {"streams", std::move(streams)}};
}

Result<SessionState> read_state(const Json& json) {
    const auto ends = json.find("ends");
    const auto streams = json.find("streams");
    const bool whole = json.is_object() && ends != json.end() && ends->is_array() && ends->size() == 2 &&
                       streams != json.end() && streams->is_array();
    if (!whole) return fail(Errc::bad_input, "not the state of a call");
    SessionState state;
    state.call_id = text_of(json, "call_id");
    for (std::size_t i = 0; i < 2; ++i) {
        auto end = read_end((*ends)[i]);
        if (!end) return std::unexpected(end.error());
        state.ends[i] = std::move(*end);
        const auto named = sip::parse_flow(text_of((*ends)[i], "token"));
        (i == 0 ? state.token.caller : state.token.callee) = named ? *named : state.ends[i].flow;
        if (const auto told = (*ends)[i].find("told"); told != (*ends)[i].end() && told->is_object())
            state.told[i] = read_number(*told);
    }
    for (const Json& known : *streams) {
        SessionState::Stream& stream = state.streams.emplace_back();
        for (std::size_t i = 0; i < 2; ++i) {
            const auto side = known.find(i == 0 ? "caller" : "callee");
            if (side == known.end() || !side->is_object()) continue;
            auto read = read_side(*side);
            if (!read) return std::unexpected(read.error());
            stream.sides[i] = std::move(*read);
        }
        const auto kind = relay::parse_stream(text_of(known, "stream"));
        if (!kind) return fail(Errc::bad_input, "not the state of a stream");
        stream.kind = *kind;
        stream.mux = flag_of(known, "mux");
        stream.hold = flag_of(known, "hold");
    }
    return state;
}

}  // namespace natkit::edge
