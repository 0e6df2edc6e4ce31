#include "natkit/engine/cluster/service.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "natkit/io/process.hpp"
#include "natkit/record/json_members.hpp"
#include "service_impl.hpp"

namespace natkit::cluster {
namespace {

using namespace std::chrono_literals;
using control::Json;
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

Service::Impl::Impl(io::Loop& on, Service::Options with, config::Config from, Standing standing)
    : loop(on),
      options(std::move(with)),
      config(std::move(from)),
      log("CLUSTER", config.sip.log_level),
      started(on.now()),
      boot_id(io::boot_id()),
      dns(on),
      state(on, log, config.cluster.group, node_name(config.cluster)),
      ownership(state.node, standing.role, standing.epoch),
      protection(on.now()),
      tick(on, [this] { on_tick(); }) {
    state.epoch = standing.epoch;
}

Result<std::unique_ptr<Service>> Service::start(io::Loop& loop, Options options, config::Config config) {
    std::unique_ptr<Service> service(new Service);
    const auto standing = standing_at_start(config.cluster, options.runtime_dir);
    if (!standing) return fail(Errc::bad_config, "[cluster] state: nothing to do without it");
    service->impl_ = std::make_unique<Impl>(loop, std::move(options), std::move(config), *standing);
    Impl& impl = *service->impl_;
    auto server = control::Server::listen(loop, impl.options.runtime_dir + "/natkit-cluster.sock");
    if (!server) return std::unexpected(server.error());
    impl.server = std::move(*server);
    impl.serve();
    impl.connect_workers();
    impl.connect_redis();
    auto watch = io::AddressWatch::open(loop, [&impl] { impl.look_at_addresses(); });
    if (watch) {
        impl.addresses = std::move(*watch);
    } else {
        impl.state.troubles.set("addresses", "the host's addresses are not followed: " + to_string(watch.error()));
    }
    impl.log.major(impl.state.node + " is " + to_string(standing->role) + ", epoch " + std::to_string(standing->epoch));
    impl.look_at_addresses();
    impl.tell_workers();
    impl.tick.start_in(tick_time);
    return service;
}

Service::~Service() = default;

void Service::Impl::serve() {
    using Fds = std::vector<io::Fd>;
    constexpr auto run = control::Server::Repeat::run;
    server->on("promote", [this](const Json&, const Fds&, const Reply& reply) { order(Role::active, reply); });
    server->on("demote", [this](const Json&, const Fds&, const Reply& reply) { order(Role::standby, reply); });
    server->on("status", [this](const Json&, const Fds&, const Reply& reply) { reply.ok(status()); }, run);
    server->on("reload", [this](const Json&, const Fds&, const Reply& reply) {
        auto again = options.read_again();
        if (!again) return reply.error(again.error());
        log.set_level(again->sip.log_level);
        config = std::move(*again);
        look_at_addresses();
        reply.ok(Json::object());
    });
    server->on("log-level", [this](const Json& request, const Fds&, const Reply& reply) {
        const auto level = parse_log_level(record::text_of(request, "level"));
        if (!level) return reply.error(level.error());
        log.set_level(*level);
        reply.ok(Json::object());
    });
    server->on("stop", [this](const Json&, const Fds&, const Reply& reply) {
        reply.ok(Json::object());
        loop.stop();
    });
    server->set_snapshot([this](const std::function<void(const Json&)>& send) {
        Json record = {{"type", "cluster"}};
        record.update(status());
        send(record);
    });
}

void Service::Impl::order(Role role, const Reply& reply) {
    orders.push_back({.reply = reply, .role = role, .until = loop.now() + patience});
    if (role == Role::standby) look_at_addresses();
    apply(role == Role::active ? ownership.promote(writer->connected() && looked)
                               : ownership.demote(Ownership::Why::order));
    answer_orders();
}

void Service::Impl::answer_orders() {
    const auto late = std::ranges::find_if(workers, [](const auto& worker) { return !worker->holds(); });
    const Instant now = loop.now();
    std::erase_if(orders, [&](const Order& order) {
        if (order.role != ownership.role()) {
            order.reply.error({.code = Errc::refused, .where = {}, .message = "another order came meanwhile"});
        } else if (leaving && has_address()) {
            return false;  // who waits for the answer moves the address then: the other one shall have everything
        } else if (late == workers.end()) {
            order.reply.ok({{"role", to_string(ownership.role())}, {"epoch", ownership.epoch()}});
        } else if (now >= order.until) {
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

void Service::Impl::apply(const Ownership::Effects& effects) {
    using What = Ownership::Effect::Kind;
    for (const auto& effect : effects) {
        if (effect.kind == What::write) {
            if (!reading) writer->begin_state();
            continue;
        }
        state.epoch = ownership.epoch();
        const Standing standing{.role = ownership.role(), .epoch = ownership.epoch(), .node = state.node};
        // Before anybody is told: a worker that starts meanwhile reads it there.
        if (const auto written = write_standing(options.runtime_dir, boot_id, standing); !written) {
            state.troubles.set("file", to_string(written.error()) + ": workers that are started anew are standbys");
        } else {
            state.troubles.clear("file");
        }
        effect.kind == What::end ? end(effect) : begin(effect);
        tell_workers();
    }
    go_on_leaving();
    claim();
    tell_news();
}

void Service::Impl::begin(const Ownership::Effect& effect) {
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
void Service::Impl::end(const Ownership::Effect& effect) {
    const std::string text =
        state.node + " is standby now: " + why_text(effect) + ", epoch " + std::to_string(ownership.epoch());
    effect.why == Ownership::Why::order ? log.major(text) : log.failures(text);
    in_step = false;
    marks.clear();
    const bool is_heard = writer->keeps_up() && !protection.standbys().empty();
    if (effect.why == Ownership::Why::another_owner || !is_heard) return leave();
    leaving = loop.now() + most_leaving;
}

/// Until the workers have told the last, and a standby has it.
void Service::Impl::go_on_leaving() {
    if (!leaving) return;
    const bool told = std::ranges::none_of(workers, [](const auto& worker) { return worker->leaving(); });
    const bool done = told && !writer->outbox().oldest();
    if (done || !writer->connected() || loop.now() >= *leaving) leave();
}

void Service::Impl::leave() {
    leaving.reset();
    writer->stop();
    reader->follow(std::nullopt);
}

void Service::Impl::on_tick() {
    tick.start_in(tick_time);
    const Instant now = loop.now();
    if (ownership.role() == Role::active) protection.update(writer->outbox().oldest(), writer->connected(), now);
    if (const auto effects = ownership.look_around(others(), now); !effects.empty()) apply(effects);
    // A worker that is not there keeps nobody from copying what the others have.
    if (reading && now - reading_since > patience) {
        reading = false;
        writer->begin_state();
    }
    claim();
    go_on_leaving();
    answer_orders();
    tell_news();
}

/// Where Redis cannot be asked, what it said last stands: an owner that was alive then may be so still.
Ownership::Others Service::Impl::others() const {
    const bool another = owner && owner->node != state.node && !owner_silent;
    return {.active = another, .known = writer->connected() && looked, .ready = readiness().ready};
}

}  // namespace natkit::cluster
