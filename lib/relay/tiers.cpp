#include "natkit/relay/tiers.hpp"

namespace natkit::relay {

const char* to_string(Tier tier) noexcept {
    switch (tier) {
        case Tier::sockets: return "sockets";
        case Tier::steered: return "steered";
        case Tier::fast: return "fast";
    }
    return "";
}

const char* to_string(NotForwarded why) noexcept {
    switch (why) {
        case NotForwarded::off: return "off";
        case NotForwarded::not_joined: return "not-joined";
        case NotForwarded::not_rtp: return "not-rtp";
        case NotForwarded::held: return "held";
        case NotForwarded::unproven: return "unproven";
        case NotForwarded::settling: return "settling";
        case NotForwarded::unconfirmed: return "unconfirmed";
        case NotForwarded::changing: return "changing";
        case NotForwarded::strayed: return "strayed";
        case NotForwarded::interface: return "interface";
        case NotForwarded::table_full: return "table-full";
    }
    return "";
}

}  // namespace natkit::relay
