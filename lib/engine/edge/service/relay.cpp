#include <algorithm>
#include <utility>

#include "../records/state.hpp"
#include "service_impl.hpp"

namespace natkit::edge {
namespace {

constexpr const char* nothing = "{}";
constexpr std::chrono::milliseconds again_soon{20};

std::string list_text(const std::vector<std::string>& legs) {
    std::string text = "[";
    for (const std::string& leg : legs) (text += text.size() > 1 ? "," : "") += record::json_string(leg);
    return text + "]";
}

}  // namespace

/// Ports that nobody needs any more, and news that changes nothing for a while, can wait for the next call's requests.
bool Service::Impl::can_wait(const MediaRequest& request) {
    const auto* update = std::get_if<UpdateLeg>(&request);
    return std::holds_alternative<FreeLegs>(request) || (update != nullptr && update->can_wait);
}

/// A call that cannot be kept is told of, and nothing of it is kept: mediarelay would refuse what comes with it.
std::string Service::Impl::kept_text(const KeepState& keep) const {
    if (!keep.state) return nothing;
    auto text = state_text(*keep.state, host_clock());
    if (text) return std::move(*text);
    log.problems(text.error().message);
    return nothing;
}

/// What an answered call wants kept travels with the news of a leg's party, where both are for the same leg.
void Service::Impl::ask_relay(const std::vector<MediaRequest>& requests) {
    if (std::ranges::all_of(requests, can_wait)) {
        constexpr auto later = control::Client::Urgency::can_wait;
        for (const MediaRequest& request : requests) {
            if (const auto* update = std::get_if<UpdateLeg>(&request)) {
                tell_relay("update", update_request(*update), later);
            } else {
                free_legs(std::get<FreeLegs>(request), later);
            }
        }
        return;
    }
    relay.gather();
    std::vector<const KeepState*> kept;
    for (const MediaRequest& request : requests) {
        if (const auto* keep = std::get_if<KeepState>(&request)) kept.push_back(keep);
    }
    for (const MediaRequest& request : requests) {
        const auto* update = std::get_if<UpdateLeg>(&request);
        const auto with = update == nullptr ? kept.end() : std::ranges::find(kept, update->leg, &KeepState::leg);
        if (with != kept.end()) {
            record::ObjectText both = update_request(*update);
            both.raw("owner_state", kept_text(**with));
            tell_relay("update", std::move(both));
            kept.erase(with);
        } else if (!std::holds_alternative<KeepState>(request)) {
            ask_relay(request);
        }
    }
    for (const KeepState* keep : kept) {
        record::ObjectText object;
        object.text("leg", keep->leg);
        object.raw("owner_state", kept_text(*keep));
        tell_relay("update", std::move(object));
    }
    relay.flush();
}

void Service::Impl::tell_relay(const char* what, record::ObjectText request, control::Client::Urgency urgency) {
    request.flag("brief", true);
    relay.request_text(
        what, request.close(),
        [this, what](const Result<Json>& reply) {
            if (!reply) log.problems(std::string("mediarelay: ") + what + ": " + to_string(reply.error()));
        },
        urgency);
}

void Service::Impl::free_legs(const FreeLegs& free, control::Client::Urgency urgency) {
    record::ObjectText object;
    object.raw("legs", list_text(free.legs));
    if (!tells_of_calls()) return tell_relay("free", std::move(object), urgency);
    object.flag("statistics", true);
    relay.request_text(
        "free", object.close(),
        [this](const Result<Json>& reply) {
            if (!reply) return log.problems("mediarelay: free: " + to_string(reply.error()));
            if (const auto legs = reply->find("legs"); legs != reply->end() && legs->is_array())
                call_records.on_counted(*legs);
        },
        urgency);
}

void Service::Impl::ask_relay(const OpenLeg& open) {
    record::ObjectText wanted = open_request(open);
    wanted.text("owner", owner);
    relay.request_view("open", wanted.close(), [this, ticket = open.ticket](const Result<record::ObjectView>& reply) {
        Output out;
        auto leg = reply ? read_leg(*reply) : Result<RelayLeg>(std::unexpected(reply.error()));
        edge.on_leg_opened(ticket, std::move(leg), now(), out);
        carry_out(out);
    });
}

void Service::Impl::ask_relay(const MediaRequest& request) {
    record::ObjectText object;
    if (const auto* open = std::get_if<OpenLeg>(&request)) {
        ask_relay(*open);
    } else if (const auto* update = std::get_if<UpdateLeg>(&request)) {
        tell_relay("update", update_request(*update));
    } else if (const auto* join = std::get_if<JoinLegs>(&request)) {
        object.text("a", join->a);
        object.text("b", join->b);
        tell_relay("join", std::move(object));
    } else if (const auto* part = std::get_if<PartLeg>(&request)) {
        object.text("leg", part->leg);
        tell_relay("part", std::move(object));
    } else if (const auto* reopen = std::get_if<ReopenLeg>(&request)) {
        object.text("leg", reopen->leg);
        tell_relay("open", std::move(object));
    } else if (const auto* free = std::get_if<FreeLegs>(&request)) {
        free_legs(*free, control::Client::Urgency::now);
    }
}

/// After a start: the calls whose state mediarelay kept go on; their legs are claimed, all others of ours are freed by
/// mediarelay 30 s later.
void Service::Impl::take_up_calls() {
    if (!reading && !patience.active()) patience.start_in(std::chrono::seconds(3));
    relay.request("claim", {{"owner", owner}}, [this](Result<Json> reply) {
        if (reply) return take_up_page(0);
        // It becomes active as this node does.
        if (!promoting.empty() && reply.error().code == Errc::refused) return claim_again.start_in(again_soon);
        log.problems("mediarelay: claim: " + to_string(reply.error()));
        if (reply.error().code == Errc::timed_out) take_up_calls();
    });
}

void Service::Impl::begin_reading() {
    if (std::exchange(reading, true)) return;
    patience.stop();
    for (const auto& [local, socket] : sockets) socket->read(true);
    if (promoting.empty()) return;
    for (const control::Reply& reply : std::exchange(promoting, {})) reply.ok(Json::object());
    if (server->watched("client")) tell_clients(edge.registrar().ids_if([](const sip::Binding&) { return true; }));
    on_timer();  // what is due by now
}

void Service::Impl::take_up_page(std::uint64_t after) {
    relay.request("list", {{"owner", owner}, {"after", after}}, [this](Result<Json> reply) {
        if (!reply || !reply->contains("legs")) {
            log.problems("mediarelay: list: " + (reply ? std::string("no legs in it") : to_string(reply.error())));
            if (!reply && reply.error().code == Errc::timed_out) take_up_calls();
            return;
        }
        for (const Json& leg : (*reply)["legs"]) {
            if (!leg.contains("owner_state") || leg["owner_state"].empty()) continue;
            auto state = read_state(leg["owner_state"], host_clock());
            if (!state) {
                log.problems("mediarelay: a call was kept, but: " + to_string(state.error()));
                continue;
            }
            edge.media().remember(std::move(*state));
        }
        if (reply->contains("next")) return take_up_page((*reply)["next"].get<std::uint64_t>());
        const std::size_t before = edge.media().size();
        const auto legs = edge.media().restore(loop.now());
        const std::size_t calls = edge.media().size() - before;
        if (!legs.empty()) relay.request("claim", {{"owner", owner}, {"legs", legs}}, [](const Result<Json>&) {});
        if (calls > 0) log.major(std::to_string(calls) + " calls taken up from before the restart");
        Output out;  // nothing to send, but timers to start
        carry_out(out);
        begin_reading();
    });
}

void Service::Impl::look_for_legs(std::unordered_set<std::string> known, unsigned absences, std::uint64_t after) {
    relay.request("list", {{"after", after}}, [this, known, absences](Result<Json> reply) mutable {
        if (absences != relay_absences) return;
        if (!reply || !reply->contains("legs") || !(*reply)["legs"].is_array()) {
            return log.problems("mediarelay: list: " +
                                (reply ? std::string("no legs in it") : to_string(reply.error())));
        }
        for (const Json& leg : (*reply)["legs"]) known.erase(leg.value("leg", ""));
        if (reply->contains("next"))
            return look_for_legs(std::move(known), absences, (*reply)["next"].get<std::uint64_t>());
        if (known.empty()) return;
        log.problems("mediarelay came back without " + std::to_string(known.size()) + " legs of calls");
        Output out;
        edge.on_legs_lost({known.begin(), known.end()}, now(), out);
        carry_out(out);
    });
}

void Service::Impl::watch_relay() {
    relay.on_state([this](bool connected, const std::string& why) {
        if (connected) {
            log.low_level("connected to mediarelay");
            const auto legs = edge.media().legs();
            if (reading && !legs.empty()) look_for_legs(std::unordered_set(legs.begin(), legs.end()), relay_absences);
            return;
        }
        ++relay_absences;
        log.low_level("not connected to mediarelay: " + why);
    });
    take_up_calls();  // waits for the connection; a restarted mediarelay knows its legs' owners by itself
    relay.watch(
        [this](const Json& record) {
            if (record.value("type", "") != "timeout" || !record.contains("legs")) return;
            std::vector<std::string> legs;
            for (const Json& leg : record["legs"]) {
                if (leg.is_string()) legs.push_back(leg.get<std::string>());
            }
            Output out;
            edge.on_legs_lost(legs, now(), out);
            carry_out(out);
        },
        {"timeout"});
}

}  // namespace natkit::edge
