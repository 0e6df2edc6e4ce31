#include <nlohmann/json.hpp>

#include "natkit/engine/control/usage.hpp"
#include "natkit/io/boot_clock.hpp"
#include "several.hpp"

namespace natkit::cluster {
namespace {

using control::Json;

std::int64_t in_ms(Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

std::string Several::lease_text() const {
    if (lease.held(io::boot_now())) return "held";
    if (refused) return "another host calls itself " + state.node;
    return keeper->connected() ? "not renewed yet" : "Redis: " + keeper->connection();
}

Several::Readiness Several::readiness() const {
    const std::string text = lease_text();
    if (text != "held") return {.ready = false, .why = "no lease: " + text};
    if (std::string why = unsettled_why(); !why.empty()) return {.ready = false, .why = std::move(why)};
    return {.ready = true, .why = "the lease is held, and what the others have is known"};
}

Json Several::status() const {
    const Readiness can = readiness();
    Json out = common_status();
    out["shape"] = "several";
    out["role"] = to_string(Role::active);
    out["epoch"] = state.epoch;
    out["lease"] = lease_text();
    out["redis"] = keeper->connected() ? "connected" : keeper->connection();
    out["ready"] = can.ready;
    out["ready_why"] = can.why;
    Json nodes = Json::array();
    for (const auto& peer : peers) {
        Json node = {{"node", peer->name()}, {"live", clients.live(peer->slot())}};
        if (peer->lease) node["epoch"] = peer->lease->epoch;
        node["clients"] = peer->table().count(Kind::binding);
        node["read"] = peer->read();
        nodes.push_back(std::move(node));
    }
    out["nodes"] = std::move(nodes);
    using Whose = Clients::Whose;
    out["clients"] = {{"own", clients.count(Whose::own) + clients.count(Whose::leaving) + clients.count(Whose::taken)},
                      {"foreign", clients.count(Whose::foreign)},
                      {"taken", clients.count(Whose::taken)},
                      {"nobody", clients.count(Whose::nobody)}};
    const Instant now = loop.now();
    if (const auto lag = protection.last_lag()) out["lag_ms"] = in_ms(*lag);
    if (const auto lag = protection.lag_p99(now)) out["lag_ms_p99"] = in_ms(*lag);
    out["unprotected_s"] = std::chrono::duration_cast<std::chrono::seconds>(protection.unprotected(now)).count();
    out["records"] = {{"bindings", state.table.count(Kind::binding)}};
    out["pending"] = writer->outbox().waiting() + (feeder ? feeder->feed().waiting() : 0);
    std::uint64_t bad = 0;
    auto degraded = state.troubles.texts();
    for (const auto& peer : peers) {
        bad += peer->bad();
        for (std::string& text : peer->troubles()) degraded.push_back(std::move(text));
    }
    if (bad > 0) out["unreadable"] = bad;
    out["addresses_missing"] = missing;
    out["degraded"] = degraded;
    control::add_usage(out);
    return out;
}

/// The lease, the epoch, Redis, the readiness, and who lives.
std::string Several::news() const {
    std::string text = lease_text() + " " + std::to_string(state.epoch) + " " + keeper->connection() +
                       (readiness().ready ? " ready" : "");
    for (Clients::Slot slot = 0; slot < clients.former(); ++slot) {
        if (clients.live(slot)) text += " " + clients.name(slot);
    }
    return text;
}

}  // namespace natkit::cluster
