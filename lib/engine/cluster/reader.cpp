#include "reader.hpp"

#include <algorithm>

#include "natkit/base/text.hpp"
#include "natkit/io/wall_clock.hpp"
#include "natkit/record/replica.hpp"

namespace natkit::cluster {
namespace {

using namespace std::chrono_literals;

constexpr Duration block = 300ms;  ///< how long Redis keeps a question that has no answer yet
constexpr const char* block_ms = "300";
constexpr Duration retry = 500ms;
constexpr const char* entries_a_time = "200";
constexpr const char* records_a_time = "2000";
constexpr std::uint64_t look_back_ms = 5000;  ///< of acknowledgements, when it begins to listen
constexpr const char* trouble = "redis-read";

using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

Fields fields_of(const redis::Reply& list) {
    Fields fields;
    for (std::size_t i = 0; i + 1 < list.size(); i += 2)
        fields.emplace_back(list[i].text().value_or(""), list[i + 1].text().value_or(""));
    return fields;
}

std::string_view find(const Fields& fields, std::string_view name) {
    const auto found = std::ranges::find(fields, name, [](const auto& field) { return field.first; });
    return found == fields.end() ? std::string_view{} : found->second;
}

bool is_newer(std::string_view version) {
    return text::parse_number(version, UINT64_MAX).value_or(0) > format;
}

}  // namespace

Reader::Reader(State& state, io::Dns& dns, redis::Session::Options options, Handlers handlers)
    : state_(state), handlers_(std::move(handlers)), again_(state.loop, [this] { begin(); }) {
    session_ = std::make_unique<redis::Session>(
        state.loop, dns, std::move(options),
        redis::Session::Handlers{.on_ready =
                                     [this](const std::string&) {
                                         busy_ = false;
                                         begin();
                                     },
                                 .on_lost = [this](const std::string&) { busy_ = false; }});
}

void Reader::ask(std::vector<std::string> words, redis::Connection::OnReply on_reply, Duration patience) {
    const std::vector<std::string_view> views(words.begin(), words.end());
    busy_ = session_->ready();
    session_->ask(
        views,
        [this, round = round_, on_reply = std::move(on_reply)](const redis::Reply& reply) {
            busy_ = false;
            // Something else is wanted by now.
            if (round != round_) return begin();
            on_reply(reply);
        },
        patience);
}

void Reader::follow(const std::optional<Owner>& owner) {
    const bool readable = owner && !owner->state.empty();
    const auto same = [&] {
        return owner_ && owner_->epoch == owner->epoch && owner_->node == owner->node &&
               owner_->state == owner->state && owner_->stream == owner->stream;
    };
    if (readable && (task_ == Task::join || task_ == Task::tail) && same()) return;
    if (!readable) {
        // What was read stays; but it is followed no more, unless the owner is still writing a new state.
        if (task_ == Task::none) return;
        return follow_nobody();
    }
    owner_ = owner;
    restart(Task::join);
}

void Reader::recall(const Owner& owner) {
    owner_ = owner;
    restart(Task::recall);
}

void Reader::listen(const std::vector<std::string>& nodes) {
    std::map<std::string, StreamId> listening;
    const std::int64_t now = io::wall_now().time_since_epoch().count() - state_.clock_ms;
    const StreamId since{.ms = state_.clock_known && now > 0 ? static_cast<std::uint64_t>(now) - look_back_ms : 0,
                         .number = 0};
    for (const std::string& node : nodes) {
        const auto known = listening_.find(node);
        listening[node] = task_ == Task::listen && known != listening_.end() ? known->second : since;
    }
    const bool same = task_ == Task::listen && nodes.size() == listening_.size() &&
                      std::ranges::all_of(nodes, [this](const auto& node) { return listening_.contains(node); });
    if (same) return;
    listening_ = std::move(listening);
    joined_ = false;
    owner_.reset();
    restart(Task::listen);
}

void Reader::restart(Task task) {
    task_ = task;
    ++round_;
    joining_.reset();
    state_gone_ = false;
    if (task == Task::join || task == Task::none) joined_ = false;
    begin();
}

void Reader::begin() {
    if (busy_ || !session_->ready()) return;
    switch (task_) {
        case Task::none: break;
        case Task::join: join(); break;
        case Task::tail: tail(); break;
        case Task::recall:
            joining_ = std::make_unique<ReplicaTable>();
            scan("0");
            break;
        case Task::listen: hear(); break;
    }
}

void Reader::newer(const std::string& name) {
    state_.troubles.set("format", name + " in Redis is of a newer natkit: it is not read");
}

/// Until the next word on who the owner is.
void Reader::follow_nobody() {
    owner_.reset();
    restart(Task::none);
}

void Reader::pause() {
    if (!again_.active()) again_.start_in(retry);
}

bool Reader::took(const redis::Reply& reply) {
    const auto error = reply.error();
    if (!error) {
        state_.troubles.clear(trouble);
        return true;
    }
    const std::string why = redis::explain(*error);
    state_.troubles.set(trouble, "Redis: " + why);
    if (redis::is_of_connection(*error)) {
        session_->renew(why);
    } else {
        pause();
    }
    return false;
}

/// Notes where the stream is, reads the state, then what the stream has from there on: the state is written together
/// with the stream, so nothing is missed, and what comes twice is known by its version.
void Reader::join() {
    joining_ = std::make_unique<ReplicaTable>();
    scanned_format_ = false;
    ask({"XREVRANGE", owner_->stream, "+", "-", "COUNT", "1"}, [this](const redis::Reply& reply) {
        if (!took(reply)) return;
        at_ = owner_->after;
        sequence_.reset();
        if (const auto id = StreamId::parse(reply[0][0].text().value_or(""))) {
            at_ = *id;
            const Fields fields = fields_of(reply[0][1]);
            // The numbers go on over all owners; those of one state follow each other in a stream.
            if (find(fields, "k") == owner_->state) sequence_ = text::parse_number(find(fields, "s"), UINT64_MAX);
        }
        scan("0");
    });
}

void Reader::scan(const std::string& cursor) {
    ask({"HSCAN", owner_->state, cursor, "COUNT", records_a_time}, [this](const redis::Reply& reply) {
        if (took(reply)) on_scan(reply);
    });
}

void Reader::on_scan(const redis::Reply& reply) {
    // Redis looks for the next ones meanwhile.
    const std::string cursor(reply[0].text().value_or("0"));
    if (cursor != "0") scan(cursor);
    for (const auto& [key, value] : fields_of(reply[1])) {
        if (key != "format") {
            take_envelope(value, *joining_, false);
        } else if (is_newer(value)) {
            newer(owner_->state);
            return follow_nobody();
        } else {
            scanned_format_ = true;
        }
    }
    if (cursor == "0") end_join();
}

/// A state without its mark is gone, or was replaced meanwhile; who the owner is will be asked again soon.
void Reader::end_join() {
    if (task_ == Task::recall) {
        const auto former = std::move(joining_);
        restart(Task::none);
        return handlers_.on_recalled(std::move(*former));
    }
    state_gone_ = !scanned_format_;
    if (state_gone_) return pause();
    state_.table = std::move(*joining_);
    joining_.reset();
    state_.epoch = owner_->epoch;
    task_ = Task::tail;
    joined_ = true;
    age_.reset();
    heard_ = state_.loop.now();
    handlers_.on_joined();
    handlers_.on_entry(at_);
    handlers_.on_change();
    begin();
}

void Reader::tail() {
    ask(
        {"XREAD", "COUNT", entries_a_time, "BLOCK", block_ms, "STREAMS", owner_->stream, to_string(at_)},
        [this](const redis::Reply& reply) {
            if (took(reply)) on_tail(reply);
        },
        block);
}

void Reader::on_tail(const redis::Reply& reply) {
    const redis::Reply entries = reply[0][1];
    const std::uint64_t round = round_;
    bool news = false;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const bool understood = on_entry(entries[i]);
        if (round != round_) return;
        if (!understood) return restart(Task::join);
        news = true;
    }
    if (news) {
        heard_ = state_.loop.now();
        const std::int64_t now = io::wall_now().time_since_epoch().count() - state_.clock_ms;
        age_ = std::chrono::milliseconds(std::max<std::int64_t>(0, now - static_cast<std::int64_t>(at_.ms)));
        handlers_.on_entry(at_);
    }
    begin();
}

