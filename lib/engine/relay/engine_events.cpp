// What the engine tells: records for watchers, log lines, the journal; and what it takes back from the journal.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "natkit/base/text.hpp"
#include "natkit/engine/relay/engine.hpp"

namespace natkit::mediarelay {
namespace {

using namespace std::chrono_literals;
using record::LegState;
using relay::Component;
using relay::LegKey;

/// The planes look at their joins every second.
constexpr auto told_again_within = 2500ms;
constexpr Duration late_save = 1s;
constexpr Duration mend_every = 5s;

std::string describe(const record::Leg& leg) {
    std::string text = "leg " + leg.id + " (" + to_string(leg.local(Component::rtp));
    if (!leg.call_id.empty()) text += ", call " + text::printable(leg.call_id, 80);
    return text + ")";
}

std::int64_t milliseconds(Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

record::Leg::Latched latched_by(const relay::Event& event, const record::Leg& leg) {
    return {.endpoint = event.endpoint,
            .rule = event.rule,
            .provisional = leg.stream == relay::Stream::rtp && !event.confirmed,
            .ssrc = event.confirmed ? event.ssrc : std::nullopt};
}

void add_call(Json& record, const record::Leg& leg) {
    if (!leg.call_id.empty()) record["call_id"] = leg.call_id;
}

const char* explain(relay::Cause cause) {
    switch (cause) {
        case relay::Cause::none: return "";
        case relay::Cause::never_sent: return "it has never sent: a wrong address in its SDP, a firewall, or it waits";
        case relay::Cause::not_latched: return "nothing has come from behind its NAT, so nothing can be sent there";
        case relay::Cause::source_refused: return "its packets come from an endpoint that the source rules refuse";
        case relay::Cause::stopped: return "it has stopped sending";
    }
    return "";
}

}  // namespace

Json Engine::session_record(const record::Leg& a, const record::Leg& b) {
    Json record = {{"type", "session"}, {"event", ""}};
    add_call(record, a);
    if (b.call_id != a.call_id && !b.call_id.empty()) record["other_call_id"] = b.call_id;
    record["a"] = a.id;
    record["b"] = b.id;
    return record;
}

void Engine::tell_leg(const Entry& entry, const char* event) {
    if (log_.on(LogLevel::low_level)) log_.low_level(describe(entry.leg) + " " + event);
    if (!wanted("leg")) return;
    Json record = record::to_json(entry.leg);
    record["event"] = event;
    on_record_(record);
}

void Engine::tell_session(const record::Leg& a, const record::Leg& b, const char* event) {
    if (!wanted("session")) return;
    Json record = session_record(a, b);
    record["event"] = event;
    on_record_(record);
}

void Engine::save(std::initializer_list<Entry*> entries) {
    if (!journal_) return;
    const Together one(*this);
    for (Entry* entry : entries) {
        if (!std::exchange(entry->unsaved, true)) unsaved_.push_back(key_of(entry->leg.id));
    }
}

void Engine::save_freed(LegKey key) {
    if (!journal_) return;
    const Together one(*this);
    unsaved_.push_back(key);
}

void Engine::save_later(Entry& entry) {
    if (!journal_ || std::exchange(entry.unsaved, true)) return;
    unsaved_.push_back(key_of(entry.leg.id));
    if (!late_save_.active()) late_save_.start_in(late_save);
}

void Engine::write_unsaved() {
    if (unsaved_.empty()) return;
    std::vector<std::string> records;
    records.reserve(unsaved_.size());  // what points into it stays valid
    std::vector<Journal::Change> changes;
    changes.reserve(unsaved_.size());
    for (const LegKey key : unsaved_) {
        const auto found = legs_.find(key);
        if (found == legs_.end()) {
            changes.push_back({.id = id_of(key), .record = nullptr});
        } else if (std::exchange(found->second.unsaved, false)) {
            records.push_back(record::journal_text(found->second.leg));
            changes.push_back({.id = found->second.leg.id, .record = &records.back()});
        }
    }
    unsaved_.clear();
    journal(changes);
}

void Engine::journal(const std::vector<Journal::Change>& changes) {
    if (!journal_) return;
    (void)journal_->write(changes);
    say_journal(journal_->broken());
}

/// Told when it begins and when it ends; meanwhile it is tried again, whether or not anything changes.
void Engine::say_journal(const std::optional<Error>& why) {
    if (why && journal_error_.empty()) {
        log_.failures("the journal cannot be written, calls would not survive a restart: " + to_string(*why));
    }
    if (!why && !journal_error_.empty()) log_.major("the journal can be written again");
    journal_error_ = why ? to_string(*why) : std::string();
    if (why && !mend_timer_.active()) mend_timer_.start_in(mend_every);
}

/// Calls are worth more than what a restart would need: without a journal mediarelay serves all the same.
Result<void> Engine::open_journal() {
    auto opened = Journal::open(options_.journal, read_boot_id());
    if (!opened) {
        if (opened.error().code == Errc::refused) return std::unexpected(opened.error());
        say_journal(opened.error());
        return {};
    }
    for (const std::string& message : opened->messages) log_.major(message);
    journal_ = std::move(opened->journal);
    say_journal(journal_->broken());
    restore(opened->legs);
    return {};
}

void Engine::mend_journal() {
    if (!journal_) {
        auto opened = Journal::open(options_.journal, read_boot_id());
        if (!opened) return say_journal(opened.error());
        journal_ = std::move(opened->journal);
        // What it says is from before; what is alive is here.
        std::vector<Journal::Change> stale;
        std::vector<std::string> ids;
        record::ObjectReader reader;
        for (const std::string& text : opened->legs) {
            const auto record = reader.read(text);
            ids.emplace_back(record ? record->string("leg").value_or("") : "");
        }
        for (const std::string& id : ids) stale.push_back({.id = id, .record = nullptr});
        journal(stale);
    }
    const Together all(*this);
    for (auto& [key, entry] : legs_) save({&entry});
    if (legs_.empty()) journal({});
}

void Engine::restore(const std::vector<std::string>& records) {
    const Together all(*this);
    record::ObjectReader reader;
    std::vector<record::Leg> legs;
    const auto lose = [this](const std::string& id, const Error& why) {
        log_.failures("leg " + text::printable(id, 40) + " of the journal is lost: " + to_string(why));
        journal({{.id = id, .record = nullptr}});
    };
    for (const std::string& text : records) {
        const auto record = reader.read(text);
        auto leg = record ? record::parse_leg(*record) : Result<record::Leg>(std::unexpected(record.error()));
        if (leg) {
            legs.push_back(std::move(*leg));
        } else {
            lose(std::string(record ? record->string("leg").value_or("") : ""), leg.error());
        }
    }
    std::ranges::sort(legs, {}, &record::Leg::opened);
    for (record::Leg& leg : legs) {
        const std::string id = leg.id;
        if (auto done = restore_leg(std::move(leg)); !done) lose(id, done.error());
    }
    for (auto& [key, entry] : legs_) {
        record::Leg& leg = entry.leg;
        const auto peer = legs_.find(key_of(leg.joined));
        const bool both =
            peer != legs_.end() && peer->second.leg.joined == leg.id && peer->second.in_plane && entry.in_plane;
        if (!both) {
            leg.joined.clear();
            if (leg.state == LegState::joined) leg.state = LegState::open;
        } else if (key < peer->first) {
            bring_together(entry, peer->second);
            post(entry.worker, [x = key, y = peer->first](Plane& plane) { plane.join(x, y); });
            ++joins_;
        }
    }
    if (!legs_.empty()) {
        log_.major("took up " + std::to_string(legs_.size()) + " legs and " + std::to_string(joins_) +
                   " sessions of the process before");
    }
}

Result<void> Engine::restore_leg(record::Leg leg) {
    const LegKey key = key_of(leg.id);
    if (key == 0 || legs_.contains(key)) return fail(Errc::bad_input, "not an id", "leg");
    const auto kind = leg.has_pair() ? relay::Ports::Kind::pair : relay::Ports::Kind::single;
    if (!ports_.restore(leg.bound, kind)) {
        return fail(Errc::refused, to_string(leg.bound) + " is no longer among the media ports");
    }
    Entry entry;
    entry.leg = std::move(leg);
    entry.order = ++last_order_;
    entry.worker = choose_worker(entry.leg);
    const Transport transport = relay::is_tcp(entry.leg.stream) ? Transport::tcp : Transport::udp;
    if (entry.leg.state == LegState::open || entry.leg.state == LegState::joined) {
        auto sockets = ports_.bind(entry.leg.bound, kind, transport);
        // The process before may still be on its way out.
        for (int i = 0; i < 20 && !sockets && sockets.error().code == Errc::refused; ++i) {
            std::this_thread::sleep_for(10ms);
            sockets = ports_.bind(entry.leg.bound, kind, transport);
        }
        if (!sockets) {
            ports_.give_back(entry.leg.bound, kind, loop_.now());
            return std::unexpected(sockets.error());
        }
        hand_over(entry, std::move(*sockets));
        for (const Component component : {Component::rtp, Component::rtcp}) {
            if (const auto& latched = entry.leg.latched[static_cast<std::size_t>(component)]) {
                const relay::Latch::Known holder{.source = latched->endpoint,
                                                 .rule = latched->rule,
                                                 .confirmed = !latched->provisional,
                                                 .ssrc = latched->ssrc};
                post(entry.worker, [key, component, holder](Plane& plane) { plane.restore(key, component, holder); });
            }
        }
        if (entry.leg.hold) post(entry.worker, [key](Plane& plane) { plane.set_hold(key, true); });
    }
    if (!entry.leg.request.empty()) restored_requests_[entry.leg.request] = key;
    by_call_.emplace(entry.leg.call_id, key);
    legs_[key] = std::move(entry);
    return {};
}

void Engine::collect(const std::string& leg, OnStatistics on_statistics) {
    struct Gathered {
        Plane::Statistics statistics;
        std::size_t missing = 0;
        OnStatistics done;
    };
    auto gathered = std::make_shared<Gathered>();
    gathered->done = std::move(on_statistics);
    const auto found = legs_.find(key_of(leg));
    std::vector<unsigned> asked;
    for (unsigned i = 0; i < workers_.size(); ++i) {
        if (leg.empty() || (found != legs_.end() && found->second.worker == i)) asked.push_back(i);
    }
    gathered->missing = asked.size();
    const LegKey key = leg.empty() ? 0 : key_of(leg);
    for (const unsigned worker : asked) {
        post(worker, [this, alive = alive_, gathered, key](Plane& plane) {
            auto part = std::make_shared<Plane::Statistics>();
            plane.collect(key, *part);
            (void)loop_.post([alive, gathered, part] {
                gathered->statistics.merge(*part);
                if (--gathered->missing == 0 && *alive) gathered->done(std::move(gathered->statistics));
            });
        });
    }
    if (asked.empty()) gathered->done({});
}

void Engine::on_events(const std::vector<relay::Event>& events) {
    const Together one(*this);
    for (const relay::Event& event : events) {
        switch (event.kind) {
            case relay::Event::Kind::latched: on_latched(event); break;
            case relay::Event::Kind::confirmed: on_confirmed(event); break;
            case relay::Event::Kind::proven: on_proven(event); break;
            case relay::Event::Kind::refused: on_refused(event); break;
            case relay::Event::Kind::flow: on_flow(event); break;
            case relay::Event::Kind::timed_out: on_timed_out(event); break;
            case relay::Event::Kind::connected:
            case relay::Event::Kind::disconnected: on_connection(event); break;
        }
    }
}

void Engine::on_latched(const relay::Event& event) {
    const auto found = legs_.find(event.leg);
    if (found == legs_.end()) return;
    record::Leg& leg = found->second.leg;
    leg.latched[static_cast<std::size_t>(event.component)] = latched_by(event, leg);
    save({&found->second});
    Json record = {{"type", "latch"}, {"leg", leg.id}};
    add_call(record, leg);
    record["component"] = relay::to_string(event.component);
    record["rule"] = relay::to_string(event.rule);
    record["endpoint"] = to_string(event.endpoint);
    if (event.before) record["before"] = to_string(*event.before);
    if (leg.latched[static_cast<std::size_t>(event.component)]->provisional) record["provisional"] = true;
    if (log_.on(LogLevel::major)) {
        log_.major(describe(leg) + ": " + relay::to_string(event.component) + " comes from " +
                   to_string(event.endpoint) +
                   (event.before ? ", before from " + to_string(*event.before) : std::string()) + ", by rule " +
                   relay::to_string(event.rule));
    }
    on_record_(record);
}

/// The same source, and more than provisional now: no news for watchers, but for the journal.
void Engine::on_confirmed(const relay::Event& event) {
    const auto found = legs_.find(event.leg);
    if (found == legs_.end()) return;
    record::Leg& leg = found->second.leg;
    leg.latched[static_cast<std::size_t>(event.component)] = latched_by(event, leg);
    save_later(found->second);
    if (log_.on(LogLevel::low_level)) {
        log_.low_level(describe(leg) + ": " + relay::to_string(event.component) + " from " + to_string(event.endpoint) +
                       " is confirmed");
    }
}

void Engine::on_proven(const relay::Event& event) {
    const auto found = legs_.find(event.leg);
    if (found == legs_.end() || !found->second.leg.party) return;
    found->second.leg.party->unproven = false;
    save({&found->second});
    if (event.cut) {
        log_.major(describe(found->second.leg) + ": a packet has come from " + to_string(event.endpoint) +
                   ", media is sent there again");
    }
}

void Engine::on_refused(const relay::Event& event) {
    const auto found = legs_.find(event.leg);
    if (found == legs_.end()) return;
    const record::Leg& leg = found->second.leg;
    if (relay::is_tcp(leg.stream)) return on_connection_refused(found->second, event);
    Json record = {{"type", "drop"}, {"leg", leg.id}};
    add_call(record, leg);
    record["component"] = relay::to_string(event.component);
    record["reason"] = relay::to_string(event.reason);
    const bool outward = event.reason == relay::Drop::not_sent || event.reason == relay::Drop::unproven;
    record[outward ? "destination" : "source"] = to_string(event.endpoint);
    if (leg.party) {
        record["rule"] = relay::to_string(relay::source_policy(leg.party->place, options_.source_port_restriction));
    }
    if (log_.on(LogLevel::problems)) {
        const bool unproven = event.reason == relay::Drop::unproven;
        log_.problems(describe(leg) + ": " +
                      (unproven                                ? "sends no more media to "
                       : event.reason == relay::Drop::not_sent ? "cannot send to "
                                                               : "refused packets from ") +
                      to_string(event.endpoint) + ": " +
                      (unproven ? "a stranger named it, and nothing has come from there ([media_proxy] unproven_media)"
                                : relay::to_string(event.reason)));
    }
    on_record_(record);
}

void Engine::on_flow(const relay::Event& event) {
    const auto a = legs_.find(event.leg);
    const auto b = legs_.find(event.other);
    if (a == legs_.end() || b == legs_.end()) return;
    Json record = session_record(a->second.leg, b->second.leg);
    record["event"] = relay::to_string(event.flow);
    const auto mute = legs_.find(event.mute);
    if (event.mute != 0 && mute != legs_.end()) {
        record["mute"] = mute->second.leg.id;
        record["cause"] = relay::to_string(event.cause);
        if (log_.on(LogLevel::problems)) {
            log_.problems("one-way audio, nothing is heard from the party of " + describe(mute->second.leg) + ": " +
                          explain(event.cause));
        }
    } else if (log_.on(LogLevel::low_level)) {
        log_.low_level(describe(a->second.leg) + " and leg " + b->second.leg.id + ": audio is " +
                       relay::to_string(event.flow));
    }
    on_record_(record);
}

/// A muted camera ends no call: a join lives while any other of its call is not silent for too long itself.
bool Engine::call_goes_on(const Entry& entry) const {
    const record::Leg& leg = entry.leg;
    const auto [first, last] = by_call_.equal_range(leg.call_id);
    return !leg.call_id.empty() && std::any_of(first, last, [&](const auto& each) {
        const auto other = legs_.find(each.second);
        return other != legs_.end() && other->second.leg.state == LegState::joined && other->second.leg.id != leg.id &&
               other->second.leg.id != leg.joined && other->second.silent_until <= loop_.now();
    });
}

void Engine::on_timed_out(const relay::Event& event) {
    const auto found = legs_.find(event.leg);
    if (found == legs_.end()) return;
    const record::Leg& leg = found->second.leg;
    if (id_of(event.other) != leg.joined && !(event.other == 0 && leg.joined.empty()))
        return;  // joined otherwise meanwhile
    if (event.other == 0 && (leg.state == LegState::parted || leg.state == LegState::reserved)) return;
    if (event.other != 0) {
        for (const relay::LegKey key : {event.leg, event.other}) {
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
    const char* silence = relay::is_tcp(leg.stream) ? ": no connection for " : ": no packets for ";
    log_.major(describe(leg) + (event.other == 0 ? ": nobody joined it for " : " and leg " + leg.joined + silence) +
               to_string(std::chrono::floor<std::chrono::milliseconds>(event.silent)) + (event.hold ? " on hold" : "") +
               ", freed");
    on_record_(record);
    const std::string other = leg.joined;
    (void)free(std::string(leg.id), "timed-out");
    if (!other.empty()) (void)free(other, "timed-out");
}

}  // namespace natkit::mediarelay
