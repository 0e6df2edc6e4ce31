#include <array>

#include "pair.hpp"

namespace natkit::cluster {
namespace {

constexpr std::size_t most_marks = 4096;

}  // namespace

void Pair::connect_redis() {
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
                                 if (ownership.role() == Role::active && !recalling) reader->listen(writer->nodes());
                             }});
    reader = std::make_unique<Reader>(
        state, dns, with,
        Reader::Handlers{.on_joined = [this] { on_joined(); },
                         .on_replica =
                             [this](std::string_view key) {
                                 if (WorkerLink* worker = worker_of(*kind_of(key))) worker->feed(key);
                             },
                         .on_entry = [this](StreamId id) { on_entry(id); },
                         .on_acknowledged =
                             [this](const std::string& node, StreamId id) {
                                 heard_from = node;
                                 protection.heard(node, loop.now());
                                 on_acknowledged(node, id);
                             },
                         .on_recalled = [this](ReplicaTable read) { on_recalled(std::move(read)); },
                         .on_change = [this] { tell_news(); }});
    recalling = ownership.role() == Role::active;
    if (recalling) begin_reading();
}

void Pair::connect_workers() {
    connect_worker("mediarelay", Kind::leg);
    if (!options.sip) return;
    connect_worker("sipedge", Kind::binding);
    connect_worker("natpinger", std::nullopt);
}

void Pair::on_worker() {
    go_on_leaving();
    answer_orders();
    acknowledge_passed();
}

void Pair::claim() {
    if (ownership.claim() != Ownership::Claim::none) writer->claim(ownership.claim(), ownership.epoch());
}

void Pair::on_owner(const std::optional<Owner>& told, bool silent) {
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
    if (recalling && !recalling_since) recall();
    apply(ownership.owner_seen(owner));
}

void Pair::on_read() {
    begin_state();
}

/// Our workers do not know all members of the records that a newer natkit made. Who started anew, and was active all
/// the time, has them in its own state of before: it stays in Redis until the new one is whole.
void Pair::recall() {
    recalling_since = loop.now();
    if (!owner || owner->node != state.node || owner->state.empty()) return on_recalled({});
    reader->recall(*owner);
}

void Pair::on_recalled(ReplicaTable read) {
    recalling_since.reset();
    if (!std::exchange(recalling, false)) return;
    former = std::move(read);
    reader->listen(writer->nodes());
    begin_state();
}

void Pair::begin_state() {
    if (reading || recalling) return;
    if (former) {
        std::exchange(former, std::nullopt)->for_each([this](const std::string& key, const Replica& replica) {
            const Replica* now = state.table.find(key);
            if (now == nullptr) return;
            keep_members(key, replica.record);
            on_replica(key, std::string(now->record));
        });
    }
    writer->begin_state();
}

void Pair::on_joined() {
    marks.clear();
    in_step = false;
    state.extras.clear();
    for (const auto& worker : workers) {
        if (worker->kind()) worker->feed_all();
    }
    log.major("read from Redis what " + owner->node + " holds: " + std::to_string(state.table.count(Kind::leg)) +
              " legs, " + std::to_string(state.table.count(Kind::binding)) + " registrations");
}

void Pair::on_entry(StreamId id) {
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

void Pair::acknowledge_passed() {
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

void Pair::on_acknowledged(const std::string& node, StreamId id) {
    if (node.empty() || !writes()) return;
    protection.acknowledged(node, writer->outbox().acknowledged(id), loop.now());
    if (!leaving) return;
    go_on_leaving();
    answer_orders();
}

}  // namespace natkit::cluster