bool Reader::on_entry(const redis::Reply& entry) {
    const auto id = StreamId::parse(entry[0].text().value_or(""));
    if (!id) return true;
    const Fields fields = fields_of(entry[1]);
    const std::string_view version = find(fields, "v");
    if (is_newer(version)) {
        newer(owner_->stream);
        follow_nobody();
        return true;
    }
    const auto sequence = text::parse_number(find(fields, "s"), UINT64_MAX);
    const auto epoch = text::parse_number(find(fields, "e"), UINT64_MAX);
    if (!sequence || !epoch) {
        // The owner is a standby now, or nobody of ours wrote that.
        if (version.empty() && ++bad_ == 1)
            state_.log.major(owner_->stream + " in Redis: an entry that is none: " + to_string(*id));
        at_ = *id;
        return true;
    }
    if (*epoch != owner_->epoch || find(fields, "k") != owner_->state) return false;
    if (sequence_ && *sequence != *sequence_ + 1) {
        state_.log.major(owner_->stream + " in Redis: entries are missing before " + to_string(*id) +
                         ": the state is read again");
        return false;
    }
    state_.troubles.clear("format");
    sequence_ = sequence;
    at_ = *id;
    take_texts(find(fields, "r"));
    return true;
}

void Reader::take_texts(std::string_view texts) {
    for (std::size_t at = 0; at < texts.size();) {
        const std::size_t end = std::min(texts.find('\n', at), texts.size());
        take_envelope(texts.substr(at, end - at), state_.table, true);
        at = end + 1;
    }
}

