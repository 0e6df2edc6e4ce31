#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "natkit/base/endpoint.hpp"
#include "natkit/capture/sighting.hpp"

namespace natkit::capture {

/// Why a packet could not be delivered, by ICMP's (RFC 792, RFC 1812 section 5.2.7.1) or ICMPv6's (RFC 4443) type and
/// code.
enum class IcmpReason : std::uint8_t {
    no_port,            ///< nobody listens there
    no_protocol,        ///< not even the protocol
    no_host,            ///< the host does not answer
    no_network,         ///< no route
    prohibited,         ///< a firewall, or a policy of routing
    too_big,            ///< and may not be fragmented
    hops_exceeded,      ///< too many hops, or a loop of routers
    fragments_missing,  ///< reassembly took too long (RFC 792 type 11 code 1, RFC 4443 type 3 code 1)
    other,              ///< of the errors
};

/// An ICMP or ICMPv6 error and the packet that it quotes. What it quotes was sent before, in the other direction of the
/// error: by `quoted_source`.
struct IcmpError {
    Sighting seen;
    IpAddress sender;    ///< who could not deliver it
    IpAddress receiver;  ///< who is told
    std::uint8_t type = 0, code = 0;
    IcmpReason reason = IcmpReason::other;
    std::uint8_t protocol = 0;  ///< of the quoted packet: 17 is UDP, 6 is TCP
    Endpoint quoted_source;     ///< port 0: the quotation does not reach so far, or is of a later fragment
    Endpoint quoted_destination;
    std::span<const std::uint8_t> quoted;  ///< what it quotes behind the UDP or TCP header; valid as a payload is
};

/// The error in an ICMP (`family` ipv4) or ICMPv6 message, from its type on; nothing where it is none, or quotes no IP
/// header. Without `seen`, `sender` and `receiver`. Pure.
[[nodiscard]] std::optional<IcmpError> read_icmp(Family family, std::span<const std::uint8_t> message);

}  // namespace natkit::capture
