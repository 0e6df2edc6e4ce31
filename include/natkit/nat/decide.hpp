#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "natkit/nat/classify.hpp"

namespace natkit::nat {

/// What to do with two parties behind the same far-end NAT.
enum class SameNat : std::uint8_t {
    never,      ///< they reach each other: no media proxy
    nat_sites,  ///< a media proxy only when their visible address is in `nat_servers`
    always,     ///< always a media proxy
};

/// Why a media proxy is built, or is not.
enum class Reason : std::uint8_t {
    lan_and_other,     ///< one party is on the LAN and the other is not
    far_end_nat,       ///< one is behind a far-end NAT and the other is not behind the same one
    same_nat,          ///< both behind the same far-end NAT, and `relay_same_nat` wants a proxy there
    families_differ,   ///< one side is IPv4, the other IPv6
    asked_for,         ///< `relay_for`, or the control socket
    same_nat_direct,   ///< (no proxy) both behind the same far-end NAT
    same_side_direct,  ///< (no proxy) both on the LAN, or both on the WAN
};

[[nodiscard]] const char* to_string(SameNat policy) noexcept;  ///< "never", "nat-sites", "always"
[[nodiscard]] const char* to_string(Reason reason) noexcept;   ///< "lan-and-other", "far-end-nat", …

/// What to_string() gives; nothing for any other word.
[[nodiscard]] std::optional<Reason> parse_reason(std::string_view word) noexcept;
/// Whether this is a reason for a media proxy, or one why there is none.
[[nodiscard]] bool asks_for_relay(Reason reason) noexcept;

/// The same as a clause: "one party is on the LAN and the other is not".
[[nodiscard]] const char* why(Reason reason) noexcept;

/// One side of a media stream.
struct Party {
    Place place{};
    IpAddress visible;             ///< where its packets are seen to come from
    Family family = Family::ipv4;  ///< of the media address it gave, judged per m= line
};

struct Policy {
    SameNat same_nat = SameNat::never;
    bool asked_for = false;  ///< by `relay_for` or by an operator
};

struct Decision {
    bool relay = false;
    std::vector<Reason> reasons;  ///< every rule that asks for a proxy; or the one that says why there is none

    friend bool operator==(const Decision&, const Decision&) = default;
};

/// Whether a media stream between `a` and `b` needs a media proxy. Symmetric in `a` and `b`. Pure and total.
[[nodiscard]] Decision decide(const Party& a, const Party& b, const Policy& policy, const Networks& networks);

}  // namespace natkit::nat