void Reader::take_envelope(std::string_view text, ReplicaTable& table, bool tell) {
    auto envelope = record::parse_envelope(text, reader_);
    if (!envelope) {
        if (++bad_ == 1) {
            state_.log.major("a record of " + owner_->node +
                             " in Redis cannot be read: " + to_string(envelope.error()));
        }
        return;
    }
    const bool changed = envelope->gone ? table.drop(envelope->key, envelope->replica.version)
                                        : table.put(envelope->key, std::move(envelope->replica));
    if (changed && tell) handlers_.on_replica(envelope->key);
}

void Reader::hear() {
    if (listening_.empty()) return;
    std::vector<std::string> words = {"XREAD", "COUNT", entries_a_time, "BLOCK", block_ms, "STREAMS"};
    for (const auto& [node, id] : listening_) words.push_back(state_.names.stream_of(node));
    for (const auto& [node, id] : listening_) words.push_back(to_string(id));
    ask(
        std::move(words),
        [this](const redis::Reply& reply) {
            if (took(reply)) on_heard(reply);
        },
        block);
}

void Reader::on_heard(const redis::Reply& reply) {
    const std::uint64_t round = round_;
    for (std::size_t i = 0; i < reply.size(); ++i) {
        const std::string_view stream = reply[i][0].text().value_or("");
        const auto node = std::ranges::find_if(
            listening_, [&](const auto& one) { return state_.names.stream_of(one.first) == stream; });
        if (node == listening_.end()) continue;
        std::optional<StreamId> acknowledged;
        const redis::Reply entries = reply[i][1];
        for (std::size_t j = 0; j < entries.size(); ++j) {
            if (const auto id = StreamId::parse(entries[j][0].text().value_or(""))) node->second = *id;
            const Fields fields = fields_of(entries[j][1]);
            if (find(fields, "o") != state_.node) continue;
            if (const auto id = StreamId::parse(find(fields, "a"))) acknowledged = id;
        }
        if (acknowledged) handlers_.on_acknowledged(std::string(node->first), *acknowledged);
        if (round != round_) return;
    }
    begin();
}

}  // namespace natkit::cluster
