// What the engine tells of TCP legs.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "natkit/base/text.hpp"
#include "natkit/engine/relay/engine.hpp"

namespace natkit::relay {
namespace {

std::string describe_tcp(const record::LegRecord& leg) {
    std::string text = "leg " + leg.id + " (tcp " + to_string(leg.local(Component::rtp));
    if (!leg.call_id.empty()) text += ", call " + text::printable(leg.call_id, 80);
    return text + ")";
}

const char* explain(Drop reason) {
    switch (reason) {
        case Drop::no_party: return "no party is known for the leg yet";
        case Drop::wrong_address: return "not the party's address";
        case Drop::wrong_role: return "its party is to be connected to, or on hold: it does not connect itself";
        case Drop::too_many: return "too many connections are open";
        case Drop::not_connected: return "the other party cannot be reached";
        case Drop::not_met: return "the other party did not connect in time";
        default: return "";
    }
}

/// What the people at a far-end NAT can do (CommuniGate guide, NAT Traversal).
constexpr const char* remedies =
    "a party behind a far-end NAT cannot be connected to unless (1) its NAT forwards that port to it, (2) the other "
    "party opens the session, so that it connects itself, or (3) its network gets an edge of its own at its NAT, or a "
    "VPN to this LAN";

}  // namespace

void Engine::on_connection(const Event& event) {
    const auto a = legs_.find(event.leg);
    const auto b = legs_.find(event.other);
    if (a == legs_.end() || b == legs_.end()) return;
    const bool up = event.kind == Event::Kind::connected;
    Json record = session_record(a->second.leg, b->second.leg);
    record["event"] = up ? "connected" : "disconnected";
    const auto end = [&](const Endpoint& remote, SourceRule rule, std::uint64_t bytes) {
        Json each = {{"endpoint", to_string(remote)}};
        if (up) each["rule"] = to_string(rule);
        if (!up) each["received_bytes"] = bytes;
        return each;
    };
    record["ends"] = {{"a", end(event.endpoint, event.rule, event.bytes[0])},
                      {"b", end(*event.before, event.other_rule, event.bytes[1])}};
    if (!up) record["reason"] = to_string(event.ending);
    // The first connection is logged as major; a party that connects again and again does not fill the log.
    const bool first = up && (!a->second.connected || !b->second.connected);
    if (up) a->second.connected = b->second.connected = true;
    if (log_.on(first ? LogLevel::major : LogLevel::low_level)) {
        const std::string ends = to_string(event.endpoint) + " and " + to_string(*event.before);
        const std::string text = describe_tcp(a->second.leg) + " and leg " + b->second.leg.id + ": " + ends;
        const std::string news =
            up ? text + " are connected, by rules " + to_string(event.rule) + " and " + to_string(event.other_rule)
               : text + " are no longer connected (" + to_string(event.ending) + ")";
        if (first) {
            log_.major(news);
        } else {
            log_.low_level(news);
        }
    }
    on_record_(record);
}

void Engine::on_connection_refused(const Entry& entry, const Event& event) {
    const record::LegRecord& leg = entry.leg;
    const bool forwarded = event.rule == SourceRule::forwarded_port;
    Json record = {{"type", "drop"}, {"leg", leg.id}};
    if (!leg.call_id.empty()) record["call_id"] = leg.call_id;
    record["reason"] = to_string(event.reason);
    const bool outward = event.failure || event.reason == Drop::not_dialled;
    record[outward ? "destination" : "source"] = to_string(event.endpoint);
    if (event.failure) {
        record["rule"] = to_string(event.rule);
        record["cause"] = to_string(*event.failure);
    }
    if (log_.on(LogLevel::problems)) {
        const std::string who = describe_tcp(leg) + ": ";
        if (event.failure) {
            log_.problems(who + "cannot connect to " + to_string(event.endpoint) + ": " + to_string(*event.failure) +
                          (forwarded ? std::string("; ") + remedies : ""));
        } else if (event.reason == Drop::not_dialled) {
            log_.problems(who + "does not connect to " + to_string(event.endpoint) +
                          ": the party's signalling comes from " +
                          (leg.party && leg.party->visible ? to_string(*leg.party->visible) : "elsewhere") +
                          ", and the address is not in [media_proxy] dial_for");
        } else {
            log_.problems(who + "ended a connection from " + to_string(event.endpoint) + ": " + explain(event.reason));
        }
    }
    on_record_(record);
}

}  // namespace natkit::relay
