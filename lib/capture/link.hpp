#pragma once

#include <optional>

#include "wire.hpp"

namespace natkit::capture {

enum LinkType : int {
    link_null = 0,
    link_ethernet = 1,
    link_raw_bsd = 12,
    link_raw_openbsd = 14,
    link_raw = 101,
    link_loop = 108,
    link_cooked = 113,
    link_ipv4 = 228,
    link_ipv6 = 229,
    link_cooked2 = 276,
};

/// The IP packet within a packet of this link type (LINKTYPE_ number); nothing where there is none.
[[nodiscard]] std::optional<Bytes> unwrap_link(int link_type, Bytes bytes);

/// The IP packet behind an Ethernet type field, VLAN tags, MPLS labels, PPPoE and LLC between them undone.
[[nodiscard]] std::optional<Bytes> unwrap_ethernet(unsigned type, Bytes bytes);

}  // namespace natkit::capture
