#include "natkit/nat/decide.hpp"

#include <algorithm>

#include "natkit/base/text.hpp"

namespace natkit::nat {

const char* to_string(SameNat policy) noexcept {
    switch (policy) {
        case SameNat::never: return "never";
        case SameNat::nat_sites: return "nat-sites";
        case SameNat::always: return "always";
    }
    return "unknown";
}

const char* to_string(Reason reason) noexcept {
    switch (reason) {
        case Reason::lan_and_other: return "lan-and-other";
        case Reason::far_end_nat: return "far-end-nat";
        case Reason::same_nat: return "same-nat";
        case Reason::families_differ: return "families-differ";
        case Reason::asked_for: return "asked-for";
        case Reason::same_nat_direct: return "same-nat-direct";
        case Reason::same_side_direct: return "same-side-direct";
    }
    return "unknown";
}

std::optional<Reason> parse_reason(std::string_view word) noexcept {
    for (const Reason reason : {Reason::lan_and_other, Reason::far_end_nat, Reason::same_nat, Reason::families_differ,
                                Reason::asked_for, Reason::same_nat_direct, Reason::same_side_direct}) {
        if (word == to_string(reason)) return reason;
    }
    return std::nullopt;
}

bool asks_for_relay(Reason reason) noexcept {
    return reason != Reason::same_nat_direct && reason != Reason::same_side_direct;
}

const char* why(Reason reason) noexcept {
    switch (reason) {
        case Reason::lan_and_other: return "one party is on the LAN and the other is not";
        case Reason::far_end_nat: return "one party is behind a far-end NAT and the other is not behind the same one";
        case Reason::same_nat: return "both are behind one far-end NAT, and relay_same_nat wants a media proxy there";
        case Reason::families_differ: return "one side is IPv4, the other IPv6";
        case Reason::asked_for: return "relay_for asks for it";
        case Reason::same_nat_direct: return "both are behind the same far-end NAT and reach each other";
        case Reason::same_side_direct: return "both are on the same side and reach each other";
    }
    return "";
}

Whereabouts whereabouts(Place place, const IpAddress& visible, const std::optional<IpAddress>& media,
                        const Networks& networks) noexcept {
    if (!media) return {.place = place, .visible = visible, .family = visible.family()};
    return {.place = media_place(place, visible, *media, networks), .visible = visible, .family = media->family()};
}

bool RelayFor::names(std::string_view host) const noexcept {
    return std::ranges::any_of(domains, [&](const std::string& domain) { return text::iequals(domain, host); });
}

Decision decide(const Whereabouts& a, const Whereabouts& b, const Policy& policy, const Networks& networks) {
    Decision decision;
    const auto relay = [&decision](Reason reason) {
        decision.relay = true;
        decision.reasons.push_back(reason);
    };
    const bool far_end = a.place == Place::far_end || b.place == Place::far_end;
    const bool same_nat =
        a.place == Place::far_end && b.place == Place::far_end && same_site(a.visible, b.visible, networks);
    const bool known_site = networks.nat_servers.contains(a.visible) && networks.nat_servers.contains(b.visible);

    if ((a.place == Place::lan) != (b.place == Place::lan)) relay(Reason::lan_and_other);
    if (far_end && !same_nat) relay(Reason::far_end_nat);
    if (same_nat && (policy.same_nat == SameNat::always || (policy.same_nat == SameNat::nat_sites && known_site))) {
        relay(Reason::same_nat);
    }
    if (a.family != b.family) relay(Reason::families_differ);
    const auto asked_for = [&](const Whereabouts& one) {
        return one.asked_for || policy.relay_for.ranges.contains(one.visible);
    };
    if (asked_for(a) || asked_for(b)) relay(Reason::asked_for);
    if (!decision.relay) decision.reasons.push_back(same_nat ? Reason::same_nat_direct : Reason::same_side_direct);
    return decision;
}

}  // namespace natkit::nat
