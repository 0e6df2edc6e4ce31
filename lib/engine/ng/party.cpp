#include "party.hpp"

#include <algorithm>
#include <array>

#include "natkit/base/text.hpp"
#include "natkit/nat/decide.hpp"

namespace natkit::ng {
namespace {

using relay::SourcePolicy;

SourcePolicy rule_at_address(const Wishes& wishes) {
    if (wishes.asymmetric) return wishes.strict_source ? SourcePolicy::exact : SourcePolicy::any_port;
    return wishes.strict_source ? SourcePolicy::one_port : SourcePolicy::learn_port;
}

bool is_private(const IpAddress& address, const nat::Networks& networks) {
    return networks.nated.contains(address) && !networks.lan.contains(address);
}

/// Its media are expected at the port it described, at the address its message came from.
void move_to(relay::Party& party, const IpAddress& source) {
    if (party.rtcp && party.rtcp->address == party.endpoint->address) party.rtcp->address = source;
    if (party.rtcp && party.rtcp->address.family() != source.family()) party.rtcp.reset();
    party.endpoint->address = source;
}

}  // namespace

Described describe_party(const dialog::Described& said, const Request& request, const nat::Networks& networks) {
    const auto& source = request.received_from;
    const std::optional<IpAddress> media = said.rtp ? std::optional(said.rtp->address) : std::nullopt;
    const IpAddress visible = source ? *source : media.value_or(IpAddress());
    const nat::Place seen = nat::classify_address(visible, networks).place;
    const nat::Whereabouts where = nat::whereabouts(seen, visible, media, networks);
    Described described{.party = {.place = where.place,
                                  .endpoint = said.rtp,
                                  .rtcp = said.rtcp,
                                  .visible = source,
                                  .site = {},
                                  .setup = said.setup,
                                  .direction = said.sending.direction,
                                  .ssrcs = said.sending.ssrcs},
                        .family = where.family};
    relay::Party& party = described.party;
    if (!said.rtp) return described;
    const bool by_source = request.wishes.trust == Trust::source;
    const bool same_family = source && source->family() == media->family();
    if (by_source && same_family && seen != nat::Place::far_end) {
        party.place = seen;
        move_to(party, *source);
        party.sources = rule_at_address(request.wishes);
    } else if (by_source && !source && is_private(*media, networks)) {
        party.sources = SourcePolicy::first_source;
    } else if (where.place == nat::Place::far_end && same_family) {
        party.site = nat::site_of(*source, networks);
        party.sources = SourcePolicy::latch;
    } else {
        party.place = nat::classify_address(*media, networks).place;
        if (party.place == nat::Place::far_end) {
            party.visible = media;
            party.site = nat::site_of(*media, networks);
        } else {
            party.sources = rule_at_address(request.wishes);
        }
    }
    return described;
}

Side side_with_address(const relay::Options& options, Side side, Family family) {
    const auto has_one = [&](Side which) {
        const auto& addresses = which == Side::lan ? options.lan : options.wan;
        return std::ranges::any_of(addresses, [&](const IpAddress& each) { return each.family() == family; });
    };
    const Side opposite = side == Side::lan ? Side::wan : Side::lan;
    return !has_one(side) && has_one(opposite) ? opposite : side;
}

std::optional<Side> side_named(std::string_view name, const Interfaces& interfaces) {
    if (const auto found = interfaces.find(name); found != interfaces.end()) return found->second;
    static constexpr std::array<std::pair<std::string_view, Side>, 6> usual = {
        std::pair{"lan", Side::lan}, std::pair{"wan", Side::wan}, std::pair{"priv", Side::lan},
        std::pair{"pub", Side::wan}, std::pair{"int", Side::lan}, std::pair{"ext", Side::wan}};
    for (const auto& [word, side] : usual) {
        if (text::iequals(name.substr(0, word.size()), word)) return side;
    }
    return std::nullopt;
}

}  // namespace natkit::ng
