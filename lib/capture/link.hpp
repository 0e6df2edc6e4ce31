#pragma once

#include <optional>

#include "natkit/capture/sighting.hpp"
#include "wire.hpp"

namespace natkit::capture {

/// Numbers of https://www.tcpdump.org/linktypes.html
enum LinkType : int {
    link_null = 0,
    link_ethernet = 1,
    link_ppp = 9,
    link_raw_bsd = 12,
    link_raw_openbsd = 14,
    link_ppp_hdlc = 50,
    link_ppp_ethernet = 51,
    link_raw = 101,
    link_802_11 = 105,
    link_loop = 108,
    link_cooked = 113,
    link_radiotap = 127,
    link_ppi = 192,
    link_ipv4 = 228,
    link_ipv6 = 229,
    link_cooked2 = 276,
};

/// The IP packet within a packet of this link type; nothing where there is none. Writes into `seen` what the link
/// header says of interface and direction. `more`: of an aggregate, the subframes behind the first.
[[nodiscard]] std::optional<Bytes> unwrap_link(int link_type, Bytes bytes, Sighting& seen, Bytes& more);

/// The IP packet behind an Ethernet type field, VLAN tags, MPLS labels, PPPoE and LLC between them undone.
[[nodiscard]] std::optional<Bytes> unwrap_ethernet(unsigned type, Bytes bytes);

/// The IP packet in a data frame of IEEE 802.11 (clause 9.2 and 9.3.2 of the standard). Of an aggregate (A-MSDU) the
/// first, with `more` for the others; none in an encrypted frame or in a fragment of one. `padded`: the header fills a
/// multiple of four bytes.
[[nodiscard]] std::optional<Bytes> unwrap_wifi(Bytes bytes, bool padded, Bytes& more);
/// The IP packet in the first of these subframes, which is taken off; nothing where it has none.
[[nodiscard]] std::optional<Bytes> take_subframe(Bytes& more);
/// The same behind the headers that capturing programs put before it: radiotap, and PPI.
[[nodiscard]] std::optional<Bytes> unwrap_radiotap(Bytes bytes, Bytes& more);
[[nodiscard]] std::optional<Bytes> unwrap_ppi(Bytes bytes, Sighting& seen, Bytes& more);

}  // namespace natkit::capture
