#include <algorithm>
#include <nlohmann/json.hpp>

#include "natkit/engine/control/usage.hpp"
#include "natkit/io/net/host.hpp"
#include "pair.hpp"

namespace natkit::cluster {
namespace {

using namespace std::chrono_literals;
using control::Json;

constexpr Duration readable_age = 1s;

std::int64_t ms(Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

/// The addresses that SIP and media are bound to move with the role; those that are the host's by default do not.
void Pair::look_at_addresses() {
    shared.clear();
    const auto add = [this](const IpAddress& address) {
        if (std::ranges::find(shared, address) == shared.end()) shared.push_back(address);
    };
    if (config.sip.listen_given) {
        for (const auto& listen : config.sip.listen) add(listen.endpoint.address);
    }
    for (const auto& address : config.media_proxy.lan_addresses) add(address);
    for (const auto& address : config.media_proxy.wan_addresses) add(address);
    const auto host = io::host_addresses();
    if (!host) return;
    missing.clear();
    for (const IpAddress& address : shared) {
        const auto here = [&](const HostAddress& one) { return one.address == address && one.up; };
        if (std::ranges::none_of(*host, here)) missing.push_back(to_string(address));
    }
    const std::size_t here = shared.size() - missing.size();
    if (ownership.role() == Role::active && here > 0 && !missing.empty()) {
        std::string text = "active, and addresses are missing:";
        for (const std::string& address : missing) text += " " + address;
        state.troubles.set("missing", text);
    } else {
        state.troubles.clear("missing");
    }
    if (const auto effects = ownership.addresses(here, shared.size()); !effects.empty()) apply(effects);
}

Pair::Readiness Pair::readiness() const {
    if (ownership.role() == Role::active) return {.ready = true, .why = "active"};
    for (const auto& worker : workers) {
        if (!worker->holds()) return {.ready = false, .why = worker->name() + " is not there"};
        if (worker->feeding().running() && !worker->feeding().whole())
            return {.ready = false, .why = worker->name() + " has not taken all yet"};
    }
    if (in_step) {
        if (!writer->connected()) return {.ready = true, .why = "in step until Redis was lost"};
        if (!reader->joined()) return {.ready = false, .why = "the owner's state is read anew"};
        if (!marks.empty() && reader->heard() && loop.now() - *reader->heard() > readable_age)
            return {.ready = false, .why = "a worker has not taken what came"};
        if (reader->age() && *reader->age() > readable_age)
            return {.ready = false, .why = "behind by " + std::to_string(ms(*reader->age())) + " ms"};
        return {.ready = true, .why = "in step with " + (owner ? owner->node : std::string("the owner"))};
    }
    if (!writer->connected()) return {.ready = false, .why = "Redis: " + writer->connection()};
    if (state.troubles.has("owner") || state.troubles.has("format"))
        return {.ready = false, .why = "what is in Redis cannot be read"};
    if (!looked) return {.ready = false, .why = "Redis has not answered yet"};
    if (!owner) return {.ready = true, .why = "nobody has been active yet"};
    // Who is dead, and has left nothing to read, must not keep everybody from beginning.
    if (owner_silent && (owner->state.empty() || reader->state_gone()))
        return {.ready = true, .why = owner->node + " is silent, and has left no whole state"};
    return {.ready = false, .why = "the state of " + owner->node + " is not read yet"};
}

Json Pair::status() const {
    const Instant now = loop.now();
    const Readiness can = readiness();
    Json out = common_status();
    out["shape"] = "pair";
    out["role"] = to_string(ownership.role());
    out["epoch"] = ownership.epoch();
    if (owner) out["owner"] = {{"node", owner->node}, {"epoch", owner->epoch}};
    out["redis"] = writer->connected() ? "connected" : writer->connection();
    out["ready"] = can.ready;
    out["ready_why"] = can.why;
    if (ownership.role() == Role::active) {
        if (const auto lag = protection.last_lag()) out["lag_ms"] = ms(*lag);
        if (const auto lag = protection.lag_p99(now)) out["lag_ms_p99"] = ms(*lag);
        out["unprotected_s"] = std::chrono::duration_cast<std::chrono::seconds>(protection.unprotected(now)).count();
    } else if (reader->age()) {
        out["lag_ms"] = ms(*reader->age());
    }
    out["records"] = {{"legs", state.table.count(Kind::leg)}, {"bindings", state.table.count(Kind::binding)}};
    Json standbys = Json::array();
    for (const auto& [node, standby] : protection.standbys()) {
        Json one = {{"node", node}};
        if (standby.lag) one["lag_ms"] = ms(*standby.lag);
        standbys.push_back(std::move(one));
    }
    out["standbys"] = ownership.role() == Role::active ? std::move(standbys) : Json::array();
    std::size_t pending = writer->outbox().waiting();
    for (const auto& worker : workers) pending += worker->feeding().waiting();
    out["pending"] = pending;
    if (reader->bad() > 0) out["unreadable"] = reader->bad();
    out["addresses_missing"] = missing;
    out["degraded"] = state.troubles.texts();
    control::add_usage(out);
    return out;
}

/// The role, the epoch, the owner, Redis and the readiness.
std::string Pair::news() const {
    return std::string(to_string(ownership.role())) + " " + std::to_string(ownership.epoch()) + " " +
           (owner ? owner->node : "") + " " + writer->connection() + " " + (readiness().ready ? "ready" : "");
}

}  // namespace natkit::cluster
