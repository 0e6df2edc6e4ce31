#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "natkit/nat/networks.hpp"

namespace natkit::nat {

/// Where a party is, as seen from the edge.
enum class Place : std::uint8_t {
    lan,      ///< on the edge's own private network ("near-end")
    wan,      ///< on the public network, reachable as it says
    far_end,  ///< behind somebody else's NAT
};

/// The rule that put it there; the first that matches wins.
enum class Rule : std::uint8_t { nat_server, nated, lan, wan };

[[nodiscard]] const char* to_string(Place place) noexcept;  ///< "lan", "wan", "far-end"
[[nodiscard]] const char* to_string(Rule rule) noexcept;    ///< "nat-server", "nated", "lan", "wan"

/// The inverses.
[[nodiscard]] Result<Place> parse_place(std::string_view word);
[[nodiscard]] Result<Rule> parse_rule(std::string_view word);

/// What one SIP request says about its sender.
struct Evidence {
    IpAddress received;                ///< packet source, the RFC 3581 section 4 "received" value
    std::optional<IpAddress> via;      ///< topmost Via sent-by, where it is an address
    std::optional<IpAddress> contact;  ///< first Contact's host, where it is an address
    unsigned via_count = 1;            ///< more than one: the sender is a proxy, and its Contact is somebody else's
};

struct Verdict {
    Place place{};
    Rule rule{};
    IpRange site;                      ///< see site_of()
    std::optional<IpAddress> claimed;  ///< the address that made rule `nated` match

    friend bool operator==(const Verdict&, const Verdict&) = default;
};

/// The verdict in words: "it calls itself 192.168.1.10, an address in nated, and is seen as 198.51.100.7".
[[nodiscard]] std::string why(const Verdict& verdict, const IpAddress& received);

/// Tells where the sender of a request is, and which rule says so. The first matching rule wins:
///   1. nat_server: `received` is in `nat_servers`, whatever the headers claim.
///   2. nated:      the sender's own address (Contact host or topmost Via sent-by; behind a proxy only that proxy's own
///                  Via) is in `nated`, and `received` is a different address that is not in `nated`.
///   3. lan:        `received` is in `lan`.
///   4. wan:        anything else.
/// Whether a `lan` source came in by a LAN interface is the caller's to know. Pure and total.
[[nodiscard]] Verdict classify(const Evidence& seen, const Networks& networks) noexcept;

/// The same question for a party of which only an address is known (a callee that never registered, such as a PSTN
/// gateway): rules nat_server, lan and wan.
[[nodiscard]] Verdict classify_address(const IpAddress& address, const Networks& networks) noexcept;

/// Where a party is for one of its media streams: a `wan` party whose SDP names an address in `nated` or `lan` is
/// behind a NAT for its media, whatever its signalling looked like; not one that is seen at that very address, for
/// there is nothing between.
[[nodiscard]] Place media_place(Place party, const IpAddress& visible, const IpAddress& sdp_address,
                                const Networks& networks) noexcept;

}  // namespace natkit::nat
