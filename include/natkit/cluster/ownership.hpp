#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "natkit/base/time.hpp"
#include "natkit/cluster/owner.hpp"
#include "natkit/cluster/role.hpp"

namespace natkit::cluster {

/// Decides when this node is active, and by which epoch. Whoever was promoted last has the highest one; Redis keeps it
/// where it can be reached, and where it cannot, what was decided meanwhile is settled afterwards.
class Ownership {
  public:
    enum class Claim : std::uint8_t {
        none,
        raise,   ///< an order came while Redis is there: our epoch shall be above whatever Redis has
        settle,  ///< decided without Redis, or Redis has lost it: another's that is as high, and alive, stands
    };
    enum class Why : std::uint8_t { order, address_gone, another_owner, address_here };
    struct Effect {
        enum class Kind : std::uint8_t {
            begin,   ///< be active, with epoch()
            rename,  ///< go on, with another epoch()
            end,     ///< be a standby
            write,   ///< Redis knows us as the owner: write all there is
        };
        Kind kind{};
        Why why{};
        std::string other;  ///< whose order it was, for another_owner
        friend bool operator==(const Effect&, const Effect&) = default;
    };
    using Effects = std::vector<Effect>;

    Ownership(std::string node, Role role, std::uint64_t epoch);

    [[nodiscard]] Effects promote(bool redis_connected);
    [[nodiscard]] Effects demote(Why why);
    /// How many of the shared addresses this host has. Who had one while it was active, and has none now, is none.
    [[nodiscard]] Effects addresses(std::size_t here, std::size_t all);
    /// What is known of others, now and then. A node that has all shared addresses while nobody is active becomes it:
    /// whoever moves the addresses has spoken already, and was not heard, or not understood as it is now. Not one that
    /// was told to be a standby while it had them.
    struct Others {
        bool active = false;  ///< another node is, as far as is known
        bool known = false;   ///< Redis says so; else nobody can tell
        bool ready = false;   ///< this node is in step with the last that was active
    };
    [[nodiscard]] Effects look_around(const Others& others, Instant now);
    static constexpr Duration grace = std::chrono::seconds(1);       ///< for an order that is on its way
    static constexpr Duration long_grace = std::chrono::seconds(5);  ///< where nobody can tell, or it is not in step
    void redis_lost();
    /// What Redis says. Where that is another owner, or an earlier epoch, there is a claim() to settle it.
    [[nodiscard]] Effects owner_seen(const std::optional<Owner>& owner);
    /// The answer to a claim(): it is ours, with that epoch.
    [[nodiscard]] Effects claimed(std::uint64_t epoch);
    /// It is another's.
    [[nodiscard]] Effects refused(std::uint64_t epoch, const std::string& node);
    /// Redis did not take what the owner wrote: it knows no owner, or has lost its state.
    void unclaim();

    /// What to ask of Redis; none where it knows us as the owner, or we are none.
    [[nodiscard]] Claim claim() const noexcept { return claim_; }
    [[nodiscard]] Role role() const noexcept { return role_; }
    [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }
    [[nodiscard]] const std::string& node() const noexcept { return node_; }

  private:
    [[nodiscard]] Effects step_down(Why why, const std::string& other);

    std::string node_;
    Role role_;
    std::uint64_t epoch_;  ///< the highest that is known
    Claim claim_;
    bool had_address_;
    bool has_all_ = false;                 ///< of the shared addresses
    bool told_off_ = false;                ///< ordered to be a standby since it has them
    std::optional<Instant> vacant_since_;  ///< it has them, and nobody is active
};

}  // namespace natkit::cluster
