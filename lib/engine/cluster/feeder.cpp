#include "feeder.hpp"

#include <map>

#include "natkit/record/json_text.hpp"

namespace natkit::cluster {
namespace {

constexpr std::size_t piece_bytes = std::size_t{192} << 10;

}  // namespace

Feeder::Feeder(State& state, std::string worker, std::string command, control::Client& client, Handlers handlers)
    : state_(state),
      worker_(std::move(worker)),
      command_(std::move(command)),
      client_(client),
      handlers_(std::move(handlers)) {}

void Feeder::restart(const std::vector<std::string>& keys) {
    ++round_;
    feed_.restart(keys, state_.loop.now());
    pump();
}

void Feeder::add(std::string_view key) {
    feed_.add(key, state_.loop.now());
    pump();
}

void Feeder::stop() {
    ++round_;
    feed_.stop();
}

void Feeder::pump() {
    while (auto piece = feed_.take(piece_bytes, [this](const std::string& key) {
        const auto given = handlers_.find(key);
        return key.size() + 32 + (given ? given->record.size() : 0);
    })) {
        send(*piece);
    }
}

/// A request has one difference of clocks; records of writers, or times, that differ in it go in several.
void Feeder::send(const Feed::Piece& piece) {
    std::map<std::int64_t, std::vector<std::string>> groups;
    for (const std::string& key : piece.keys) {
        const auto given = handlers_.find(key);
        groups[given ? given->clock_ms : state_.clock_ms].push_back(key);
    }
    using Whole = Feed::Whole;
    const bool begins = piece.whole == Whole::begin || piece.whole == Whole::begin_and_end;
    const bool ends = piece.whole == Whole::end || piece.whole == Whole::begin_and_end;
    if (groups.empty() && begins) groups[state_.clock_ms] = {};
    const auto left = std::make_shared<int>(static_cast<int>(groups.size()) + (ends ? 1 : 0));
    bool first = begins;
    for (const auto& [clock, keys] : groups) {
        send_group(keys, clock, first ? Whole::begin : Whole::no, left);
        first = false;
    }
    if (ends) send_group({}, state_.clock_ms, Whole::end, left);
}

void Feeder::send_group(const std::vector<std::string>& keys, std::int64_t clock_ms, Feed::Whole whole,
                        const std::shared_ptr<int>& left) {
    std::string records = "[";
    for (const std::string& key : keys) {
        const auto given = handlers_.find(key);
        if (records.size() > 1) records += ',';
        records += R"({"key":)" + record::json_string(key);
        if (given && !given->node.empty())
            records += R"(,"node":)" + record::json_string(given->node) + R"(,"epoch":)" + std::to_string(given->epoch);
        records += R"(,"record":)";
        records += given ? given->record : "null";
        records += '}';
    }
    records += ']';
    record::ObjectText request;
    if (whole != Feed::Whole::no) request.text("whole", whole == Feed::Whole::begin ? "begin" : "end");
    request.number("ahead_ms", clock_ms - state_.clock_ms);
    request.raw("records", records);
    client_.request_view(
        command_, request.close(),
        [this, left, round = round_](const Result<record::ObjectView>& reply) { on_reply(reply, left, round); });
}

void Feeder::on_reply(const Result<record::ObjectView>& reply, const std::shared_ptr<int>& left, std::uint64_t round) {
    if (round != round_) return;
    if (!reply) {
        const Error& why = reply.error();
        state_.troubles.set(worker_, worker_ + " does not take the other node's records: " + to_string(why));
        stop();
        return handlers_.on_failed(why);
    }
    if (const auto refused = reply->find("refused"); refused && refused->list() && !refused->list()->empty()) {
        const auto first = refused->list()->front().object();
        state_.log.major(worker_ + " refuses " + std::to_string(refused->list()->size()) +
                         " records of another node: " +
                         (first ? std::string(first->string("key").value_or("")) + ": " +
                                      std::string(first->string("why").value_or(""))
                                : ""));
    }
    if (--*left > 0) return;
    feed_.accepted();
    pump();
    handlers_.on_fed();
}

}  // namespace natkit::cluster
