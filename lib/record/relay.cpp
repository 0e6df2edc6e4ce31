#include "natkit/record/relay.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "natkit/base/text.hpp"
#include "natkit/relay/tcp.hpp"

namespace natkit::record {
namespace {

using Json = nlohmann::ordered_json;
using relay::Component;

double milliseconds(Duration duration) {
    return static_cast<double>(std::chrono::duration_cast<std::chrono::microseconds>(duration).count()) / 1000.0;
}

/// A string, or nothing; the wrong type counts as nothing to read, and is told by `read`'s error.
std::optional<std::string_view> string_at(const ObjectView& object, const char* key) {
    const auto found = object.find(key);
    if (!found) return std::nullopt;
    return found->string().value_or("\x01");  // no value has this
}

std::string view_text(const ObjectView& object, const char* key) {
    return std::string(string_at(object, key).value_or(""));
}

bool flag_at(const ObjectView& object, const char* key) {
    const auto found = object.find(key);
    return found && found->flag().value_or(false);
}

std::unexpected<Error> wrong(const std::string& key, std::string_view value, const char* form) {
    return fail(Errc::bad_input, "not " + std::string(form) + ": '" + text::printable(value, 60) + "'", key);
}

/// Parses a key that may be missing.
template <class Value>
Result<std::optional<Value>> read(const ObjectView& object, const char* prefix, const char* key, const char* form) {
    const auto given = string_at(object, key);
    if (!given) return std::optional<Value>();
    auto value = Value::parse(*given);
    if (!value) return wrong(std::string(prefix) + key, *given, form);
    return std::optional<Value>(std::move(*value));
}

template <class Enum, std::size_t N>
Result<Enum> word(const ObjectView& object, const std::string& key, const std::array<Enum, N>& values) {
    const auto given = string_at(object, key.c_str() + key.rfind('.') + 1);  // all of it, where there is no dot
    for (const Enum value : values) {
        if (given && *given == to_string(value)) return value;
    }
    std::string choices;
    for (const Enum value : values) {
        choices += (choices.empty() ? "'" : ", '") + std::string(to_string(value)) + "'";
    }
    if (!given) return fail(Errc::bad_input, "missing; one of " + choices, key);
    return fail(Errc::bad_input, "'" + text::printable(*given, 40) + "' is not one of " + choices, key);
}

constexpr std::array states{LegState::reserved, LegState::open, LegState::joined, LegState::parted};
constexpr std::array rules{relay::SourceRule::exact, relay::SourceRule::port_learned, relay::SourceRule::latch,
                           relay::SourceRule::rebind, relay::SourceRule::forwarded_port};
constexpr std::array streams{relay::Stream::rtp, relay::Stream::udp, relay::Stream::tcp, relay::Stream::t120};
constexpr std::array setups{sdp::Setup::active, sdp::Setup::passive, sdp::Setup::actpass, sdp::Setup::holdconn};
constexpr std::array source_policies{relay::SourcePolicy::exact,    relay::SourcePolicy::learn_port,
                                     relay::SourcePolicy::one_port, relay::SourcePolicy::any_port,
                                     relay::SourcePolicy::latch,    relay::SourcePolicy::first_source};
constexpr std::array directions{sdp::Direction::sendrecv, sdp::Direction::sendonly, sdp::Direction::recvonly,
                                sdp::Direction::inactive};
constexpr std::array components{Component::rtp, Component::rtcp};

Json packets(std::uint64_t count, std::uint64_t bytes) {
    return {{"packets", count}, {"bytes", bytes}};
}

}  // namespace

const char* to_string(LegState state) noexcept {
    switch (state) {
        case LegState::reserved: return "reserved";
        case LegState::open: return "open";
        case LegState::joined: return "joined";
        case LegState::parted: return "parted";
    }
    return "unknown";
}

Endpoint LegRecord::local(Component component) const noexcept {
    const bool second = component == Component::rtcp && has_rtcp();
    return {advertised, static_cast<std::uint16_t>(bound.port + (second ? 1 : 0))};
}

Json to_json(const relay::Party& party) {
    Json object = {{"place", nat::to_string(party.place)}};
    if (party.endpoint) object["endpoint"] = natkit::to_string(*party.endpoint);
    if (party.rtcp) object["rtcp"] = natkit::to_string(*party.rtcp);
    if (party.visible) object["visible"] = natkit::to_string(*party.visible);
    if (party.site) object["site"] = natkit::to_string(*party.site);
    if (party.setup) object["setup"] = sdp::to_string(*party.setup);
    if (party.direction != sdp::Direction::sendrecv) object["direction"] = sdp::to_string(party.direction);
    for (std::size_t i = 0; i < party.ssrcs.count; ++i) object["ssrc"].push_back(party.ssrcs.values[i]);
    if (party.sources) object["sources"] = relay::to_string(*party.sources);
    if (party.unproven) object["unproven"] = true;
    return object;
}

namespace {

/// What a party's description says beside where it is.
Result<void> parse_description(const ObjectView& object, relay::Party& party) {
    if (object.contains("setup")) {
        const auto setup = word(object, "party.setup", setups);
        if (!setup) return std::unexpected(setup.error());
        party.setup = *setup;
    }
    if (object.contains("direction")) {
        const auto direction = word(object, "party.direction", directions);
        if (!direction) return std::unexpected(direction.error());
        party.direction = *direction;
    }
    if (const auto found = object.find("ssrc")) {
        const auto list = found->list();
        if (!list) return fail(Errc::bad_input, "not a list of numbers", "party.ssrc");
        for (const ValueView& each : *list) {
            const auto ssrc = each.number();
            if (!ssrc || *ssrc > 0xffffffffU) return fail(Errc::bad_input, "not an SSRC of 32 bits", "party.ssrc");
            party.ssrcs.add(static_cast<std::uint32_t>(*ssrc));
        }
    }
    if (object.contains("sources")) {
        const auto sources = word(object, "party.sources", source_policies);
        if (!sources) return std::unexpected(sources.error());
        party.sources = *sources;
    }
    party.unproven = flag_at(object, "unproven");
    return {};
}

}  // namespace

Result<relay::Party> parse_party(const ObjectView& object) {
    relay::Party party;
    const auto place = word(object, "party.place", std::array{nat::Place::lan, nat::Place::wan, nat::Place::far_end});
    const auto endpoint = read<Endpoint>(object, "party.", "endpoint", "an address with a port");
    const auto rtcp = read<Endpoint>(object, "party.", "rtcp", "an address with a port");
    const auto visible = read<IpAddress>(object, "party.", "visible", "an address");
    const auto site = read<IpRange>(object, "party.", "site", "an address or a range");
    if (!place) return std::unexpected(place.error());
    if (!endpoint) return std::unexpected(endpoint.error());
    if (!rtcp) return std::unexpected(rtcp.error());
    if (!visible) return std::unexpected(visible.error());
    if (!site) return std::unexpected(site.error());
    party = {.place = *place, .endpoint = *endpoint, .rtcp = *rtcp, .visible = *visible, .site = *site, .setup = {}};
    if (auto parsed = parse_description(object, party); !parsed) return std::unexpected(parsed.error());
    if (party.site && party.visible && !party.site->contains(*party.visible)) {
        return fail(Errc::bad_input, "'" + natkit::to_string(*party.site) + "' does not hold the visible address",
                    "party.site");
    }
    return party;
}

Json to_json(const LegRecord& leg) {
    Json record = {{"type", "leg"}, {"leg", leg.id}};
    if (!leg.call_id.empty()) record["call_id"] = leg.call_id;
    record["state"] = to_string(leg.state);
    record["stream"] = relay::to_string(leg.stream);
    record["side"] = to_string(leg.side);
    record["family"] = natkit::to_string(leg.bound.address.family());
    record["local"] = natkit::to_string(leg.local(Component::rtp));
    if (leg.has_rtcp()) record["rtcp"] = natkit::to_string(leg.local(Component::rtcp));
    if (leg.advertised != leg.bound.address) record["bound"] = natkit::to_string(leg.bound);
    if (leg.mux) record["mux"] = true;
    if (leg.connections != 1) record["connections"] = leg.connections;
    if (leg.tos) record["tos"] = *leg.tos;
    if (leg.hold) record["hold"] = true;
    if (leg.party) record["party"] = to_json(*leg.party);
    if (!leg.joined.empty()) record["joined"] = leg.joined;
    for (const Component component : components) {
        const auto& latched = leg.latched[static_cast<std::size_t>(component)];
        if (!latched) continue;
        Json& told = record["latched"][relay::to_string(component)];
        told = {{"endpoint", natkit::to_string(latched->endpoint)}, {"rule", relay::to_string(latched->rule)}};
        if (latched->provisional) told["provisional"] = true;
        if (latched->ssrc) told["ssrc"] = *latched->ssrc;
    }
    if (!leg.owner.empty()) record["owner"] = leg.owner;
    if (!leg.owner_state.empty()) record["owner_state"] = Json::parse(leg.owner_state, nullptr, false);
    record["opened_ms"] = leg.opened.time_since_epoch().count();
    return record;
}

namespace {

Result<std::optional<LegRecord::Latched>> parse_latched(const ObjectView& entry) {
    const auto endpoint = read<Endpoint>(entry, "latched.", "endpoint", "an address with a port");
    const auto rule = word(entry, "latched.rule", rules);
    if (!endpoint) return std::unexpected(endpoint.error());
    if (!rule) return std::unexpected(rule.error());
    if (!*endpoint) return std::optional<LegRecord::Latched>();
    LegRecord::Latched latched{
        .endpoint = **endpoint, .rule = *rule, .provisional = flag_at(entry, "provisional"), .ssrc = {}};
    if (const auto ssrc = entry.find("ssrc"); ssrc && ssrc->number() && *ssrc->number() <= 0xffffffffU)
        latched.ssrc = static_cast<std::uint32_t>(*ssrc->number());
    return std::optional(latched);
}

}  // namespace

Result<LegRecord> parse_leg(const ObjectView& record) {
    LegRecord leg;
    leg.id = view_text(record, "leg");
    leg.call_id = view_text(record, "call_id");
    const auto state = word(record, "state", states);
    const auto stream = word(record, "stream", streams);
    const auto side = word(record, "side", std::array{relay::Side::lan, relay::Side::wan});
    const auto local = read<Endpoint>(record, "", "local", "an address with a port");
    const auto bound = read<Endpoint>(record, "", "bound", "an address with a port");
    if (!state) return std::unexpected(state.error());
    if (!stream) return std::unexpected(stream.error());
    if (!side) return std::unexpected(side.error());
    if (!local) return std::unexpected(local.error());
    if (!bound) return std::unexpected(bound.error());
    if (!*local || leg.id.empty()) return fail(Errc::bad_input, "a leg without its id or its local endpoint", "leg");
    leg.state = *state;
    leg.stream = *stream;
    leg.side = *side;
    leg.bound = *bound ? **bound : **local;
    leg.advertised = (*local)->address;
    leg.mux = flag_at(record, "mux");
    leg.hold = flag_at(record, "hold");
    if (const auto tos = record.find("tos"); tos && tos->number() && *tos->number() <= 255)
        leg.tos = static_cast<std::uint8_t>(*tos->number());
    if (const auto limit = record.find("connections"); limit && limit->number()) {
        const std::uint64_t most = relay::max_connections;
        leg.connections = static_cast<unsigned>(std::clamp(*limit->number(), std::uint64_t{1}, most));
    }
    if (const auto party = record.find("party")) {
        const auto object = party->object();
        if (!object) return fail(Errc::bad_input, "not an object", "party");
        auto parsed = parse_party(*object);
        if (!parsed) return std::unexpected(parsed.error());
        leg.party = *parsed;
    }
    leg.joined = view_text(record, "joined");
    const auto latched = record.find("latched");
    if (const auto both = latched ? latched->object() : std::nullopt) {
        for (const Component component : components) {
            const auto found = both->find(relay::to_string(component));
            const auto entry = found ? found->object() : std::nullopt;
            if (!entry) continue;
            auto parsed = parse_latched(*entry);
            if (!parsed) return std::unexpected(parsed.error());
            leg.latched[static_cast<std::size_t>(component)] = *parsed;
        }
    }
    leg.owner = view_text(record, "owner");
    if (const auto kept = record.find("owner_state")) leg.owner_state = kept->text();
    leg.request = view_text(record, "request");
    if (const auto opened = record.find("opened_ms"); opened && opened->whole_number()) {
        leg.opened = WallTime(std::chrono::milliseconds(*opened->whole_number()));
    }
    return leg;
}

Json to_json(const LegStatistics& statistics) {
    const relay::Counters& rtp = statistics.counters[0];
    const relay::Counters& rtcp = statistics.counters[1];
    Json received = packets(rtp.received_packets, rtp.received_bytes);
    if (statistics.expected > 0) {
        received["lost"] = statistics.lost;
        if (statistics.jitter) received["jitter_ms"] = milliseconds(*statistics.jitter);
    }
    if (rtp.last_received != Instant{}) {
        received["idle_ms"] =
            std::chrono::duration_cast<std::chrono::milliseconds>(statistics.taken - rtp.last_received).count();
    }
    Json object = {{"received", std::move(received)}, {"sent", packets(rtp.sent_packets, rtp.sent_bytes)}};
    if (const auto& connections = statistics.connections) {
        for (const char* direction : {"received", "sent"}) object[direction].erase("packets");
        Json& told = object["connections"] = {{"open", connections->open.size()},
                                              {"waiting", connections->waiting},
                                              {"opened", connections->opened},
                                              {"failed", connections->failed}};
        for (const Connections::Open& each : connections->open) {
            told["remotes"].push_back(
                {{"endpoint", natkit::to_string(each.remote)}, {"rule", relay::to_string(each.rule)}});
        }
    }
    if (rtcp.received_packets + rtcp.sent_packets > 0) {
        object["rtcp"] = {{"received", packets(rtcp.received_packets, rtcp.received_bytes)},
                          {"sent", packets(rtcp.sent_packets, rtcp.sent_bytes)}};
    }
    for (std::size_t i = 0; i < relay::drop_count; ++i) {
        const std::uint64_t dropped = rtp.drops[i] + rtcp.drops[i];
        if (dropped > 0) object["drops"][relay::to_string(static_cast<relay::Drop>(i))] = dropped;
    }
    if (statistics.ssrc) object["ssrc"] = *statistics.ssrc;
    if (statistics.tier) object["tier"] = relay::to_string(*statistics.tier);
    if (statistics.not_forwarded) object["not_fast"] = relay::to_string(*statistics.not_forwarded);
    return object;
}

}  // namespace natkit::record
