#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "natkit/cluster/version.hpp"

namespace natkit::cluster {

/// What a worker would need of another node's worker.
enum class Kind : std::uint8_t { leg, binding };
inline constexpr std::size_t kinds = 2;
inline constexpr std::size_t longest_key = 512;         ///< bytes
inline constexpr std::size_t longest_record = 1 << 17;  ///< bytes of its JSON text
/// Two nodes' times of day differ by less than a hundred years.
inline constexpr std::int64_t most_clock_ms = std::int64_t{100} * 366 * 86'400'000;

inline constexpr std::string_view leg_key = "leg:";          ///< before the id
inline constexpr std::string_view binding_key = "binding:";  ///< the same

/// "leg:ID", "binding:ID", of at most longest_key bytes; nothing for any other key.
[[nodiscard]] std::optional<Kind> kind_of(std::string_view key) noexcept;

/// A record as the worker that owns it wrote it last.
struct Replica {
    Version version;
    std::int64_t clock_ms = 0;  ///< how far the writer's time of day was ahead of Redis'
    std::string record;         ///< JSON text of an object
    std::uint32_t round = 0;    ///< of ReplicaTable::begin_round(), when it was last written
};

/// All replicas of a node, its own while it is active, the other's while it is not.
class ReplicaTable {
  public:
    /// False, and nothing happens, where what is there is as new or newer.
    bool put(std::string_view key, Replica replica);
    /// The same for a record that is gone; also false where there is none.
    bool drop(std::string_view key, Version version);
    [[nodiscard]] const Replica* find(std::string_view key) const;

    /// From here on, what is put, or touched, of that kind belongs to a new round.
    void begin_round(Kind kind) noexcept { ++rounds_[static_cast<std::size_t>(kind)]; }
    void touch(std::string_view key);
    /// The keys of a kind that this round has not named.
    [[nodiscard]] std::vector<std::string> left_over(Kind kind) const;

    /// Calls `visit(key, replica)` for each, in no order.
    template <class Visit>
    void for_each(const Visit& visit) const {
        for (const auto& [key, replica] : replicas_) visit(key, replica);
    }
    [[nodiscard]] std::vector<std::string> keys() const;
    [[nodiscard]] std::size_t count(Kind kind) const noexcept { return counts_[static_cast<std::size_t>(kind)]; }
    [[nodiscard]] std::size_t size() const noexcept { return replicas_.size(); }
    void clear();

  private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view key) const noexcept { return std::hash<std::string_view>{}(key); }
    };
    std::unordered_map<std::string, Replica, Hash, std::equal_to<>> replicas_;
    std::array<std::size_t, kinds> counts_{};
    std::array<std::uint32_t, kinds> rounds_{};
};

}  // namespace natkit::cluster
