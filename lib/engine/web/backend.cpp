#include "backend.hpp"

#include <algorithm>

#include "natkit/engine/control/pages.hpp"
#include "natkit/engine/log/log.hpp"
#include "natkit/record/json_members.hpp"

namespace natkit::web {
namespace {

constexpr std::size_t most_refused = 50;
constexpr std::size_t most_causes = 32;
constexpr std::size_t most_shown = 5000;  ///< calls, or clients, in a table
constexpr const char* programs[] = {"mediarelay", "sipedge", "natpinger"};

std::int64_t wall_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::uint64_t number_of(const Json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

}  // namespace

Backend::Backend(io::Loop& loop, const std::string& natkit_socket, const std::string& runtime_dir)
    : loop_(loop), timer_(loop, [this] { look(); }) {
    const auto connect = [&](const std::string& name, const std::string& path) {
        auto made = std::make_unique<control::Client>(loop, path, control::random_prefix());
        made->set_timeout(std::chrono::seconds(10));
        clients_[name] = std::move(made);
    };
    connect("natkit", natkit_socket);
    for (const std::string name : programs)
        connect(name, std::string(runtime_dir).append("/").append(name).append(".sock"));
    // Those of a snapshot were counted when they were news.
    client("mediarelay").on_state([this](bool connected, const std::string&) {
        if (!connected) in_snapshot_ = true;
    });
    client("mediarelay").watch([this](const Json& record) { on_record(record); }, {"session", "drop"});
    look();
}

control::Client& Backend::client(const std::string& program) {
    return *clients_.at(program);
}

void Backend::ask(const std::string& program, const std::string& command, const Json& params, OnReply on_reply) {
    client(program).request(command, params,
                            [on_reply = std::move(on_reply)](const Result<Json>& reply) { on_reply(reply); });
}

void Backend::ask_shared(const std::string& program, const std::string& command, OnList on_list) {
    Shared& shared = shared_[program + " " + command];
    if (loop_.now() < shared.good_until) return on_list(&shared.list);
    shared.waiting.push_back(std::move(on_list));
    if (shared.waiting.size() > 1) return;
    control::request_pages(client(program), command, most_shown, [this, &shared](const Result<Json>& reply) {
        if (reply) {
            shared.list = {.value = *reply, .text = reply->dump(-1, ' ', false, Json::error_handler_t::replace)};
            shared.good_until = loop_.now() + look_every;
        }
        const Result<const Listed*> told = reply ? Result<const Listed*>(&shared.list) : std::unexpected(reply.error());
        for (const OnList& one : std::exchange(shared.waiting, {})) one(told);
    });
}

void Backend::log(const std::map<std::string, std::uint64_t>& after, std::function<void(Json)> on_log) {
    struct Gathering {
        std::vector<Json> lines;
        Json next = Json::object();
        unsigned waiting = 0;
    };
    auto gathering = std::make_shared<Gathering>();
    const auto after_of = [&after](const std::string& program) {
        const auto found = after.find(program);
        return found == after.end() ? std::uint64_t{0} : found->second;
    };
    const auto done = [gathering, on_log = std::move(on_log)] {
        std::ranges::stable_sort(gathering->lines, {}, [](const Json& line) { return record::text_of(line, "time"); });
        on_log({{"lines", gathering->lines}, {"next", gathering->next}});
    };
    std::uint64_t own = after_of("natkit-web");
    for (const log::Line& line : log::recent(own)) {
        own = line.number;
        gathering->lines.push_back({{"program", "natkit-web"},
                                    {"time", line.time},
                                    {"level", to_string(line.level)},
                                    {"tag", line.tag},
                                    {"text", line.text}});
    }
    gathering->next["natkit-web"] = own;
    for (const auto& entry : clients_) {
        const std::string name = entry.first;
        gathering->next[name] = after_of(name);
        if (!entry.second->connected()) continue;
        ++gathering->waiting;
        ask(name, "log", {{"after", after_of(name)}}, [gathering, done, name](const Result<Json>& reply) {
            if (reply) {
                for (Json line : record::list_of(*reply, "lines")) {
                    gathering->next[name] = number_of(line, "number");
                    line["program"] = name;
                    line.erase("number");
                    gathering->lines.push_back(std::move(line));
                }
            }
            if (--gathering->waiting == 0) done();
        });
    }
    if (gathering->waiting == 0) done();
}

void Backend::look() {
    timer_.start_in(anybody_looks_ && anybody_looks_() ? look_every : history_every);
    if (std::exchange(looking_, true)) return;
    looked_ = loop_.now();
    ask("natkit", "status", nullptr, [this](const Result<Json>& status) {
        looking_ = false;
        on_status(status);
    });
}

void Backend::look_now() {
    if (loop_.now() - looked_ >= look_every) return look();
    timer_.start_at(looked_ + look_every);
}

void Backend::on_status(const Result<Json>& status) {
    trouble_ = status ? "" : to_string(status.error());
    if (status) status_ = *status;
    // A look that comes a little early is not to leave a point out.
    if (loop_.now() - noted_ >= history_every - look_every / 2) {
        noted_ = loop_.now();
        note_history();
    }
    if (on_news_) on_news_();
}

void Backend::on_record(const Json& record) {
    const std::string type = record::text_of(record, "type");
    if (type == "snapshot-end") {
        in_snapshot_ = false;
    } else if (in_snapshot_) {
        return;
    } else if (type == "session") {
        const std::string cause = record::text_of(record, "cause");
        if (!cause.empty() && (one_way_.contains(cause) || one_way_.size() < most_causes)) ++one_way_[cause];
    } else if (type == "drop") {
        Refused refused{.source = record::text_of(record, "source"),
                        .reason = record::text_of(record, "reason"),
                        .call_id = record::text_of(record, "call_id")};
        if (refused.source.empty()) return;
        const auto same = std::ranges::find_if(
            refused_, [&](const Refused& one) { return one.source == refused.source && one.reason == refused.reason; });
        if (same != refused_.end()) {
            refused.count = same->count;
            refused_.erase(same);
        }
        ++refused.count;
        refused.last_ms = wall_ms();
        refused_.push_front(std::move(refused));
        if (refused_.size() > most_refused) refused_.pop_back();
    }
}

void Backend::note_history() {
    history_.push_back({.time_ms = wall_ms(),
                        .calls = number_of(status_, "calls"),
                        .clients = number_of(status_, "clients"),
                        .sessions = number_of(status_, "sessions"),
                        .packets = number_of(status_, "packets_a_second")});
    if (history_.size() > longest_history) history_.pop_front();
}

Json Backend::overview() const {
    Json one_way = Json::object();
    for (const auto& [cause, count] : one_way_) one_way[cause] = count;
    Json refused = Json::array();
    for (const Refused& one : refused_) {
        refused.push_back({{"source", one.source},
                           {"reason", one.reason},
                           {"call_id", one.call_id},
                           {"count", one.count},
                           {"last_ms", one.last_ms}});
    }
    Json history = Json::array();
    for (const Point& one : history_) {
        history.push_back(Json::array({one.time_ms, one.calls, one.clients, one.packets}));
    }
    return {{"time_ms", wall_ms()},          {"status", status_},
            {"trouble", trouble_},           {"one_way", std::move(one_way)},
            {"refused", std::move(refused)}, {"history", std::move(history)}};
}

}  // namespace natkit::web
