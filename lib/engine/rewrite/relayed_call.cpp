#include "relayed_call.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "natkit/record/json_members.hpp"
#include "party.hpp"

namespace natkit::rewrite {
namespace {

constexpr unsigned most_pages = 16;

/// An answer that says only that the leg is gone, or was changed by somebody else.
bool tells_of_change(const Error& error) {
    return error.code == Errc::not_found || (error.code == Errc::refused && error.where == "owner_state_before");
}

}  // namespace

Result<void> RelayedCall::load() {
    outdated_ = false;
    discarded_.clear();
    opened_.clear();
    joins_.clear();
    failed_stream_.reset();
    return list();
}

Result<void> RelayedCall::list() {
    call_ = {};
    Json params = {{"call_id", call_id_}, {"owner", owner_name}, {"statistics", false}};
    for (unsigned page = 0; page < most_pages; ++page) {
        const auto reply = link_.ask("list", params);
        if (!reply) return std::unexpected(reply.error());
        call_.add(*reply);
        const auto next = reply->find("next");
        if (next == reply->end()) break;
        params["after"] = *next;
    }
    std::erase_if(call_.legs,
                  [&](const CallLeg& leg) { return std::ranges::find(discarded_, leg.id) != discarded_.end(); });
    choose_carrier();
    return {};
}

/// The oldest leg: every process that looks for one finds the same.
void RelayedCall::choose_carrier() {
    const bool there = std::ranges::any_of(call_.legs, [&](const CallLeg& leg) { return leg.id == call_.carrier; });
    if (!there) call_.carrier = call_.legs.empty() ? std::string() : call_.legs.front().id;
}

Result<void> RelayedCall::open(CallLeg leg, Json params) {
    if (leg.side == 0) leg.tag = call_.state.first_tag;
    const bool carries = call_.legs.empty();
    const Json kept = owner_state(leg, carries ? &call_ : nullptr);
    params["stream"] = relay::to_string(leg.kind);
    params["call_id"] = call_id_;
    params["owner"] = owner_name;
    params["owner_state"] = kept;
    const auto reply = link_.ask("open", params);
    if (!reply) return std::unexpected(reply.error());
    const auto local = record::endpoint_of(*reply, "local");
    leg.id = record::text_of(*reply, "leg");
    if (leg.id.empty()) return fail(Errc::bad_input, "the relay's answer has no leg");
    if (!local) return fail(Errc::bad_input, "the relay's answer has no local");
    leg.local = *local;
    leg.mux = params.value("mux", false);
    if (!leg.mux) leg.rtcp = record::endpoint_of(*reply, "rtcp");
    if (const auto party = params.find("party"); party != params.end()) leg.party = *party;
    leg.kept = kept.dump();
    if (carries) call_.carrier = leg.id;
    opened_.push_back(leg.id);
    call_.legs.push_back(std::move(leg));
    return {};
}

Result<void> RelayedCall::confirm_opened() {
    if (opened_.empty()) return {};
    const CallState state = call_.state;
    if (auto listed = list(); !listed) return listed;
    std::vector<std::string> lost;
    for (const std::string& id : opened_) {
        if (std::ranges::none_of(call_.legs, [&](const CallLeg& leg) { return leg.id == id; })) lost.push_back(id);
    }
    opened_.clear();
    // Also what this message means may not be there yet, in a call that had legs: it is read anew, with those of now.
    if (lost.empty() && call_.state == state) return {};
    if (auto freed = free(lost); !freed) return freed;
    return changed_elsewhere();
}

std::unexpected<Error> RelayedCall::changed_elsewhere() {
    outdated_ = true;
    return fail(Errc::not_found, "another process has changed the call");
}

void RelayedCall::undo_opened() {
    (void)free(std::exchange(opened_, {}));
}

Result<void> RelayedCall::free(const std::vector<std::string>& legs) {
    if (legs.empty()) return {};
    const auto freed = link_.ask("free", {{"legs", legs}});
    return freed ? Result<void>() : std::unexpected(freed.error());
}

void RelayedCall::note_change(CallLeg& leg, std::uint64_t exchange) {
    if (leg.opened_by == exchange) return;  // goes with it
    if (leg.changed_by == 0) leg.agreed = {{"party", leg.party}, {"hold", leg.hold}, {"mux", leg.mux}};
    leg.changed_by = exchange;
}

void RelayedCall::drop_known(const CallLeg& leg, Json& changes) {
    if (const auto party = changes.find("party"); party != changes.end() && is_known(leg.party, *party))
        changes.erase("party");
    if (changes.contains("hold") && changes["hold"] == leg.hold) changes.erase("hold");
    if (changes.contains("mux") && changes["mux"] == leg.mux) changes.erase("mux");
}

void RelayedCall::change(CallLeg& leg, const Json& changes) {
    leg.pending.update(changes);
    if (changes.contains("party")) leg.party = changes["party"];
    if (changes.contains("hold")) leg.hold = changes["hold"].get<bool>();
    if (changes.contains("mux")) leg.mux = changes["mux"].get<bool>();
}

void RelayedCall::join(const CallLeg& a, const CallLeg& b) {
    if (a.joined != b.id) joins_.emplace_back(a.id, b.id);
}

template <class Predicate>
void RelayedCall::discard(Predicate predicate) {
    for (const CallLeg& leg : call_.legs) {
        if (predicate(leg)) discarded_.push_back(leg.id);
    }
    std::erase_if(call_.legs, predicate);
    choose_carrier();
}

void RelayedCall::discard_stream(std::size_t stream) {
    discard([&](const CallLeg& leg) { return leg.stream == stream; });
}

void RelayedCall::discard_all() {
    discard([](const CallLeg&) { return true; });
    discarded_.insert(discarded_.end(), call_.surplus.begin(), call_.surplus.end());
}

void RelayedCall::discard_offered(std::size_t stream, relay::Stream unless) {
    discard([&](const CallLeg& leg) { return leg.stream == stream && leg.opened_by != 0 && leg.kind != unless; });
}

void RelayedCall::accept(std::uint64_t exchange) {
    std::set<std::size_t> replaced;
    for (const CallLeg& leg : call_.legs) {
        if (leg.opened_by == exchange) replaced.insert(leg.stream);
    }
    discard([&](const CallLeg& leg) { return leg.opened_by == 0 && replaced.contains(leg.stream); });
    for (CallLeg& leg : call_.legs) {
        if (leg.opened_by == exchange) leg.opened_by = 0;
        if (leg.changed_by == exchange) leg.changed_by = 0;
    }
}

void RelayedCall::establish(std::uint64_t exchange) {
    for (CallLeg& leg : call_.legs) {
        if (leg.opened_by != exchange) leg.opened_by = 0;
        if (leg.changed_by != exchange) leg.changed_by = 0;
    }
}

void RelayedCall::roll_back(std::uint64_t exchange) {
    discard([&](const CallLeg& leg) { return leg.opened_by == exchange; });
    for (CallLeg& leg : call_.legs) {
        if (leg.changed_by != exchange) continue;
        Json before = Json::object();
        if (leg.agreed.contains("party") && leg.agreed["party"].is_object()) before["party"] = leg.agreed["party"];
        for (const char* key : {"hold", "mux"}) {
            if (leg.agreed.contains(key) && leg.agreed[key].is_boolean()) before[key] = leg.agreed[key];
        }
        leg.changed_by = 0;
        drop_known(leg, before);
        change(leg, before);
    }
}

Result<void> RelayedCall::write(CallLeg& leg) {
    Json update = std::exchange(leg.pending, Json::object());
    const bool carries = leg.id == call_.carrier;
    Json kept = owner_state(leg, carries ? &call_ : nullptr);
    if (kept.dump() != leg.kept) {
        if (carries) {
            ++call_.revision;
            kept = owner_state(leg, &call_);
        }
        update["owner_state"] = kept;
        update["owner_state_before"] = Json::parse(leg.kept);
    }
    if (update.empty()) return {};
    update["leg"] = leg.id;
    const auto updated = link_.ask("update", update);
    if (!updated) {
        outdated_ = outdated_ || tells_of_change(updated.error());
        failed_stream_ = leg.stream;
        return std::unexpected(updated.error());
    }
    leg.kept = kept.dump();
    return {};
}

Result<void> RelayedCall::write_all() {
    choose_carrier();
    for (const bool carrier : {false, true}) {
        for (CallLeg& leg : call_.legs) {
            if ((leg.id == call_.carrier) != carrier) continue;
            if (auto written = write(leg); !written) return written;
        }
    }
    return {};
}

Result<void> RelayedCall::write_joins() {
    for (const auto& [a, b] : std::exchange(joins_, {})) {
        const auto joined = link_.ask("join", {{"a", a}, {"b", b}});
        if (joined) continue;
        outdated_ = outdated_ || tells_of_change(joined.error());
        return std::unexpected(joined.error());
    }
    return {};
}

Result<void> RelayedCall::save() {
    if (auto written = write_all(); !written) return written;
    if (auto joined = write_joins(); !joined) return joined;
    return free(std::exchange(discarded_, {}));
}

}  // namespace natkit::rewrite
