// What this node's sipedge is told of clients: those of others, and those that are to be its own.
#include <map>

#include "several.hpp"

namespace natkit::cluster {

/// Whoever reads it later would take it for a client that there still is.
void Several::remove_overtaken() {
    std::map<Clients::Slot, std::vector<std::string>> keys;
    for (auto& [slot, id] : clients.take_overtaken()) keys[slot].push_back(key_of(id));
    for (std::size_t at = 0; at < peers.size(); ++at) {
        const auto found = keys.find(peers[at]->slot());
        if (found != keys.end() && !peers[at]->state_key().empty())
            keeper->remove(at, peers[at]->state_key(), found->second);
    }
}

void Several::tell_all() {
    if (!feeder || !worker_of(Kind::binding)->holds()) return;
    std::vector<std::string> keys = clients.told();
    for (std::string& key : keys) key = key_of(key);
    told = false;
    feeder->restart(keys);
    told_place = feeder->feed().place();
}

void Several::tell(const Clients::Ids& ids) {
    for (const std::string& id : ids) tell(id);
}

/// Before all is known, nothing is told; then all is.
void Several::tell(std::string_view id) {
    if (settled && feeder) feeder->add(key_of(id));
}

const Replica* Several::replica_of(Clients::Slot slot, std::string_view key) const {
    if (slot == clients.me()) return state.table.find(key);
    if (slot == clients.former()) return (former ? former->table() : former_table).find(key);
    for (const auto& peer : peers) {
        if (peer->slot() == slot) return peer->table().find(key);
    }
    return nullptr;
}

std::optional<Feeder::Given> Several::given(const std::string& key) const {
    const auto verdict = clients.verdict(id_of(key));
    if (!clients.is_told(verdict)) return std::nullopt;
    const Replica* replica = replica_of(verdict.row, key);
    if (replica == nullptr) return std::nullopt;
    return Feeder::Given{.record = replica->record,
                         .clock_ms = replica->clock_ms,
                         .node = clients.name(verdict.owner),
                         .epoch = replica->version.epoch};
}

}  // namespace natkit::cluster
