// The legs that outlive the process: written to the journal as they change, taken up again at the start.
#include <algorithm>
#include <thread>

#include "journal.hpp"
#include "local_ports.hpp"
#include "natkit/base/text.hpp"
#include "natkit/engine/relay/engine.hpp"
#include "natkit/io/process.hpp"
#include "standby.hpp"
#include "worker.hpp"

namespace natkit::relay {
namespace {

using namespace std::chrono_literals;
using record::LegState;

/// What a restart would find out again by itself is written with other changes, or this long after it changed.
constexpr Duration save_later_time = 1s;
constexpr Duration retry_time = 5s;
/// How long the process before may take to give its ports back, and how often that is looked at.
constexpr Duration giving_back_time = 200ms;
constexpr Duration look_again = 10ms;

}  // namespace

void Engine::save(std::initializer_list<Entry*> entries) {
    if (!keeps_changes()) return;
    const Batch one(*this);
    for (Entry* entry : entries) {
        if (!std::exchange(entry->unsaved, true)) unsaved_.push_back(key_of(entry->leg.id));
    }
}

void Engine::save_freed(LegKey key) {
    if (!keeps_changes()) return;
    const Batch one(*this);
    const auto leaving = legs_.find(key);
    if (leaving != legs_.end() && std::exchange(leaving->second.unsaved, true)) return;
    unsaved_.push_back(key);
}

void Engine::save_later(Entry& entry) {
    if (!keeps_changes() || std::exchange(entry.unsaved, true)) return;
    unsaved_.push_back(key_of(entry.leg.id));
    if (!save_timer_.active()) save_timer_.start_in(save_later_time);
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
    if (!tells_changes()) return;
    for (const Journal::Change& change : changes) on_saved_(change.id, change.record);
}

void Engine::journal(const std::vector<Journal::Change>& changes) {
    if (!journal_) return;
    (void)journal_->write(changes);
    on_journal_state(journal_->broken());
}

/// Told when it begins and when it ends; meanwhile it is tried again, whether or not anything changes.
void Engine::on_journal_state(const std::optional<Error>& why) {
    if (why && journal_error_.empty()) {
        log_.failures("the journal cannot be written, calls would not survive a restart: " + to_string(*why));
    }
    if (!why && !journal_error_.empty()) log_.major("the journal can be written again");
    journal_error_ = why ? to_string(*why) : std::string();
    if (why && !retry_timer_.active()) retry_timer_.start_in(retry_time);
}

/// Calls are worth more than what a restart would need: without a journal mediarelay serves all the same.
Result<void> Engine::open_journal() {
    auto opened = Journal::open(options_.journal, io::boot_id());
    if (!opened) {
        if (opened.error().code == Errc::refused) return std::unexpected(opened.error());
        on_journal_state(opened.error());
        return {};
    }
    for (const std::string& message : opened->messages) log_.major(message);
    journal_ = std::move(opened->journal);
    on_journal_state(journal_->broken());
    restore(opened->legs);
    return {};
}

void Engine::retry_journal() {
    if (!journal_) {
        auto opened = Journal::open(options_.journal, io::boot_id());
        if (!opened) return on_journal_state(opened.error());
        journal_ = std::move(opened->journal);
        // Its legs are from before the journal failed; those that live are here.
        std::vector<Journal::Change> stale;
        std::vector<std::string> ids;
        stale.reserve(opened->legs.size());
        ids.reserve(opened->legs.size());
        record::ObjectReader reader;
        for (const std::string& text : opened->legs) {
            const auto record = reader.read(text);
            ids.emplace_back(record ? record->string("leg").value_or("") : "");
        }
        for (const std::string& id : ids) stale.push_back({.id = id, .record = nullptr});
        journal(stale);
    }
    const Batch all(*this);
    for (auto& [key, entry] : legs_) save({&entry});
    if (legs_.empty()) journal({});
}

void Engine::restore(const std::vector<std::string>& records) {
    const Batch all(*this);
    record::ObjectReader reader;
    std::vector<record::LegRecord> legs;
    const auto lose = [this](const std::string& id, const Error& why) {
        log_.failures("leg " + text::printable(id, 40) + " of the journal is lost: " + to_string(why));
        journal({{.id = id, .record = nullptr}});
    };
    for (const std::string& text : records) {
        const auto record = reader.read(text);
        auto leg = record ? record::parse_leg(*record) : Result<record::LegRecord>(std::unexpected(record.error()));
        if (leg) {
            legs.push_back(std::move(*leg));
        } else {
            lose(std::string(record ? record->string("leg").value_or("") : ""), leg.error());
        }
    }
    std::ranges::sort(legs, {}, &record::LegRecord::opened);
    for (record::LegRecord& leg : legs) {
        const std::string id = leg.id;
        if (auto done = restore_leg(std::move(leg), giving_back_time); !done) lose(id, done.error());
    }
    if (!standby_) take_up_joins();
    if (!legs_.empty()) {
        log_.major((standby_ ? "holds " : "took up ") + std::to_string(legs_.size()) + " legs and " +
                   std::to_string(standby_ ? named_joins() : joins_) + " sessions of the process before");
    }
}

Result<Engine::BoundPorts> Engine::admit(const record::LegRecord& leg, Duration patience) {
    const Ports::Kind kind = kind_of(leg);
    if (!ports_->restore(leg.bound, kind)) {
        return fail(Errc::refused, to_string(leg.bound) + " is no longer among the media ports");
    }
    if (leg.state != LegState::open && leg.state != LegState::joined) return BoundPorts();
    const Transport transport = is_tcp(leg.stream) ? Transport::tcp : Transport::udp;
    auto bound = ports_->bind(leg.bound, kind, transport, leg.tos);
    for (Duration waited{}; waited < patience && !bound && bound.error().code == Errc::refused; waited += look_again) {
        std::this_thread::sleep_for(look_again);
        bound = ports_->bind(leg.bound, kind, transport, leg.tos);
    }
    if (!bound) ports_->give_back(leg.bound, kind, loop_.now());
    return bound;
}

void Engine::take_up(Entry& entry, BoundPorts ports, Duration handover) {
    const record::LegRecord& leg = entry.leg;
    if (leg.state != LegState::open && leg.state != LegState::joined) return;
    const LegKey key = key_of(leg.id);
    hand_over(entry, std::move(ports));
    for (const Component component : {Component::rtp, Component::rtcp}) {
        if (const auto& latched = leg.latched[static_cast<std::size_t>(component)]) {
            const Latch::Known holder{.source = latched->endpoint,
                                      .rule = latched->rule,
                                      .confirmed = !latched->provisional,
                                      .ssrc = latched->ssrc};
            post(entry.worker,
                 [key, component, holder, handover](Plane& plane) { plane.restore(key, component, holder, handover); });
        }
    }
    if (leg.hold) post(entry.worker, [key](Plane& plane) { plane.set_hold(key, true); });
}

void Engine::take_up_joins() {
    for (auto& [key, entry] : legs_) {
        record::LegRecord& leg = entry.leg;
        const auto peer = legs_.find(key_of(leg.joined));
        const bool both =
            peer != legs_.end() && peer->second.leg.joined == leg.id && peer->second.in_plane && entry.in_plane;
        if (!both) {
            if (leg.joined.empty() && leg.state != LegState::joined) continue;
            leg.joined.clear();
            if (leg.state == LegState::joined) leg.state = LegState::open;
            save({&entry});
        } else if (key < peer->first) {
            move_to_worker_of(entry, peer->second);
            post(entry.worker, [x = key, y = peer->first](Plane& plane) { plane.join(x, y); });
            ++joins_;
        }
    }
}

Result<void> Engine::restore_leg(record::LegRecord leg, Duration patience) {
    const LegKey key = key_of(leg.id);
    if (key == 0 || legs_.contains(key)) return fail(Errc::bad_input, "not an id", "leg");
    auto ports = admit(leg, patience);
    if (!ports) return std::unexpected(ports.error());
    Entry& entry = legs_[key];
    entry.leg = std::move(leg);
    entry.order = ++last_order_;
    entry.worker = choose_worker(entry.leg);
    if (!entry.leg.request.empty()) restored_requests_[entry.leg.request] = key;
    by_call_.emplace(entry.leg.call_id, key);
    if (standby_) {
        hold(key, std::move(*ports));
    } else {
        take_up(entry, std::move(*ports), {});
    }
    return {};
}

}  // namespace natkit::relay
