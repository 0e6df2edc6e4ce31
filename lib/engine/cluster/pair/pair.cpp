#include "pair.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace natkit::cluster {
namespace {

using namespace std::chrono_literals;
using control::Reply;

constexpr Duration tick_time = 200ms;
constexpr Duration patience = 5s;         ///< of an order
constexpr Duration most_leaving = 500ms;  ///< a standby acknowledges within a tenth of it

std::string why_text(const Ownership::Effect& effect) {
    switch (effect.why) {
        case Ownership::Why::order: return "by order";
        case Ownership::Why::address_gone: return "address gone: this host has none of the shared addresses any more";
        case Ownership::Why::address_here: return "the shared addresses are here, and nobody is active";
        case Ownership::Why::another_owner: return "another owner: " + effect.other + " was promoted later";
    }
    return {};
}

}  // namespace

Pair::Pair(io::Loop& on, Service::Options with, const config::Config& from, const Standing& standing)
    : Impl(on, std::move(with), from, Names(from.cluster.group, node_name(from.cluster))),
      ownership(state.node, standing.role, standing.epoch),
      protection(on.now()),
      tick(on, [this] { on_tick(); }) {
    state.epoch = standing.epoch;
}

void Pair::start() {
    connect_workers();
    connect_redis();
    log.major(state.node + " is " + to_string(ownership.role()) + ", epoch " + std::to_string(ownership.epoch()));
    look_at_addresses();
    tell_workers(standing());
    tick.start_in(tick_time);
}

Standing Pair::standing() const {
    return {.role = ownership.role(), .epoch = ownership.epoch(), .node = state.node};
}

void Pair::order(Role role, const Reply& reply) {
    orders.push_back({.reply = reply, .role = role, .until = loop.now() + patience});
    if (role == Role::standby) look_at_addresses();
    apply(role == Role::active ? ownership.promote(writer->connected() && looked)
                               : ownership.demote(Ownership::Why::order));
    answer_orders();
}

void Pair::answer_orders() {
    const auto late = std::ranges::find_if(workers, [](const auto& worker) { return !worker->holds(); });
    const Instant now = loop.now();
    // Who waits for the answer moves the address then: the other one shall have everything.
    const bool gives = leaving && has_address();
    std::erase_if(orders, [&](const Order& order) {
        if (order.role != ownership.role()) {
            order.reply.error({.code = Errc::refused, .where = {}, .message = "another order came meanwhile"});
        } else if (!gives && late == workers.end()) {
            order.reply.ok({{"role", to_string(ownership.role())}, {"epoch", ownership.epoch()}});
        } else if (!gives && now >= order.until) {
            order.reply.error({.code = Errc::timed_out,
                               .where = {},
                               .message = (*late)->name() + " does not answer; it will be " +
                                          std::string(to_string(order.role)) + " when it is there again"});
        } else {
            return false;
        }
        return true;
    });
}

void Pair::apply(const Ownership::Effects& effects) {
    using What = Ownership::Effect::Kind;
    for (const auto& effect : effects) {
        if (effect.kind == What::write) {
            begin_state();
            continue;
        }
        state.epoch = ownership.epoch();
        keep_standing(standing());
        effect.kind == What::end ? end(effect) : begin(effect);
        tell_workers(standing());
    }
    go_on_leaving();
    claim();
    tell_news();
}

void Pair::begin(const Ownership::Effect& effect) {
    const bool begins = effect.kind == Ownership::Effect::Kind::begin;
    const bool by_itself = effect.why == Ownership::Why::address_here;
    log.major(state.node + (begins ? " is active now" : " goes on as active") +
              (by_itself ? ": " + why_text(effect) : std::string()) + ", epoch " + std::to_string(ownership.epoch()));
    if (!begins) return;
    if (leaving) leave();
    protection.restart(loop.now());
    marks.clear();
    begin_reading();
    reader->listen(writer->nodes());
}

/// The workers stop at once. What they have told until then is still written, where somebody is there to have it.
void Pair::end(const Ownership::Effect& effect) {
    const std::string text =
        state.node + " is standby now: " + why_text(effect) + ", epoch " + std::to_string(ownership.epoch());
    effect.why == Ownership::Why::order ? log.major(text) : log.failures(text);
    in_step = recalling = false;
    former.reset();
    marks.clear();
    const bool is_heard = writer->keeps_up() && !protection.standbys().empty();
    if (effect.why == Ownership::Why::another_owner || !is_heard) return leave();
    leaving = loop.now() + most_leaving;
}

/// Until the workers have told the last, and a standby has it.
void Pair::go_on_leaving() {
    if (!leaving) return;
    const bool told = std::ranges::none_of(workers, [](const auto& worker) { return worker->leaving(); });
    const bool done = told && !writer->outbox().oldest();
    if (done || !writer->connected() || loop.now() >= *leaving) leave();
}

void Pair::leave() {
    leaving.reset();
    writer->stop();
    reader->follow(std::nullopt);
}

void Pair::on_tick() {
    tick.start_in(tick_time);
    const Instant now = loop.now();
    if (ownership.role() == Role::active) protection.update(writer->outbox().oldest(), writer->connected(), now);
    if (const auto effects = ownership.look_around(others(), now); !effects.empty()) apply(effects);
    // A worker that is not there keeps nobody from copying what the others have.
    if (reading && now - reading_since > patience) {
        reading = false;
        begin_state();
    }
    if (recalling_since && now - *recalling_since > patience) on_recalled({});
    claim();
    go_on_leaving();
    answer_orders();
    tell_news();
}

/// Where Redis cannot be asked, what it said last stands: an owner that was alive then may be so still.
Ownership::Others Pair::others() const {
    const bool another = owner && owner->node != state.node && !owner_silent;
    return {.active = another, .known = writer->connected() && looked, .ready = readiness().ready};
}

}  // namespace natkit::cluster
