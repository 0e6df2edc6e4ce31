#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "natkit/base/deadlines.hpp"
#include "natkit/base/time.hpp"

/// When to ping whom, so that no NAT binding gets older than the interval. Pure: the time is an argument.
namespace natkit::ping {

using ClientId = std::string;

/// The moments of one interval's clients, on a grid that depends on nothing but the clock and the client's id. A
/// restarted program so goes on where the dead one stopped, without pinging anybody twice.
///
/// The grid's period is 94 % of the interval, which leaves room for jitter and pacing: each ping comes up to 4 % of the
/// interval after its grid point, so the time between two pings of a client lies between 90 % and 98 % of the interval:
/// jitter only shortens.
class Grid {
  public:
    explicit Grid(Duration interval) noexcept;

    [[nodiscard]] Duration interval() const noexcept { return interval_; }
    [[nodiscard]] Duration period() const noexcept { return period_; }

    /// The client's first moment after `now`, jitter included.
    [[nodiscard]] Instant next(std::uint64_t client_hash, Instant now) const noexcept;
    /// The client's last moment at or before `now`.
    [[nodiscard]] Instant last(std::uint64_t client_hash, Instant now) const noexcept;

  private:
    [[nodiscard]] Instant moment(std::uint64_t client_hash, std::int64_t round) const noexcept;
    [[nodiscard]] std::int64_t round_at(std::uint64_t client_hash, Instant now) const noexcept;

    Duration interval_;
    Duration period_;
    Duration jitter_;
};

/// The same value for the same text in every process.
[[nodiscard]] std::uint64_t stable_hash(std::string_view text) noexcept;

/// The clients and their next moments. O(log n) a ping; see natpinger(1) for the memory per client.
class Schedule {
  public:
    struct Limits {
        std::size_t clients = 10'000;
        unsigned burst_factor = 4;  ///< most pings in a tick, as a multiple of the even share; at least one ping
        Duration tick = std::chrono::milliseconds(10);
    };

    explicit Schedule(Limits limits) : limits_(limits) {}

    enum class Added : std::uint8_t { added, known, refused };
    /// Refused: the limit is reached. `missed_since`: a moment of this client that fell between it and `now` is made up
    /// for at once (the program was down).
    Added add(const ClientId& id, const Grid& grid, Instant now, std::optional<Instant> missed_since = std::nullopt);
    bool remove(const ClientId& id);
    [[nodiscard]] bool contains(const ClientId& id) const { return index_.contains(id); }
    /// A new interval for a client: its next ping comes at the earlier of the old and the new moment.
    void change(const ClientId& id, const Grid& grid, Instant now);
    /// Tries a client again at `when`, unless its own next moment comes first.
    void retry_at(const ClientId& id, Instant when);

    /// Takes the clients that are due, at most full_burst() within a tick; the rest stay for the next one.
    [[nodiscard]] std::vector<ClientId> due(Instant now);
    /// When due() may have something to give; never within the tick of the last one.
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    /// Every moment before this one has been served: what a successor passes as `missed_since`.
    [[nodiscard]] Instant served_until(Instant now) const;

    void set_client_limit(std::size_t clients) noexcept { limits_.clients = clients; }
    [[nodiscard]] std::size_t client_limit() const noexcept { return limits_.clients; }
    [[nodiscard]] std::size_t size() const noexcept { return index_.size(); }
    [[nodiscard]] std::size_t full_burst() const noexcept;

  private:
    struct Slot {
        const ClientId* id = nullptr;  ///< the key in index_; null: free
        std::uint32_t generation = 0;  ///< tells a deadline of an earlier user of this slot
        std::uint64_t hash = 0;
        Grid grid{Duration(1)};
        Instant due{};
    };
    struct Ref {
        std::uint32_t slot = 0;
        std::uint32_t generation = 0;
    };

    void plan(std::uint32_t slot, Instant when);
    void forget_period(Duration period);

    Limits limits_;
    std::unordered_map<ClientId, std::uint32_t> index_;
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_;
    Deadlines<Ref> deadlines_;
    std::map<Duration, std::size_t> periods_;  ///< how many clients have each; two or three
    std::optional<Instant> tick_start_;
    std::size_t sent_in_tick_ = 0;
};

}  // namespace natkit::ping
