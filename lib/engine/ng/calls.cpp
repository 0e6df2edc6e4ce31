#include "calls.hpp"

#include <algorithm>

#include "natkit/base/text.hpp"

namespace natkit::ng {
namespace {

constexpr std::size_t most_together = 256;  ///< requests

Dictionary refusal(const Error& error) {
    return {{"result", "error"}, {"error-reason", text::printable(to_string(error), 400)}};
}

}  // namespace

Calls::Calls(io::Loop& loop, relay::Engine& engine, Settings settings)
    : loop_(loop),
      engine_(engine),
      settings_(std::move(settings)),
      log_("MEDIAPROXY", settings_.log_level),
      round_(loop, [this] { do_asked(); }),
      timer_(loop, [this] { on_time(); }),
      started_(loop.now()) {
    if (!engine_.standby()) restore();
    engine_.on_freed("ng", [this](const std::string& leg) { on_leg_lost(leg); });
    plan();
}

void Calls::handle(Request request, Respond respond) {
    asked_.push_back({.request = std::move(request), .respond = std::move(respond)});
    if (asked_.size() >= most_together) return do_asked();
    if (!round_.active()) round_.start_at(loop_.now());
}

/// What they change is journalled, and the packet threads know of it, before any of them is answered.
void Calls::do_asked() {
    round_.stop();
    const auto asked = std::exchange(asked_, {});
    std::vector<std::optional<Dictionary>> replies;
    replies.reserve(asked.size());
    {
        const relay::Engine::Batch batch(engine_);
        for (const Asked& each : asked) replies.push_back(do_now(each.request, each.respond));
    }
    for (std::size_t i = 0; i < asked.size(); ++i) {
        if (replies[i]) asked[i].respond(*std::move(replies[i]));
    }
    plan();
}

/// Its reply; none where it is given once the packet threads have told what they counted.
std::optional<Dictionary> Calls::do_now(const Request& request, const Respond& respond) {
    const auto reply_to = [&](Reply reply) { return reply ? std::move(*reply) : refusal(reply.error()); };
    switch (request.command) {
        case Command::offer: return reply_to(offer(request));
        case Command::answer: return reply_to(answer(request));
        case Command::list: return list(request);
        case Command::statistics: return statistics();
        case Command::remove: return remove(request, respond);
        case Command::query: return query(request, respond);
        case Command::ping: break;
    }
    return Dictionary{{"result", "pong"}};
}

Call* Calls::find(const std::string& call_id) {
    const auto found = calls_.find(call_id);
    return found == calls_.end() ? nullptr : &found->second;
}

std::vector<BranchNames> Calls::names_of(const Call& call) {
    std::vector<BranchNames> names;
    names.reserve(call.branches.size());
    for (const auto& branch : call.branches) names.push_back(branch->names);
    return names;
}

/// Frees all that the branch has.
void Calls::drop(Call& call, Branch& branch, const char* why) {
    tell_ended(call, branch, why);
    (void)branch.call.lose_all();
    while (!branch.pairs.empty()) free_pair(branch, branch.pairs.begin()->first);
    std::erase_if(call.branches, [&](const auto& each) { return each.get() == &branch; });
}

void Calls::end_if_empty(const std::string& call_id) {
    const auto found = calls_.find(call_id);
    if (found == calls_.end() || !found->second.branches.empty()) return;
    if (log_.on(LogLevel::low_level)) log_.low_level("ng call " + text::printable(call_id, 80) + " has ended");
    calls_.erase(found);
}

/// No later than in half a minute, so that what is remembered of calls that are long gone stays little.
void Calls::look_again(const std::string& call_id, Instant when) {
    deadlines_.add(std::min(when, loop_.now() + looking_time), call_id);
}

void Calls::plan() {
    if (const auto next = deadlines_.next()) timer_.start_at(*next);
}

void Calls::on_time() {
    const relay::Engine::Batch batch(engine_);
    const Instant now = loop_.now();
    while (const auto call_id = deadlines_.pop_due(now)) {
        Call* call = find(*call_id);
        if (call == nullptr) continue;
        std::vector<Branch*> over;
        std::optional<Instant> next;
        for (const auto& branch : call->branches) {
            if (branch->closes_at && *branch->closes_at <= now) {
                close_exchange(*branch);
                keep(*call, *branch);
            }
            if (branch->ends_at && *branch->ends_at <= now) {
                over.push_back(branch.get());
                continue;
            }
            for (const auto& due : {branch->closes_at, branch->ends_at}) {
                if (due && (!next || *due < *next)) next = due;
            }
        }
        if (next) look_again(*call_id, *next);
        for (Branch* branch : over) drop(*call, *branch, branch->deleted ? "delete" : "nobody has answered");
        end_if_empty(*call_id);
    }
    plan();
}

/// Of a stream whose relay is gone (silence) there is nothing left to show.
void Calls::on_leg_lost(const std::string& leg) {
    const auto local = local_of_.find(leg);
    if (local == local_of_.end()) return;
    const auto place = by_local_.find(local->second);
    if (place == by_local_.end()) return;
    const LegPlace lost = place->second;
    Call* call = find(lost.call_id);
    if (call == nullptr) return;
    const auto& streams = lost.branch->call.streams();
    for (std::size_t line = 0; line < streams.size(); ++line) {
        if (streams[line].legs != lost.pair) continue;
        for (const std::uint64_t number : lost.branch->call.lose(line)) free_pair(*lost.branch, number);
        break;
    }
    free_pair(*lost.branch, lost.pair);
    if (lost.branch->pairs.empty()) {
        log_.problems("ng call " + text::printable(lost.call_id, 80) + ": its media relay is gone");
        drop(*call, *lost.branch, "its media relay is gone");
        end_if_empty(lost.call_id);
    } else {
        keep(*call, *lost.branch);
    }
}

}  // namespace natkit::ng
