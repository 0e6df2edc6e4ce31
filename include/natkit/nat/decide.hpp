#pragma once

#include <cstdint>
#include <optional>
#include <string>
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
    asked_for,         ///< `relay_for` names one of them, or an operator asks for it
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

/// Where one side of a media stream is, and what the policy says of it by name.
struct Whereabouts {
    Place place{};
    IpAddress visible;             ///< where its packets are seen to come from
    Family family = Family::ipv4;  ///< of the media address it gave, judged per m= line
    bool asked_for = false;        ///< its media are relayed in any case: `relay_for` names its domain
};

/// Where a party is for one of its streams. `media`: the address that its description names for it; nothing: none that
/// can be known (hold as RFC 2543 had it, a name, a description that has not come yet).
[[nodiscard]] Whereabouts whereabouts(Place place, const IpAddress& visible, const std::optional<IpAddress>& media,
                                      const Networks& networks) noexcept;

/// `relay_for`: whose calls are relayed in any case.
struct RelayFor {
    RangeSet ranges;                   ///< of visible addresses
    std::vector<std::string> domains;  ///< lower case; of the URIs in From and To

    [[nodiscard]] bool names(std::string_view host) const noexcept;  ///< in any case

    friend bool operator==(const RelayFor&, const RelayFor&) = default;
};

struct Policy {
    SameNat same_nat = SameNat::never;
    RelayFor relay_for = {};

    friend bool operator==(const Policy&, const Policy&) = default;
};

struct Decision {
    bool relay = false;
    std::vector<Reason> reasons;  ///< every rule that asks for a proxy; or the one that says why there is none

    friend bool operator==(const Decision&, const Decision&) = default;
};

/// Whether a media stream between `a` and `b` needs a media proxy. Symmetric in `a` and `b`. Pure and total.
[[nodiscard]] Decision decide(const Whereabouts& a, const Whereabouts& b, const Policy& policy,
                              const Networks& networks);

}  // namespace natkit::nat
