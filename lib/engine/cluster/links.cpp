#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>

#include "natkit/base/text.hpp"
#include "natkit/record/replica.hpp"
#include "service_impl.hpp"

namespace natkit::cluster {
namespace {

constexpr std::size_t most_marks = 4096;
constexpr std::size_t longest_password = 4096;

}  // namespace

redis::Session::Options Service::Impl::redis_options() {
    const config::Cluster& from = config.cluster;
    return {.host = from.state->host,
            .port = from.state->port,
            .database = from.state->database,
            .user = from.user,
            .password = [this] { return password(); },
            .timeout = from.timeout};
}

std::string Service::Impl::password() {
    const std::string& path = config.cluster.password_file;
    if (path.empty()) return {};
    std::ifstream file(path, std::ios::binary);
    std::string line;
    if (!std::getline(file, line) || line.size() > longest_password) {
        state.troubles.set("password", "[cluster] password_file: no password in " + path);
        return {};
    }
    state.troubles.clear("password");
    return std::string(text::trim(line));
}

void Service::Impl::connect_redis() {
    const redis::Session::Options with = redis_options();
    writer = std::make_unique<Writer>(
        state, dns, with,
        Writer::Handlers{.on_ready =
                             [this] {
                                 looked = false;
                                 if (!writer->connected()) ownership.redis_lost();
                                 go_on_leaving();
                                 claim();
                                 tell_news();
                             },
                         .on_owner = [this](const std::optional<Owner>& told, bool silent) { on_owner(told, silent); },
                         .on_claimed = [this](std::uint64_t epoch) { apply(ownership.claimed(epoch)); },
                         .on_refused = [this](std::uint64_t epoch,
                                              const std::string& node) { apply(ownership.refused(epoch, node)); },
                         .on_unclaimed =
                             [this] {
                                 if (leaving) leave();
                                 ownership.unclaim();
                                 claim();
                             },
                         // A standby may have been faster than Redis' answer to us.
                         .on_written = [this](StreamId) { on_acknowledged(heard_from, {}); },
                         .on_nodes =
                             [this] {
                                 if (ownership.role() == Role::active) reader->listen(writer->nodes());
                             }});
    reader = std::make_unique<Reader>(state, dns, with,
                                      Reader::Handlers{.on_joined = [this] { on_joined(); },
                                                       .on_replica =
                                                           [this](std::string_view key) {
                                                               if (WorkerLink* worker = worker_of(*kind_of(key)))
                                                                   worker->feed(key);
                                                           },
                                                       .on_entry = [this](StreamId id) { on_entry(id); },
                                                       .on_acknowledged =
                                                           [this](const std::string& node, StreamId id) {
                                                               heard_from = node;
                                                               protection.heard(node, loop.now());
                                                               on_acknowledged(node, id);
                                                           },
                                                       .on_change = [this] { tell_news(); }});
    if (ownership.role() == Role::active) {
        begin_reading();
        reader->listen({});
    }
}

void Service::Impl::connect_workers() {
    const auto add = [this](const char* name, std::optional<Kind> kind) {
        workers.push_back(std::make_unique<WorkerLink>(
            state, name, options.runtime_dir, kind,
            WorkerLink::Handlers{
                .on_replica = [this](std::string_view key,
                                     std::optional<std::string> record) { on_replica(key, std::move(record)); },
                .on_reading =
                    [this, kind] {
                        if (kind) state.table.begin_round(*kind);
                    },
                .on_read = [this] { on_all_read(); },
                .on_change =
                    [this] {
                        go_on_leaving();
                        answer_orders();
                        acknowledge_passed();
                    }}));
    };
    add("mediarelay", Kind::leg);
    if (!options.sip) return;
    add("sipedge", Kind::binding);
    add("natpinger", std::nullopt);
}

WorkerLink* Service::Impl::worker_of(Kind kind) {
    const auto found = std::ranges::find_if(workers, [kind](const auto& worker) { return worker->kind() == kind; });
    return found == workers.end() ? nullptr : found->get();
}

void Service::Impl::tell_workers() {
    const Standing standing{.role = ownership.role(), .epoch = ownership.epoch(), .node = state.node};
    for (const auto& worker : workers) worker->set_standing(standing);
}

void Service::Impl::claim() {
    if (ownership.claim() != Ownership::Claim::none) writer->claim(ownership.claim(), ownership.epoch());
}

void Service::Impl::on_owner(const std::optional<Owner>& told, bool silent) {
    looked = true;
    owner = told;
    owner_silent = silent;
    if (leaving) {
        if (owner && owner->node == state.node) return;
        leave();
    }
    if (ownership.role() == Role::standby) {
        static_cast<void>(ownership.owner_seen(owner));
        reader->follow(owner);
        return tell_news();
    }
    apply(ownership.owner_seen(owner));
}

/// What an active worker of ours says. Members that it does not know are kept as the other node wrote them.
void Service::Impl::on_replica(std::string_view key, std::optional<std::string> record) {
    if ((ownership.role() != Role::active && !leaving) || !kind_of(key)) return;
    const Version version{.epoch = state.epoch, .seq = ++state.seq};
    const Replica* before = state.table.find(key);
    if (!record) {
        state.extras.erase(std::string(key));
        if (before != nullptr && state.table.drop(key, version) && !reading) writer->add(key, version);
        return;
    }
    if (record->size() > longest_record) return;
    if (before != nullptr && before->version.epoch != state.epoch) keep_members(key, before->record);
    const auto extra = state.extras.find(std::string(key));
    if (extra != state.extras.end()) record = record::with_members(std::move(*record), extra->second);
    const bool same = before != nullptr && before->record == *record && before->version.epoch == state.epoch;
    if (same) return state.table.touch(key);
    state.table.put(key, {.version = version, .clock_ms = state.clock_ms, .record = std::move(*record)});
    // What is there at the beginning is written as a whole.
    if (!reading) writer->add(key, std::nullopt);
}

void Service::Impl::keep_members(std::string_view key, const std::string& record) {
    const WorkerLink* worker = worker_of(*kind_of(key));
    if (worker == nullptr || worker->members().empty()) return;
    std::string members = record::other_members(record, worker->members());
    if (!members.empty()) state.extras.insert_or_assign(std::string(key), std::move(members));
}

void Service::Impl::begin_reading() {
    reading = true;
    reading_since = loop.now();
}

/// What a worker has not named is no more. Once all workers are read, the state is whole.
void Service::Impl::on_all_read() {
    bool all = true;
    for (const auto& worker : workers) {
        if (!worker->kind()) continue;
        all = all && worker->read();
        if (!worker->read()) continue;
        for (const std::string& key : state.table.left_over(*worker->kind())) on_replica(key, std::nullopt);
    }
    if (all && std::exchange(reading, false)) writer->begin_state();
    tell_news();
}

void Service::Impl::on_joined() {
    marks.clear();
    in_step = false;
    state.extras.clear();
    for (const auto& worker : workers) {
        if (worker->kind()) worker->feed_all();
    }
    log.major("read from Redis what " + owner->node + " holds: " + std::to_string(state.table.count(Kind::leg)) +
              " legs, " + std::to_string(state.table.count(Kind::binding)) + " registrations");
}

void Service::Impl::on_entry(StreamId id) {
    Mark mark{.id = id, .places = {}};
    for (const Kind kind : {Kind::leg, Kind::binding}) {
        if (const WorkerLink* worker = worker_of(kind))
            mark.places[static_cast<std::size_t>(kind)] = worker->feeding().place();
    }
    if (marks.size() >= most_marks) {
        marks.back() = mark;
    } else {
        marks.push_back(mark);
    }
    acknowledge_passed();
}

void Service::Impl::acknowledge_passed() {
    if (ownership.role() != Role::standby || !owner) return;
    const auto passed = [this](const Mark& mark) {
        for (const Kind kind : {Kind::leg, Kind::binding}) {
            const WorkerLink* worker = worker_of(kind);
            if (worker == nullptr) continue;
            if (!worker->feeding().running() ||
                worker->feeding().passed() < mark.places[static_cast<std::size_t>(kind)])
                return false;
        }
        return true;
    };
    std::optional<StreamId> id;
    while (!marks.empty() && passed(marks.front())) {
        id = marks.front().id;
        marks.pop_front();
    }
    if (!id) return;
    in_step = true;
    writer->acknowledge(owner->node, *id);
    tell_news();
}

void Service::Impl::on_acknowledged(const std::string& node, StreamId id) {
    if (node.empty() || (ownership.role() != Role::active && !leaving)) return;
    protection.acknowledged(node, writer->outbox().acknowledged(id), loop.now());
    if (!leaving) return;
    go_on_leaving();
    answer_orders();
}

}  // namespace natkit::cluster
