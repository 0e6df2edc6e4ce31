#include "natkit/ping/pinger.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "natkit/base/text.hpp"

namespace natkit::ping {
namespace {

constexpr std::size_t max_waiting = 10'000;
constexpr unsigned failures_are_death = 3;
constexpr unsigned unanswered_are_silence = 3;
constexpr Duration longest_retry = std::chrono::seconds(2);
constexpr Duration busy_retry = std::chrono::milliseconds(50);
constexpr unsigned busy_retries = 20;  ///< for a second; the next moment is not far then
constexpr std::string_view crlf_ping = "\r\n\r\n";

std::uint64_t scramble(std::uint64_t secret, std::uint64_t hash, std::uint64_t round) {
    std::array<char, 24> bytes{};
    for (std::size_t i = 0; i < 8; ++i) {
        bytes[i] = static_cast<char>(secret >> (8 * i));
        bytes[8 + i] = static_cast<char>(hash >> (8 * i));
        bytes[16 + i] = static_cast<char>(round >> (8 * i));
    }
    return stable_hash({bytes.data(), bytes.size()});
}

}  // namespace

const char* to_string(Method method) noexcept {
    return method == Method::crlf ? "crlf" : "options";
}

Pinger::Pinger(Options options, std::uint64_t secret, std::optional<Instant> missed_since)
    : options_(options), secret_(secret), missed_since_(missed_since), schedule_({.clients = options.clients_limit}) {}

std::optional<Duration> Pinger::interval_of(const Client& client) const {
    return client.transport == Transport::udp ? options_.udp_interval : options_.tcp_interval;
}

const Client* Pinger::find(const ClientId& id) const {
    const auto found = states_.find(id);
    return found == states_.end() ? nullptr : &found->second.client;
}

std::vector<Event> Pinger::on_client(Client client, Instant now) {
    std::vector<Event> events;
    if (client.place != nat::Place::far_end || !client.reached) {
        on_removed(client.id, now);
        return events;
    }
    const auto [entry, added] = states_.try_emplace(client.id);
    State& state = entry->second;
    state.epoch = epoch_;
    const bool moved = !added && (state.client.remote != client.remote || state.client.local != client.local ||
                                  state.client.connection != client.connection);
    if (moved) {
        state.answered_before = false;  // a new flow owes us nothing yet
        state.unanswered = state.failures = state.busy = 0;
    }
    state.client = std::move(client);
    if (!schedule_.contains(state.client.id)) {
        if (added) {
            admit(state, now, events);
        }
    } else if (const auto interval = interval_of(state.client)) {
        schedule_.change(state.client.id, Grid(*interval), now);
    } else {
        schedule_.remove(state.client.id);
    }
    return events;
}

/// Puts a client that is known, but not in the schedule, there; or among those that wait for room.
void Pinger::admit(State& state, Instant now, std::vector<Event>& events) {
    const auto interval = interval_of(state.client);
    if (!interval) return;
    const ClientId id = state.client.id;
    if (make_up_until_ && now >= *make_up_until_) {
        make_up_until_.reset();
        missed_since_.reset();
    }
    const auto missed_since = state.client.taken ? std::optional(now - *interval) : missed_since_;
    if (schedule_.add(id, Grid(*interval), now, missed_since) == Schedule::Added::refused) return refuse(state, events);
    if (options_.method == Method::options) by_hash_.insert_or_assign(stable_hash(id), id);
}

/// Tells of it, and lets it wait for room; beyond max_waiting the client is forgotten until it registers again.
void Pinger::refuse(State& state, std::vector<Event>& events) {
    ++counters_.refused;
    events.push_back({Event::Kind::refused, state.client, "limit " + std::to_string(schedule_.client_limit())});
    if (waiting_.size() < max_waiting) {
        state.waiting = ++last_waiting_;
        waiting_.emplace(state.waiting, state.client.id);
    } else {
        forget(events.back().client.id);
    }
}

void Pinger::admit_waiting(Instant now, std::vector<Event>& events) {
    while (!waiting_.empty() && schedule_.size() < schedule_.client_limit()) {
        State& state = states_.at(waiting_.begin()->second);
        waiting_.erase(waiting_.begin());
        state.waiting = 0;
        admit(state, now, events);
    }
}

/// `id` may be the very text that goes with the state, so that goes last.
void Pinger::forget(const ClientId& id) {
    schedule_.remove(id);
    by_hash_.erase(stable_hash(id));
    const auto found = states_.find(id);
    if (found == states_.end()) return;
    if (found->second.waiting != 0) waiting_.erase(found->second.waiting);
    states_.erase(found);
}

void Pinger::on_removed(const ClientId& id, Instant now) {
    if (!states_.contains(id)) return;
    forget(id);
    std::vector<Event> none;
    admit_waiting(now, none);
}

void Pinger::begin_snapshot() {
    ++epoch_;
}

void Pinger::end_snapshot(Instant now) {
    std::vector<ClientId> gone;
    for (const auto& [id, state] : states_) {
        if (state.epoch != epoch_) gone.push_back(id);
    }
    for (const ClientId& id : gone) forget(id);
    std::vector<Event> none;
    admit_waiting(now, none);
    if (!make_up_until_) missed_since_.reset();
}

std::vector<Event> Pinger::on_time(Instant now) {
    std::vector<Event> events;
    for (const ClientId& id : schedule_.due(now)) {
        const auto found = states_.find(id);
        if (found == states_.end()) continue;
        State& state = found->second;
        if (state.client.expires && *state.client.expires <= now) {
            events.push_back({Event::Kind::expired, state.client, "registration expired"});
            on_removed(id, now);
            continue;
        }
        const bool retry = std::exchange(state.retry, false);
        if (retry && state.unanswered == 0 && state.busy == 0) continue;  // it has answered meanwhile
        ping(state, now, events);
    }
    return events;
}

void Pinger::ping(State& state, Instant now, std::vector<Event>& events) {
    if (state.client.transport != Transport::udp) {
        events.push_back({Event::Kind::connection, state.client, {}});
        return;
    }
    if (options_.method == Method::crlf) {
        events.push_back({Event::Kind::send, state.client, std::string(crlf_ping)});
        return;
    }
    if (state.answered_before && state.unanswered >= unanswered_are_silence) {
        events.push_back({Event::Kind::silent, state.client, {}});
        return;
    }
    // A retry repeats the request as RFC 3261 section 17.1.2 does; a new round is a new request.
    if (state.unanswered == 0 || !state.answered_before) ++state.round;
    events.push_back({Event::Kind::send, state.client, options_request(state)});
    if (!state.answered_before || !answers_arrive_) return;
    ++state.unanswered;
    state.retry = true;
    schedule_.retry_at(state.client.id, now + std::min(retry_after(state), longest_retry));
}

Duration Pinger::retry_after(const State& state) const {
    return interval_of(state.client).value_or(longest_retry) / 5;
}

void Pinger::set_answers_arrive(bool arrive) {
    answers_arrive_ = arrive;
    if (!arrive) return;
    for (auto& [id, state] : states_) state.unanswered = 0;
}

std::vector<Event> Pinger::confirm_silence(const ClientId& id, Instant now) {
    std::vector<Event> events;
    const auto found = states_.find(id);
    if (found == states_.end() || found->second.unanswered < unanswered_are_silence) return events;
    declare_dead(id, std::to_string(unanswered_are_silence) + " OPTIONS in a row without an answer", events);
    admit_waiting(now, events);
    return events;
}

void Pinger::ignore_silence(const ClientId& id) {
    if (const auto found = states_.find(id); found != states_.end()) found->second.unanswered = 0;
}

void Pinger::declare_dead(const ClientId& id, std::string reason, std::vector<Event>& events) {
    const auto found = states_.find(id);
    if (found == states_.end()) return;
    ++counters_.dead;
    events.push_back({Event::Kind::dead, found->second.client, std::move(reason)});
    forget(events.back().client.id);
}

std::vector<Event> Pinger::on_sent(const ClientId& id, SendOutcome outcome, std::string_view reason, Instant now) {
    std::vector<Event> events;
    if (outcome == SendOutcome::sent) ++counters_.sent;
    if (outcome == SendOutcome::later || outcome == SendOutcome::unable) ++counters_.later;
    if (outcome == SendOutcome::failed) ++counters_.failed;
    const auto found = states_.find(id);
    if (found == states_.end()) return events;
    State& state = found->second;
    const bool went_out = outcome == SendOutcome::sent || outcome == SendOutcome::failed;
    if (!went_out && state.unanswered > 0) --state.unanswered;  // nobody can answer what was not sent
    switch (outcome) {
        case SendOutcome::sent: state.busy = state.failures = 0; break;
        case SendOutcome::later:
            if (++state.busy >= busy_retries) {
                state.busy = 0;
                break;
            }
            state.retry = true;
            schedule_.retry_at(id, now + busy_retry);
            break;
        case SendOutcome::unable:
            state.busy = 1;
            state.retry = true;
            schedule_.retry_at(id, now + retry_after(state));
            break;
        case SendOutcome::failed:
            state.busy = 0;
            if (++state.failures < failures_are_death) break;
            declare_dead(ClientId(id), std::string(reason), events);
            admit_waiting(now, events);
            break;
    }
    return events;
}

std::string Pinger::branch_of(const State& state) const {
    const std::uint64_t hash = stable_hash(state.client.id);
    return std::string(branch_prefix) + text::hex(hash, 16) + "-" + text::hex(scramble(secret_, hash, state.round), 16);
}

std::vector<Event> Pinger::on_answer(std::string_view branch, const Endpoint& source) {
    std::vector<Event> events;
    const auto stranger = [&] {
        ++counters_.strangers;
        return events;
    };
    if (!branch.starts_with(branch_prefix) || branch.size() != branch_prefix.size() + 33) return stranger();
    const auto hash = text::parse_hex(branch.substr(branch_prefix.size(), 16));
    if (!hash) return stranger();
    const auto id = by_hash_.find(*hash);
    if (id == by_hash_.end()) return stranger();
    const auto found = states_.find(id->second);
    if (found == states_.end() || found->second.client.remote != source || branch_of(found->second) != branch) {
        return stranger();
    }
    State& state = found->second;
    ++counters_.answers;
    state.unanswered = 0;
    if (!state.answered_before) events.push_back({Event::Kind::answered, state.client, {}});
    state.answered_before = true;
    return events;
}

std::string Pinger::options_request(const State& state) const {
    const Client& client = state.client;
    const std::string local = natkit::to_string(client.local);
    const std::string remote = natkit::to_string(client.remote);
    const std::string mark = text::hex(scramble(secret_, stable_hash(client.id), 0), 16);
    const std::string round = std::to_string(state.round % 0x7fffffff);
    std::string text = "OPTIONS sip:" + remote + " SIP/2.0\r\n";
    text += "Via: SIP/2.0/UDP " + local + ";branch=" + branch_of(state) + ";rport\r\n";
    text += "Max-Forwards: 1\r\n";
    text += "From: <sip:ping@" + local + ">;tag=" + mark + "\r\n";
    text += "To: <sip:" + remote + ">\r\n";
    text += "Call-ID: natkit-ping-" + mark + "\r\n";
    text += "CSeq: " + round + " OPTIONS\r\n";
    text += "User-Agent: natkit\r\n";
    text += "Content-Length: 0\r\n\r\n";
    return text;
}

std::vector<Event> Pinger::reload(const Options& options, Instant now) {
    std::vector<Event> events;
    options_ = options;
    schedule_.set_client_limit(options.clients_limit);
    std::vector<ClientId> too_many;
    std::size_t kept = 0;
    for (auto& [id, state] : states_) {
        const auto interval = interval_of(state.client);
        if (!interval) {
            schedule_.remove(id);
        } else if (schedule_.contains(id)) {
            schedule_.change(id, Grid(*interval), now);
            if (++kept > options.clients_limit) too_many.push_back(id);
        }
    }
    for (const ClientId& id : too_many) {
        schedule_.remove(id);
        refuse(states_.at(id), events);
    }
    // Who was waiting, and who was known but not pinged ("off" until now).
    admit_waiting(now, events);
    std::vector<ClientId> idle;
    for (auto& [id, state] : states_) {
        if (state.waiting == 0 && !schedule_.contains(id)) idle.push_back(id);
    }
    for (const ClientId& id : idle) admit(states_.at(id), now, events);
    index_answers();
    return events;
}

void Pinger::index_answers() {
    by_hash_.clear();
    if (options_.method != Method::options) return;
    for (const auto& [id, state] : states_) {
        if (schedule_.contains(id)) by_hash_.insert_or_assign(stable_hash(id), id);
    }
}

}  // namespace natkit::ping
