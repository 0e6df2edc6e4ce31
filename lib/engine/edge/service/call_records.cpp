#include "call_records.hpp"

#include <utility>

namespace natkit::edge {
namespace {

constexpr std::chrono::seconds patience{2};
constexpr std::size_t most_untold = 4096;

}  // namespace

CallRecords::CallRecords(io::Loop& loop, Tell tell)
    : loop_(loop), tell_(std::move(tell)), timer_(loop, [this] { on_time(); }) {}

void CallRecords::on_ended(const CallEvent& event, Now now) {
    const std::uint64_t number = ++last_;
    Waiting& waiting = waiting_[number];
    waiting.record = call_event_record(event, now);
    waiting.whole = event.ended && event.ended->whole;
    if (event.ended) {
        for (std::size_t i = 0; i < event.ended->streams.size(); ++i) {
            for (const End end : {End::caller, End::callee}) {
                const std::string& leg = event.ended->streams[i].legs[dialog::index(end)];
                const bool fresh =
                    !leg.empty() &&
                    by_leg_
                        .try_emplace(leg, Place{.record = number, .stream = i, .end = end == End::caller ? "a" : "b"})
                        .second;
                if (fresh) waiting.missing.push_back(leg);
            }
        }
    }
    if (waiting.missing.empty() || waiting_.size() > most_untold) return tell(number);
    deadlines_.add(now.steady + patience, number);
    if (!timer_.active()) timer_.start_at(now.steady + patience);
}

void CallRecords::on_counted(const Json& legs) {
    for (const Json& leg : legs) {
        const auto place = by_leg_.find(leg.value("leg", ""));
        if (place == by_leg_.end()) continue;
        const Place at = place->second;
        const auto found = waiting_.find(at.record);
        if (found == waiting_.end()) continue;
        Json& stream = found->second.record["streams"][at.stream];
        if (const auto statistics = leg.find("statistics"); statistics != leg.end())
            stream[at.end]["statistics"] = *statistics;
        if (const auto audio = leg.find("audio"); audio != leg.end() && !stream.contains("audio"))
            stream["audio"] = *audio;
        std::erase(found->second.missing, place->first);
        by_leg_.erase(place);
        if (found->second.missing.empty()) tell(at.record);
    }
}

void CallRecords::tell(std::uint64_t number) {
    auto node = waiting_.extract(number);
    if (node.empty()) return;
    Waiting& over = node.mapped();
    for (const std::string& leg : over.missing) by_leg_.erase(leg);
    tell_(std::move(over.record), over.whole);
}

void CallRecords::on_time() {
    while (const auto number = deadlines_.pop_due(loop_.now())) tell(*number);
    if (const auto next = deadlines_.next()) timer_.start_at(*next);
}

}  // namespace natkit::edge
