#include "state.hpp"

#include <limits>

#include "natkit/base/text.hpp"
#include "natkit/record/json_members.hpp"
#include "natkit/record/party_text.hpp"
#include "records.hpp"

namespace natkit::edge {
namespace {

std::string leg_text(const RelayLeg& leg) {
    record::ObjectText object;
    object.text("leg", leg.id);
    object.text("local", to_string(leg.local));
    if (leg.rtcp) object.text("rtcp", to_string(*leg.rtcp));
    return object.close();
}

/// What a call can do without: SSRCs that were announced, Contacts and routes.
enum class Announced { kept, left_out };

std::string side_text(const SessionState::Side& side, Announced ssrcs) {
    record::ObjectText object;
    if (side.leg) object.raw("leg", leg_text(*side.leg));
    if (side.said) object.text("said", to_string(*side.said));
    if (side.rtcp) object.text("rtcp", to_string(*side.rtcp));
    if (side.setup) object.text("setup", sdp::to_string(*side.setup));
    record::add_description(object, side.direction, ssrcs == Announced::kept ? side.ssrcs : relay::Ssrcs{});
    return object.close();
}

/// Numbers of 64 bits as text: not every reader of JSON has them.
std::string number_text(const Numbered& told) {
    record::ObjectText object;
    if (told.version) {
        object.text("version", std::to_string(*told.version));
        object.text("print", std::to_string(told.print));
    }
    return object.close();
}

std::string end_text(const EndInfo& end, const sip::Flow& named, const Numbered& told, Announced rest) {
    record::ObjectText object;
    if (rest == Announced::kept) {
        if (!end.contact.empty()) object.text("contact", end.contact);
        if (!end.routes.empty()) object.text("routes", end.routes);
    }
    object.text("flow", sip::to_string(end.flow));
    object.text("place", nat::to_string(end.verdict.place));
    object.text("rule", nat::to_string(end.verdict.rule));
    object.text("site", to_string(end.verdict.site));
    object.text("tag", end.tag);
    if (!end.uri.empty()) object.text("uri", end.uri);
    if (end.verdict.claimed) object.text("claimed", to_string(*end.verdict.claimed));
    if (!end.binding.empty()) object.text("binding", end.binding);
    if (end.asked_for) object.flag("asked_for", true);
    if (end.origin) object.text("origin", to_string(*end.origin));
    if (named != end.flow) object.text("token", sip::to_string(named));
    object.raw("told", number_text(told));
    return object.close();
}

std::string stream_text(const SessionState::Stream& stream, Announced ssrcs) {
    record::ObjectText object;
    object.raw("caller", side_text(stream.sides[0], ssrcs));
    object.raw("callee", side_text(stream.sides[1], ssrcs));
    object.text("stream", relay::to_string(stream.kind));
    object.flag("mux", stream.mux);
    object.flag("hold", stream.hold);
    if (!stream.codec.empty()) object.text("codec", stream.codec);
    return object.close();
}

std::optional<Endpoint> endpoint_of(const Json& json, const char* key) {
    const auto endpoint = Endpoint::parse(record::text_of(json, key));
    return endpoint ? std::optional(*endpoint) : std::nullopt;
}

Result<SessionState::Side> read_side(const Json& json) {
    SessionState::Side side{
        .leg = {},
        .said = endpoint_of(json, "said"),
        .rtcp = endpoint_of(json, "rtcp"),
        .setup = sdp::parse_setup(record::text_of(json, "setup")),
        .direction = sdp::parse_direction(record::text_of(json, "direction")).value_or(sdp::Direction::sendrecv)};
    if (const auto list = json.find("ssrc"); list != json.end() && list->is_array()) {
        for (const Json& each : *list) {
            if (each.is_number_unsigned() && each.get<std::uint64_t>() <= 0xffffffffU)
                side.ssrcs.add(each.get<std::uint32_t>());
        }
    }
    const auto leg = json.find("leg");
    if (leg == json.end()) return side;
    record::ObjectReader reader;  // where replies are read, too
    const auto view = reader.read(leg->dump(-1, ' ', false, Json::error_handler_t::replace));
    auto read = view ? read_leg(*view) : Result<RelayLeg>(std::unexpected(view.error()));
    if (!read) return std::unexpected(read.error());
    side.leg = std::move(*read);
    return side;
}

Result<EndInfo> read_end(const Json& json) {
    EndInfo end;
    const auto flow = sip::parse_flow(record::text_of(json, "flow"));
    const auto place = nat::parse_place(record::text_of(json, "place"));
    const auto rule = nat::parse_rule(record::text_of(json, "rule"));
    const auto site = IpRange::parse(record::text_of(json, "site"));
    if (!flow || !place || !rule || !site) return fail(Errc::bad_input, "not the state of a call's end");
    const auto claimed = IpAddress::parse(record::text_of(json, "claimed"));
    return EndInfo{.flow = *flow,
                   .verdict = {.place = *place,
                               .rule = *rule,
                               .site = *site,
                               .claimed = claimed ? std::optional(*claimed) : std::nullopt},
                   .tag = record::text_of(json, "tag"),
                   .uri = record::text_of(json, "uri"),
                   .binding = record::text_of(json, "binding"),
                   .asked_for = json.value("asked_for", Json()) == true,
                   .contact = record::text_of(json, "contact"),
                   .routes = record::text_of(json, "routes"),
                   .origin = endpoint_of(json, "origin")};
}

Numbered read_number(const Json& json) {
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    const auto version = text::parse_number(record::text_of(json, "version"), most);
    const auto print = text::parse_number(record::text_of(json, "print"), most);
    if (!version || !print) return {};
    return {.version = version, .print = *print};
}

/// By the monotonic clock, and by that of the day for another node.
void add_moment(record::ObjectText& object, const char* key, Instant moment, const HostClock& clock) {
    object.number(key, moment.time_since_epoch().count());
    if (clock.boot.empty()) return;
    const auto ago = std::chrono::duration_cast<std::chrono::milliseconds>(clock.steady - moment);
    object.number(std::string(key) + "_ms", (clock.wall - ago).time_since_epoch().count());
}

std::optional<std::int64_t> whole_number_of(const Json& json, const std::string& key) {
    const auto found = json.find(key);
    const bool good = found != json.end() && found->is_number_integer();
    return good ? std::optional(found->get<std::int64_t>()) : std::nullopt;
}

std::optional<Instant> moment_of(const Json& json, const char* key, const HostClock& clock) {
    const std::string boot = record::text_of(json, "boot");
    if (boot.empty() || boot == clock.boot) {
        const auto moment = whole_number_of(json, key);
        return moment ? std::optional(Instant(Duration(*moment))) : std::nullopt;
    }
    const auto then = whole_number_of(json, std::string(key) + "_ms");
    constexpr std::int64_t year = 366LL * 24 * 3600 * 1000;
    const std::int64_t here = clock.wall.time_since_epoch().count() + clock.ahead.count();
    if (!then || *then > here || *then < here - year) return std::nullopt;
    return clock.steady - std::chrono::milliseconds(here - *then);
}

std::string whole_text(const SessionState& state, Announced ssrcs, const HostClock& clock) {
    std::string streams = "[";
    for (const SessionState::Stream& stream : state.streams) {
        if (streams.size() > 1) streams += ',';
        streams += stream_text(stream, ssrcs);
    }
    record::ObjectText object;
    object.text("call_id", state.call_id);
    if (!clock.boot.empty()) object.text("boot", clock.boot);
    if (state.began) add_moment(object, "began", *state.began, clock);
    if (state.answered) add_moment(object, "answered", *state.answered, clock);
    if (state.payer.sender != proxy::Sender::lan) object.text("payer", proxy::to_string(state.payer));
    object.raw("ends", "[" + end_text(state.ends[0], state.token.caller, state.told[0], ssrcs) + "," +
                           end_text(state.ends[1], state.token.callee, state.told[1], ssrcs) + "]");
    object.raw("streams", streams + "]");
    std::string reasons;  // words of ours: nothing to escape
    for (const nat::Reason reason : state.reasons)
        (reasons += reasons.empty() ? "\"" : ",\"") += nat::to_string(reason) + std::string("\"");
    object.raw("reasons", "[" + reasons + "]");
    return object.close();
}

}  // namespace

Result<std::string> state_text(const SessionState& state, const HostClock& clock) {
    for (const Announced ssrcs : {Announced::kept, Announced::left_out}) {
        std::string text = whole_text(state, ssrcs, clock);
        if (text.size() <= largest_state) return text;
    }
    return fail(Errc::exhausted, "call " + text::printable(state.call_id, 80) + ": " +
                                     std::to_string(state.streams.size()) +
                                     " streams are too many to be kept: it will not survive a restart of sipedge");
}

Result<SessionState> read_state(const Json& json, const HostClock& clock) {
    const auto ends = json.find("ends");
    const auto streams = json.find("streams");
    const bool whole = json.is_object() && ends != json.end() && ends->is_array() && ends->size() == 2 &&
                       streams != json.end() && streams->is_array();
    if (!whole) return fail(Errc::bad_input, "not the state of a call");
    SessionState state;
    state.call_id = record::text_of(json, "call_id");
    state.began = moment_of(json, "began", clock);
    state.answered = moment_of(json, "answered", clock);
    state.payer = proxy::parse_payer(record::text_of(json, "payer"));
    for (std::size_t i = 0; i < 2; ++i) {
        auto end = read_end((*ends)[i]);
        if (!end) return std::unexpected(end.error());
        state.ends[i] = std::move(*end);
        const auto named = sip::parse_flow(record::text_of((*ends)[i], "token"));
        (i == 0 ? state.token.caller : state.token.callee) = named ? *named : state.ends[i].flow;
        if (const auto told = (*ends)[i].find("told"); told != (*ends)[i].end() && told->is_object())
            state.told[i] = read_number(*told);
    }
    if (const auto reasons = json.find("reasons"); reasons != json.end() && reasons->is_array()) {
        for (const Json& word : *reasons) {
            const auto reason = word.is_string() ? nat::parse_reason(word.get<std::string>()) : std::nullopt;
            if (reason) state.reasons.push_back(*reason);
        }
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
        const auto kind = relay::parse_stream(record::text_of(known, "stream"));
        if (!kind) return fail(Errc::bad_input, "not the state of a stream");
        stream.kind = *kind;
        stream.mux = record::flag_of(known, "mux");
        stream.hold = record::flag_of(known, "hold");
        stream.codec = record::text_of(known, "codec");
    }
    return state;
}

}  // namespace natkit::edge
