#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "natkit/base/ip.hpp"
#include "natkit/proxy/authorise.hpp"

namespace natkit::proxy {

/// Who a call's media ports are counted for: its caller.
struct Payer {
    Sender sender = Sender::lan;
    std::string
        name;  ///< what its own limit is counted by: a user's address of record, a stranger's source; else empty

    friend bool operator==(const Payer&, const Payer&) = default;
};

/// Legs of a relay, each with a pair of media ports or one, and whose they are. A stream has two. No user and no
/// stranger gets more than so many; all strangers together get a part of each pool of ports, and all but the LAN a
/// larger one, so that ports are left for users when strangers take all theirs, and for the LAN when anybody else does.
/// Pure, bounded by its limits (but for the LAN and servers, which have no names here).
class MediaShares {
  public:
    /// The ports of one side of the host and one family.
    static constexpr std::size_t pools = 4;
    using Legs = std::array<std::size_t, pools>;  ///< how many, by pool

    struct Limits {
        std::size_t stranger = 400;       ///< legs of one stranger
        std::size_t user = 800;           ///< of one user
        unsigned strangers_percent = 50;  ///< of a pool, for all strangers
        unsigned outside_percent = 90;    ///< of a pool, for all but the LAN
        std::size_t pool = 16'384 / 2;    ///< legs that a pool has ports for
        friend bool operator==(const Limits&, const Limits&) = default;
    };
    enum class Verdict : std::uint8_t {
        pass,
        stranger,   ///< refused: too many for this source
        user,       ///< too many for this user
        strangers,  ///< too many for all strangers together
        outside,    ///< what is left is for the LAN
    };

    void set_limits(const Limits& limits) noexcept { limits_ = limits; }

    /// Whether it may have that many more. Counts nothing.
    [[nodiscard]] Verdict look(const Payer& payer, const Legs& wanted) const;
    void take(const Payer& payer, std::size_t pool);
    /// What was taken, exactly once.
    void give(const Payer& payer, std::size_t pool);
    [[nodiscard]] std::size_t size() const noexcept;

  private:
    [[nodiscard]] static std::string key_of(const Payer& payer);

    Limits limits_;
    std::array<Legs, 4> taken_{};  ///< by Sender
    std::unordered_map<std::string, std::size_t> of_one_;
};

[[nodiscard]] const char* why(MediaShares::Verdict verdict) noexcept;  ///< "too many media streams of its source", …

/// "stranger 203.0.113.9", as parse_payer() reads it.
[[nodiscard]] std::string to_string(const Payer& payer);
/// Anything else is the LAN's.
[[nodiscard]] Payer parse_payer(std::string_view text);

}  // namespace natkit::proxy
