#include "writer.hpp"

#include <algorithm>
#include <chrono>

#include "natkit/base/text.hpp"
#include "natkit/io/wall_clock.hpp"
#include "natkit/record/replica.hpp"
#include "owner_reply.hpp"
#include "scripts.hpp"

namespace natkit::cluster {
namespace {

using namespace std::chrono_literals;

constexpr Duration gather = 5ms;  ///< what comes together is written together
constexpr Duration heartbeat = 1s;
constexpr Duration rest = 1s;  ///< after Redis refused to write
constexpr const char* most_entries = "20000";
constexpr const char* most_entries_of_standby = "1000";
constexpr std::int64_t silence_ms = 4000;
constexpr const char* owner_is_dead_ms = "4000";
constexpr std::size_t fill_bytes = std::size_t{128} << 10;
constexpr std::size_t most_filling = 4;
constexpr std::size_t most_nodes = 64;
constexpr std::int64_t clock_step_ms = 20;  ///< a difference of clocks that is measured anew differs by less

/// Kinds of troubles: what is refused may be one and not the other.
constexpr const char* looked = "redis-look";
constexpr const char* wrote = "redis-write";

std::string text_of(const redis::Reply& reply) {
    return std::string(reply.text().value_or(""));
}

}  // namespace

Writer::Writer(State& state, io::Dns& dns, redis::Session::Options options, Handlers handlers)
    : state_(state),
      handlers_(std::move(handlers)),
      outbox_(Outbox::Limits{}),
      soon_(state.loop, [this] { kick(); }),
      tick_(state.loop, [this] { tick(); }) {
    session_ = std::make_unique<redis::Session>(
        state.loop, dns, std::move(options),
        redis::Session::Handlers{.on_ready = [this](const std::string& run) { on_ready(run); },
                                 .on_lost = [this](const std::string& why) { on_lost(why); }});
    tick_.start_in(heartbeat);
}

void Writer::ask(std::vector<std::string> words, redis::Connection::OnReply on_reply) {
    const std::vector<std::string_view> views(words.begin(), words.end());
    session_->ask(views, std::move(on_reply));
}

void Writer::on_ready(const std::string& run) {
    ++round_;
    const bool other = !run.empty() && !run_.empty() && run != run_;
    run_ = run;
    connection_ = "connected";
    state_.troubles.clear("redis");
    rest_until_ = {};
    ask_time();
    ask({"HSET", state_.names.nodes, state_.node, std::to_string(format)},
        [this](const redis::Reply& reply) { (void)took(reply, wrote); });
    ask_owner();
    ask_nodes();
    // A server that was started anew may have lost some of what it had taken.
    if (other && stage_ != Stage::idle) handlers_.on_unclaimed();
    handlers_.on_ready();
    kick();
}

void Writer::on_lost(const std::string& why) {
    claiming_ = false;
    start_over();
    connection_ = why;
    state_.troubles.set("redis", "Redis: " + why);
    handlers_.on_ready();
}

void Writer::tick() {
    tick_.start_in(heartbeat);
    if (!connected()) return;
    ask_time();  // first: by it the age of what follows is judged, should the host's time of day have jumped
    ask_owner();
    ask_nodes();
    if (!acts_) {
        send_standby_entry();
    } else {
        kick();
    }
}

void Writer::ask_time() {
    const auto before = io::wall_now();
    ask({"TIME"}, [this, before](const redis::Reply& reply) {
        const auto seconds = text::parse_number(reply[0].text().value_or(""), UINT32_MAX);
        const auto micros = text::parse_number(reply[1].text().value_or(""), 1'000'000);
        if (!seconds || !micros) return;
        const auto middle = before + (io::wall_now() - before) / 2;
        const auto theirs = static_cast<std::int64_t>(*seconds * 1000 + *micros / 1000);
        const std::int64_t ahead = middle.time_since_epoch().count() - theirs;
        if (!state_.clock_known || std::abs(ahead - state_.clock_ms) > clock_step_ms) state_.clock_ms = ahead;
        state_.clock_known = true;
    });
}

void Writer::ask_owner() {
    ask({"HGETALL", state_.names.owner}, [this](const redis::Reply& reply) {
        if (!took(reply, looked)) return;
        const auto owner = read_owner(reply);
        if (owner) {
            state_.troubles.clear("owner");
            if (*owner) return ask_silence(**owner);
            return handlers_.on_owner(*owner, false);
        }
        state_.troubles.set("owner",
                            state_.names.owner + " in Redis: " + to_string(owner.error()) + "; it is left as it is");
    });
}

void Writer::ask_silence(const Owner& owner) {
    ask({"XREVRANGE", owner.stream, "+", "-", "COUNT", "1"}, [this, owner](const redis::Reply& reply) {
        if (!took(reply, looked)) return;
        const auto last = StreamId::parse(reply[0][0].text().value_or(""));
        // What a standby writes has no epoch.
        const redis::Reply fields = reply[0][1];
        bool as_owner = false;
        for (std::size_t i = 0; i + 1 < fields.size(); i += 2)
            as_owner = as_owner || fields[i].text().value_or("") == "e";
        const std::int64_t now = io::wall_now().time_since_epoch().count() - state_.clock_ms;
        const bool old = !last || now - static_cast<std::int64_t>(last->ms) > silence_ms;
        handlers_.on_owner(owner, old || !as_owner);
    });
}

void Writer::ask_nodes() {
    ask({"HKEYS", state_.names.nodes}, [this](const redis::Reply& reply) {
        std::vector<std::string> nodes;
        for (std::size_t i = 0; i < std::min(reply.size(), most_nodes); ++i) {
            std::string node = text_of(reply[i]);
            if (!node.empty() && node.size() <= longest_node && node != state_.node) nodes.push_back(std::move(node));
        }
        std::ranges::sort(nodes);
        if (nodes == nodes_) return;
        nodes_ = std::move(nodes);
        handlers_.on_nodes();
    });
}

void Writer::claim(Ownership::Claim how, std::uint64_t epoch) {
    acts_ = true;
    if (!connected() || claiming_ || how == Ownership::Claim::none || state_.loop.now() < rest_until_) return;
    claiming_ = true;
    const std::string states = state_.names.state(0);
    ask({"EVAL", scripts::claim, "1", state_.names.owner, std::to_string(epoch), state_.node, std::to_string(format),
         how == Ownership::Claim::raise ? "raise" : "settle", state_.names.stream, states.substr(0, states.size() - 1),
         owner_is_dead_ms},
        [this](const redis::Reply& reply) {
            claiming_ = false;
            on_claim(reply);
        });
}

void Writer::on_claim(const redis::Reply& reply) {
    if (!acts_ || !took(reply, wrote)) return;
    const auto verdict = reply[0].number();
    if (verdict == -1) {
        state_.troubles.set("owner", state_.names.owner + " in Redis: format " + text_of(reply[1]) +
                                         " of a newer natkit; it is left as it is");
        return;
    }
    const auto epoch = text::parse_number(reply[1].text().value_or(""), UINT64_MAX).value_or(0);
    if (verdict != 1) return handlers_.on_refused(epoch, text_of(reply[2]));
    state_key_ = state_.names.state(text::parse_number(reply[2].text().value_or(""), UINT64_MAX).value_or(0));
    stage_ = Stage::claimed;
    start_over();
    outbox_.forget();
    handlers_.on_claimed(epoch);
}

void Writer::begin_state() {
    if (stage_ == Stage::idle) return;
    stage_ = Stage::filling;
    start_over();
    if (connected()) kick();
}

void Writer::stop() {
    acts_ = false;
    acknowledged_.reset();
    stage_ = Stage::idle;
    start_over();
    outbox_ = Outbox(Outbox::Limits{});
    gone_.clear();
    fill_.clear();
    send_standby_entry();  // by which others know at once
}

void Writer::add(std::string_view key, std::optional<Version> gone) {
    if (gone) {
        gone_.insert_or_assign(std::string(key), *gone);
    } else {
        gone_.erase(std::string(key));
    }
    outbox_.add(key, state_.loop.now());
    if (!soon_.active()) soon_.start_in(gather);
}

void Writer::kick() {
    if (!connected() || !acts_ || (stage_ != Stage::filling && stage_ != Stage::shown)) return;
    const Instant now = state_.loop.now();
    if (now < rest_until_) return;
    while (true) {
        const Outbox::Batch batch = outbox_.take([this](const std::string& key) {
            const Replica* replica = state_.table.find(key);
            return 2 * key.size() + 64 + (replica != nullptr ? replica->record.size() : 0);
        });
        if (batch.keys.empty()) break;
        write(batch);
    }
    // The tick may come some milliseconds early.
    if (outbox_.in_flight() == 0 && now - written_at_ > heartbeat - 100ms) write({});
    if (stage_ == Stage::filling) fill();
}

void Writer::write(const Outbox::Batch& batch) {
    std::vector<std::string> puts;
    std::vector<std::string> drops;
    std::vector<std::pair<std::string, Version>> gone;
    for (const auto& entry : batch.keys) {
        if (const Replica* replica = state_.table.find(entry.key)) {
            puts.push_back(entry.key);
            puts.push_back(record::envelope_text(entry.key, *replica));
        } else if (const auto found = gone_.find(entry.key); found != gone_.end()) {
            drops.push_back(entry.key);
            drops.push_back(record::gone_text(entry.key, found->second));
            gone.emplace_back(*found);
        }
    }
    std::vector<std::string> words = {"EVAL",
                                      scripts::write,
                                      "3",
                                      state_.names.owner,
                                      state_key_,
                                      state_.names.stream,
                                      std::to_string(state_.epoch),
                                      state_.node,
                                      std::to_string(format),
                                      std::to_string(state_.clock_ms),
                                      most_entries,
                                      std::to_string(puts.size() / 2)};
    words.insert(words.end(), std::make_move_iterator(puts.begin()), std::make_move_iterator(puts.end()));
    words.insert(words.end(), std::make_move_iterator(drops.begin()), std::make_move_iterator(drops.end()));
    written_at_ = state_.loop.now();
    ask(std::move(words),
        [this, number = batch.number, gone = std::move(gone), round = round_](const redis::Reply& reply) {
            if (round == round_) on_write(reply, number, gone);
        });
}

void Writer::on_write(const redis::Reply& reply, std::uint64_t number,
                      const std::vector<std::pair<std::string, Version>>& gone) {
    if (!took(reply, wrote)) return;
    if (reply[0].number() != 1) return not_ours();
    const auto id = StreamId::parse(reply[1].text().value_or(""));
    if (!id) return;
    for (const auto& [key, version] : gone) {
        if (const auto found = gone_.find(key); found != gone_.end() && found->second == version) gone_.erase(found);
    }
    if (number != 0) outbox_.written(number, *id);
    handlers_.on_written(*id);
    kick();
}

void Writer::fill() {
    if (state_.loop.now() < rest_until_) return;
    while (!fill_.empty() && filling_ < most_filling) {
        std::vector<std::string> words = {"HSET", state_key_};
        std::size_t bytes = 0;
        while (!fill_.empty() && bytes < fill_bytes) {
            const std::string key = std::move(fill_.back());
            fill_.pop_back();
            const Replica* replica = state_.table.find(key);
            if (replica == nullptr) continue;
            words.push_back(key);
            words.push_back(record::envelope_text(key, *replica));
            bytes += words.back().size();
        }
        if (words.size() == 2) break;
        ++filling_;
        ask(std::move(words), [this, round = round_](const redis::Reply& reply) {
            if (round != round_) return;
            --filling_;
            if (!took(reply, wrote)) return;
            fill();
        });
    }
    if (fill_.empty() && filling_ == 0 && !showing_) show();
}

void Writer::show() {
    showing_ = true;
    ask({"EVAL", scripts::show, "2", state_.names.owner, state_key_, std::to_string(state_.epoch), state_.node},
        [this, round = round_](const redis::Reply& reply) {
            if (round != round_) return;
            if (!took(reply, wrote)) return;
            if (reply[0].number() != 1) return not_ours();
            showing_ = false;
            stage_ = Stage::shown;
            kick();
        });
}

/// Whether it is another's now, a claim will tell.
void Writer::not_ours() {
    stage_ = Stage::claimed;
    start_over();
    handlers_.on_unclaimed();
}

bool Writer::took(const redis::Reply& reply, const char* kind) {
    const auto error = reply.error();
    if (!error) {
        state_.troubles.clear(kind);
        return true;
    }
    const std::string why = redis::explain(*error);
    state_.troubles.set(kind, "Redis: " + why);
    rest_until_ = state_.loop.now() + rest;
    if (redis::is_of_connection(*error)) {
        session_->renew(why);
    } else if (kind == wrote && acts_) {
        start_over();
    }
    return false;
}

/// What is on its way comes again, once Redis takes it.
void Writer::start_over() {
    ++round_;
    outbox_.lost();
    filling_ = 0;
    showing_ = false;
    if (stage_ == Stage::filling) fill_ = state_.table.keys();
}

void Writer::acknowledge(const std::string& owner, StreamId id) {
    acknowledged_of_ = owner;
    acknowledged_ = id;
    send_standby_entry();
}

void Writer::send_standby_entry() {
    if (!connected() || acts_) return;
    std::vector<std::string> words = {"XADD", state_.names.stream,   "MAXLEN", "~", most_entries_of_standby, "*",
                                      "v",    std::to_string(format)};
    if (acknowledged_) {
        words.emplace_back("a");
        words.push_back(to_string(*acknowledged_));
        words.emplace_back("o");
        words.push_back(acknowledged_of_);
    }
    ask(std::move(words), [this](const redis::Reply& reply) { (void)took(reply, wrote); });
}

}  // namespace natkit::cluster
