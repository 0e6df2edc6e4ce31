// What the workers tell the engine, as records for watchers, log lines and changes of legs.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "natkit/base/text.hpp"
#include "natkit/engine/relay/engine.hpp"

namespace natkit::relay {
namespace {

using namespace std::chrono_literals;
using record::LegState;

/// The workers look for silent joins every second.
constexpr auto told_again_within = 2500ms;

std::string describe(const record::LegRecord& leg) {
    std::string text = "leg " + leg.id + " (" + to_string(leg.local(Component::rtp));
    if (!leg.call_id.empty()) text += ", call " + text::printable(leg.call_id, 80);
    return text + ")";
}

std::int64_t milliseconds(Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

record::LegRecord::Latched latched_by(const Event& event, const record::LegRecord& leg) {
    return {.endpoint = event.endpoint,
            .rule = event.rule,
            .provisional = leg.stream == Stream::rtp && !event.confirmed,
            .ssrc = event.confirmed ? event.ssrc : std::nullopt};
}

void add_call(Json& record, const record::LegRecord& leg) {
    if (!leg.call_id.empty()) record["call_id"] = leg.call_id;
}

const char* explain(Cause cause) {
    switch (cause) {
        case Cause::none: return "";
        case Cause::never_sent: return "it has never sent: a wrong address in its SDP, a firewall, or it waits";
        case Cause::not_latched: return "nothing has come from behind its NAT, so nothing can be sent there";
        case Cause::source_refused: return "its packets come from an endpoint that the source rules refuse";
        case Cause::stopped: return "it has stopped sending";
    }
    return "";
}

}  // namespace

Json Engine::session_record(const record::LegRecord& a, const record::LegRecord& b) {
    Json record = {{"type", "session"}, {"event", ""}};
    add_call(record, a);
    if (b.call_id != a.call_id && !b.call_id.empty()) record["other_call_id"] = b.call_id;
    record["a"] = a.id;
    record["b"] = b.id;
    return record;
}

void Engine::publish_leg(const Entry& entry, const char* event) {
    if (log_.on(LogLevel::low_level)) log_.low_level(describe(entry.leg) + " " + event);
    if (!wanted("leg")) return;
    Json record = record::to_json(entry.leg);
    record["event"] = event;
    on_record_(record);
}

void Engine::publish_session(const record::LegRecord& a, const record::LegRecord& b, const char* event) {
    if (!wanted("session")) return;
    Json record = session_record(a, b);
    record["event"] = event;
    on_record_(record);
}

void Engine::on_events(const std::vector<Event>& events) {
    if (standby_) return;  // it has just become one
    const Batch one(*this);
    for (const Event& event : events) {
        switch (event.kind) {
            case Event::Kind::latched: on_latched(event); break;
            case Event::Kind::confirmed: on_confirmed(event); break;
            case Event::Kind::proven: on_proven(event); break;
            case Event::Kind::refused: on_refused(event); break;
            case Event::Kind::audio: on_audio(event); break;
            case Event::Kind::timed_out: on_timed_out(event); break;
            case Event::Kind::connected:
            case Event::Kind::disconnected: on_connection(event); break;
        }
    }
}

void Engine::on_latched(const Event& event) {
    const auto found = legs_.find(event.leg);
    if (found == legs_.end()) return;
    record::LegRecord& leg = found->second.leg;
    leg.latched[static_cast<std::size_t>(event.component)] = latched_by(event, leg);
    save({&found->second});
    Json record = {{"type", "latch"}, {"leg", leg.id}};
    add_call(record, leg);
    record["component"] = to_string(event.component);
    record["rule"] = to_string(event.rule);
    record["endpoint"] = to_string(event.endpoint);
    if (event.before) record["before"] = to_string(*event.before);
    if (leg.latched[static_cast<std::size_t>(event.component)]->provisional) record["provisional"] = true;
    if (log_.on(LogLevel::major)) {
        log_.major(describe(leg) + ": " + to_string(event.component) + " comes from " + to_string(event.endpoint) +
                   (event.before ? ", before from " + to_string(*event.before) : std::string()) + ", by rule " +
                   to_string(event.rule));
    }
    on_record_(record);
}

/// The source is the same, and no longer provisional: the journal needs to know, watchers do not.
void Engine::on_confirmed(const Event& event) {
    const auto found = legs_.find(event.leg);
    if (found == legs_.end()) return;
    record::LegRecord& leg = found->second.leg;
    leg.latched[static_cast<std::size_t>(event.component)] = latched_by(event, leg);
    save_later(found->second);
    if (log_.on(LogLevel::low_level)) {
        log_.low_level(describe(leg) + ": " + to_string(event.component) + " from " + to_string(event.endpoint) +
                       " is confirmed");
    }
}

void Engine::on_proven(const Event& event) {
    const auto found = legs_.find(event.leg);
    if (found == legs_.end() || !found->second.leg.party) return;
    found->second.leg.party->unproven = false;
    save({&found->second});
    if (event.cut) {
        log_.major(describe(found->second.leg) + ": a packet has come from " + to_string(event.endpoint) +
                   ", media is sent there again");
    }
}

void Engine::on_refused(const Event& event) {
    const auto found = legs_.find(event.leg);
    if (found == legs_.end()) return;
    const record::LegRecord& leg = found->second.leg;
    if (is_tcp(leg.stream)) return on_connection_refused(found->second, event);
    Json record = {{"type", "drop"}, {"leg", leg.id}};
    add_call(record, leg);
    record["component"] = to_string(event.component);
    record["reason"] = to_string(event.reason);
    const bool outward = event.reason == Drop::not_sent || event.reason == Drop::unproven;
    record[outward ? "destination" : "source"] = to_string(event.endpoint);
    if (leg.party) {
        record["rule"] = to_string(source_policy(*leg.party, options_.source_port_restriction));
    }
    if (log_.on(LogLevel::problems)) {
        const bool unproven = event.reason == Drop::unproven;
        log_.problems(describe(leg) + ": " +
                      (unproven                         ? "sends no more media to "
                       : event.reason == Drop::not_sent ? "cannot send to "
                                                        : "refused packets from ") +
                      to_string(event.endpoint) + ": " +
                      (unproven ? "a stranger named it, and nothing has come from there ([media_proxy] unproven_media)"
                                : to_string(event.reason)));
    }
    on_record_(record);
}

void Engine::on_audio(const Event& event) {
    const auto a = legs_.find(event.leg);
    const auto b = legs_.find(event.other);
    if (a == legs_.end() || b == legs_.end()) return;
    Json record = session_record(a->second.leg, b->second.leg);
    record["event"] = to_string(event.audio);
    const auto mute = legs_.find(event.mute);
    if (event.mute != 0 && mute != legs_.end()) {
        record["mute"] = mute->second.leg.id;
        record["cause"] = to_string(event.cause);
        if (log_.on(LogLevel::problems)) {
            log_.problems("one-way audio, nothing is heard from the party of " + describe(mute->second.leg) + ": " +
                          explain(event.cause));
        }
    } else if (log_.on(LogLevel::low_level)) {
        log_.low_level(describe(a->second.leg) + " and leg " + b->second.leg.id + ": audio is " +
                       to_string(event.audio));
    }
    on_record_(record);
}

/// A muted camera ends no call: a join lives while any other of its call is not silent for too long itself.
bool Engine::call_goes_on(const Entry& entry) const {
    const record::LegRecord& leg = entry.leg;
    const auto [first, last] = by_call_.equal_range(leg.call_id);
    return !leg.call_id.empty() && std::any_of(first, last, [&](const auto& each) {
        const auto other = legs_.find(each.second);
        return other != legs_.end() && other->second.leg.state == LegState::joined && other->second.leg.id != leg.id &&
               other->second.leg.id != leg.joined && other->second.silent_until <= loop_.now();
    });
}

void Engine::on_timed_out(const Event& event) {
    const auto found = legs_.find(event.leg);
    if (found == legs_.end()) return;
    const record::LegRecord& leg = found->second.leg;
    if (id_of(event.other) != leg.joined && !(event.other == 0 && leg.joined.empty()))
        return;  // joined otherwise meanwhile
    if (event.other == 0 && (leg.state == LegState::parted || leg.state == LegState::reserved)) return;
    if (event.other != 0) {
        for (const LegKey key : {event.leg, event.other}) {
            if (const auto silent = legs_.find(key); silent != legs_.end())
                silent->second.silent_until = loop_.now() + told_again_within;
        }
        if (call_goes_on(found->second)) return;
    }
    Json record = {{"type", "timeout"}};
    add_call(record, leg);
    record["legs"] = Json::array({leg.id});
    if (event.other != 0) record["legs"].push_back(leg.joined);
    record["silent_ms"] = milliseconds(event.silent);
    record["reason"] = event.other == 0 ? "never-joined" : event.hold ? "hold-timeout" : "timeout";
    const char* silence = is_tcp(leg.stream) ? ": no connection for " : ": no packets for ";
    log_.major(describe(leg) + (event.other == 0 ? ": nobody joined it for " : " and leg " + leg.joined + silence) +
               natkit::to_string(std::chrono::floor<std::chrono::milliseconds>(event.silent)) +
               (event.hold ? " on hold" : "") + ", freed");
    on_record_(record);
    const std::string other = leg.joined;
    (void)free(std::string(leg.id), "timed-out");
    if (!other.empty()) (void)free(other, "timed-out");
}

}  // namespace natkit::relay
