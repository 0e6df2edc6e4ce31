#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string_view>
#include <vector>

#include "natkit/base/error.hpp"
#include "natkit/base/time.hpp"

namespace natkit::relay {

/// Ports from `first` to `last`, both included: "16384-32767".
struct PortRange {
    std::uint16_t first = 16384;
    std::uint16_t last = 32767;

    /// Two numbers from 1 to 65535 and a dash; the range must hold an even port and the one after it.
    [[nodiscard]] static Result<PortRange> parse(std::string_view text);
    [[nodiscard]] bool contains(std::uint16_t port) const noexcept { return first <= port && port <= last; }

    friend bool operator==(const PortRange&, const PortRange&) = default;
};

/// The ports of one local address. Given out at random (an attacker must guess, CVE-2025-53399 and its like), and after
/// use set aside for 10 s (2 s while fewer than a tenth are free), so that late packets of one call do not reach the
/// next. Pure; randomness is an argument. Taking and giving back cost O(1).
class Ports {
  public:
    /// A uniformly distributed number below its argument.
    using Random = std::function<std::uint32_t(std::uint32_t below)>;
    enum class Kind : std::uint8_t {
        single,
        pair,  ///< an even port and the next one, RTP and RTCP
    };

    explicit Ports(PortRange range);

    /// The (first) port. Errc::exhausted says how many ports there are and when the next one comes free.
    [[nodiscard]] Result<std::uint16_t> take(Kind kind, Instant now, const Random& random);
    /// Takes a certain port, as after a restart or when the system says that a port is somebody else's. False when it
    /// is outside the range or in use already. A cool-down does not hinder it.
    [[nodiscard]] bool take_exactly(Kind kind, std::uint16_t port);
    /// Gives back what take() gave; it cools down first.
    void give_back(Kind kind, std::uint16_t port, Instant now);

    [[nodiscard]] std::size_t total() const noexcept { return state_.size(); }
    [[nodiscard]] std::size_t in_use() const noexcept { return in_use_; }
    [[nodiscard]] std::size_t cooling() const noexcept { return cooling_ports_; }
    [[nodiscard]] std::size_t free() const noexcept { return total() - in_use_ - cooling(); }

  private:
    enum class State : std::uint8_t { free, used, cooling };
    struct Cooling {  ///< as it was given back: a pair comes free as a pair
        Kind kind;
        std::uint16_t port;
        Instant since;
    };
    /// A set of ports with random choice: positions are kept so that any member can be removed.
    class Bag {
      public:
        explicit Bag(std::size_t ports) : place_(ports, absent) {}
        void add(std::uint16_t index);
        void remove(std::uint16_t index);
        [[nodiscard]] bool empty() const noexcept { return items_.empty(); }
        [[nodiscard]] std::uint16_t pick(const Random& random) const;

      private:
        static constexpr std::uint32_t absent = 0xffffffff;
        std::vector<std::uint16_t> items_;
        std::vector<std::uint32_t> place_;
    };

    [[nodiscard]] std::size_t index(std::uint16_t port) const noexcept { return port - first_; }
    void warm_up(Instant now);
    void make_free(std::uint16_t port);
    void unfree(std::uint16_t port);
    void mark_used(Kind kind, std::uint16_t port);
    void end_cooling(const Cooling& entry);

    std::uint16_t first_;
    std::vector<State> state_;
    Bag whole_pairs_;  ///< by index of the even port
    Bag halves_;       ///< free ports whose sibling is not
    std::deque<Cooling> cooling_;
    std::size_t in_use_ = 0;
    std::size_t cooling_ports_ = 0;
};

inline constexpr Duration cool_down = std::chrono::seconds(10);
inline constexpr Duration short_cool_down = std::chrono::seconds(2);

}  // namespace natkit::relay
