#pragma once

#include <string>

#include "natkit/nat/decide.hpp"

/// Where a party is for one of its streams: one table, which sipedge, sdprewrite and the offline programs are held to.
namespace natkit::nat::test {

struct PlaceCase {
    const char* why;
    Place place;          ///< by its signalling
    const char* visible;  ///< where that comes from
    const char* media;    ///< in c=
    Place want;           ///< of the stream
    Family family;        ///< likewise
};

inline constexpr PlaceCase place_cases[] = {
    {"public", Place::wan, "203.0.113.20", "203.0.113.20", Place::wan, Family::ipv4},
    {"public, its media elsewhere", Place::wan, "203.0.113.20", "203.0.113.77", Place::wan, Family::ipv4},
    {"public by SIP, as a gateway rewrote it, private by SDP", Place::wan, "203.0.113.20", "192.168.1.5",
     Place::far_end, Family::ipv4},
    {"the same, with an address that the LAN has too", Place::wan, "203.0.113.20", "192.168.10.77", Place::far_end,
     Family::ipv4},
    {"behind a NAT", Place::far_end, "198.51.100.7", "192.168.1.5", Place::far_end, Family::ipv4},
    {"behind a NAT, and knows its address there", Place::far_end, "198.51.100.7", "198.51.100.7", Place::far_end,
     Family::ipv4},
    {"on the LAN", Place::lan, "192.168.10.20", "192.168.10.20", Place::lan, Family::ipv4},
    {"on the LAN, its media elsewhere", Place::lan, "192.168.10.20", "203.0.113.77", Place::lan, Family::ipv4},
    {"IPv6 media, said by IPv4", Place::wan, "203.0.113.20", "2001:db8::9", Place::wan, Family::ipv6},
    {"IPv4 media, said by IPv6", Place::wan, "2001:db8::9", "203.0.113.20", Place::wan, Family::ipv4},
    {"hold as RFC 2543 had it", Place::wan, "203.0.113.20", "0.0.0.0", Place::wan, Family::ipv4},
};

[[nodiscard]] inline Networks networks_of_places() {
    return {.lan = RangeSet({IpRange::parse("192.168.10.0/24").value()}), .nated = default_nated(), .nat_servers = {}};
}

/// Who the other one is, always: on the WAN, with IPv4.
inline constexpr const char* other_party = "203.0.113.200";

/// What is decided between the two.
[[nodiscard]] inline Decision decision_of(const PlaceCase& c, const Policy& policy) {
    const IpAddress visible = IpAddress::parse(c.visible).value();
    const IpAddress other = IpAddress::parse(other_party).value();
    return decide({.place = c.want, .visible = visible, .family = c.family}, {.place = Place::wan, .visible = other},
                  policy, networks_of_places());
}

/// Its session description.
[[nodiscard]] inline std::string description_of(const PlaceCase& c) {
    const std::string family = std::string(c.media).find(':') == std::string::npos ? "IP4 " : "IP6 ";
    return "v=0\r\no=- 1 1 IN " + family + c.media + "\r\ns=-\r\nc=IN " + family + c.media +
           "\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
}

}  // namespace natkit::nat::test
