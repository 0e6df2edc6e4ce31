#include "natkit/cluster/replica_table.hpp"

#include <cassert>

namespace natkit::cluster {

std::optional<Kind> kind_of(std::string_view key) noexcept {
    if (key.size() > longest_key) return std::nullopt;
    if (key.starts_with(leg_key) && key.size() > leg_key.size()) return Kind::leg;
    if (key.starts_with(binding_key) && key.size() > binding_key.size()) return Kind::binding;
    return std::nullopt;
}

bool ReplicaTable::put(std::string_view key, Replica replica) {
    const auto kind = kind_of(key);
    assert(kind);
    replica.round = rounds_[static_cast<std::size_t>(*kind)];
    if (const auto found = replicas_.find(key); found != replicas_.end()) {
        if (replica.version <= found->second.version) return false;
        found->second = std::move(replica);
        return true;
    }
    replicas_.emplace(std::string(key), std::move(replica));
    ++counts_[static_cast<std::size_t>(*kind)];
    return true;
}

bool ReplicaTable::drop(std::string_view key, Version version) {
    const auto found = replicas_.find(key);
    if (found == replicas_.end() || version <= found->second.version) return false;
    --counts_[static_cast<std::size_t>(*kind_of(key))];
    replicas_.erase(found);
    return true;
}

const Replica* ReplicaTable::find(std::string_view key) const {
    const auto found = replicas_.find(key);
    return found == replicas_.end() ? nullptr : &found->second;
}

void ReplicaTable::touch(std::string_view key) {
    if (const auto found = replicas_.find(key); found != replicas_.end())
        found->second.round = rounds_[static_cast<std::size_t>(*kind_of(key))];
}

std::vector<std::string> ReplicaTable::left_over(Kind kind) const {
    std::vector<std::string> keys;
    for (const auto& [key, replica] : replicas_) {
        if (kind_of(key) == kind && replica.round != rounds_[static_cast<std::size_t>(kind)]) keys.push_back(key);
    }
    return keys;
}

std::vector<std::string> ReplicaTable::keys() const {
    std::vector<std::string> keys;
    keys.reserve(replicas_.size());
    for (const auto& [key, replica] : replicas_) keys.push_back(key);
    return keys;
}

void ReplicaTable::clear() {
    replicas_.clear();
    counts_ = {};
}

}  // namespace natkit::cluster
