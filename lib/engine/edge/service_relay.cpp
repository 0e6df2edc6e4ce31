#include "service_impl.hpp"

namespace natkit::edge {

void Service::Impl::ask_relay(const MediaRequest& request) {
    const auto told = [this](const char* what) {
        return [this, what](Result<Json> reply) {
            if (!reply) log.problems(std::string("mediarelay: ") + what + ": " + to_string(reply.error()));
        };
    };
    if (const auto* open = std::get_if<OpenLeg>(&request)) {
        Json wanted = open_request(*open);
        wanted["owner"] = owner;
        relay.request("open", wanted, [this, ticket = open->ticket](Result<Json> reply) {
            Output out;
            auto leg = reply ? read_leg(*reply) : Result<Leg>(std::unexpected(reply.error()));
            edge.on_leg_opened(ticket, std::move(leg), now(), out);
            carry_out(out);
        });
    } else if (const auto* update = std::get_if<UpdateLeg>(&request)) {
        relay.request("update", update_request(*update), told("update"));
    } else if (const auto* join = std::get_if<JoinLegs>(&request)) {
        relay.request("join", {{"a", join->a}, {"b", join->b}}, told("join"));
    } else if (const auto* free = std::get_if<FreeLegs>(&request)) {
        relay.request("free", {{"legs", free->legs}}, told("free"));
    } else if (const auto* keep = std::get_if<KeepState>(&request)) {
        relay.request("update", {{"leg", keep->leg}, {"owner_state", state_record(keep->state)}}, told("owner_state"));
    }
}

/// After a start: the calls whose state mediarelay kept go on; their legs are claimed, all others of ours are freed by
/// mediarelay 30 s later.
void Service::Impl::take_up_calls() {
    relay.request("claim", {{"owner", owner}}, [this](Result<Json> reply) {
        if (!reply) return log.problems("mediarelay: claim: " + to_string(reply.error()));
        take_up_page(0);
    });
}

void Service::Impl::take_up_page(std::uint64_t after) {
    relay.request("list", {{"owner", owner}, {"after", after}}, [this](Result<Json> reply) {
        if (!reply || !reply->contains("legs")) return;
        std::size_t calls = 0;
        for (const Json& leg : (*reply)["legs"]) {
            if (!leg.contains("owner_state")) continue;
            const auto state = read_state(leg["owner_state"]);
            if (!state) {
                log.problems("mediarelay: a call was kept, but: " + to_string(state.error()));
                continue;
            }
            const auto legs = edge.media().restore(*state, loop.now());
            if (legs.empty()) continue;
            ++calls;
            relay.request("claim", {{"owner", owner}, {"legs", legs}}, [](const Result<Json>&) {});
        }
        if (calls > 0) log.major(std::to_string(calls) + " calls taken up from before the restart");
        if (reply->contains("next")) return take_up_page((*reply)["next"].get<std::uint64_t>());
        Output out;  // nothing to send, but timers to start
        carry_out(out);
    });
}

void Service::Impl::watch_relay() {
    relay.on_state([this](bool connected, const std::string& why) {
        if (connected) return log.low_level("connected to mediarelay");
        log.low_level("not connected to mediarelay: " + why);
    });
    take_up_calls();  // waits for the connection; a restarted mediarelay knows its legs' owners by itself
    relay.watch([this](const Json& record) {
        if (record.value("type", "") != "timeout" || !record.contains("legs")) return;
        std::vector<std::string> legs;
        for (const Json& leg : record["legs"]) {
            if (leg.is_string()) legs.push_back(leg.get<std::string>());
        }
        Output out;
        edge.on_legs_lost(legs, out);
        carry_out(out);
    });
}

}  // namespace natkit::edge
