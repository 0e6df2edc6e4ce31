#include "party.hpp"

#include <algorithm>

#include "call_legs.hpp"
#include "natkit/loop/roles.hpp"
#include "natkit/record/json_members.hpp"

namespace natkit::rewrite {
namespace {

std::optional<IpAddress> address_of(const std::optional<Endpoint>& endpoint) {
    return endpoint ? std::optional(endpoint->address) : std::nullopt;
}

/// Where the other party of a stream is, as far as anybody has said.
nat::Place place_of_other(const Sender& sender, const Json& other, const nat::Networks& networks) {
    if (const auto told = nat::parse_place(record::text_of(other, "place"))) return *told;
    return sender.destination ? nat::classify_address(sender.destination->address, networks).place : nat::Place::wan;
}

}  // namespace

std::optional<nat::Whereabouts> where(const Sender& sender, const dialog::Described& said,
                                      const nat::Networks& networks) {
    const auto place = nat::parse_place(sender.place);
    if (!place || !sender.source) return std::nullopt;
    return nat::whereabouts(*place, sender.source->address, address_of(said.rtp), networks);
}

Json side_of_leg(const Sender& sender, bool own, const dialog::Described& said, const nat::Networks& networks) {
    nat::Whereabouts party{.place = nat::parse_place(sender.place).value_or(nat::Place::wan), .visible = {}};
    if (said.rtp) party.family = said.rtp->address.family();
    const auto& seen = own ? sender.source : sender.destination;
    if (const auto known = own ? where(sender, said, networks) : std::nullopt) {
        party = *known;
    } else if (seen) {
        party = nat::whereabouts(nat::classify_address(seen->address, networks).place, seen->address,
                                 own ? address_of(said.rtp) : std::nullopt, networks);
    }
    return {{"side", party.place == nat::Place::lan ? "lan" : "wan"}, {"family", to_string(party.family)}};
}

Json party_of(const Sender& sender, const dialog::Described& said, const nat::Networks& networks) {
    Json party = Json::object();
    if (const auto known = where(sender, said, networks)) {
        party["place"] = nat::to_string(known->place);
    } else if (!sender.place.empty()) {
        party["place"] = sender.place;
    }
    if (said.rtp) party["endpoint"] = to_string(*said.rtp);
    if (said.rtcp) party["rtcp"] = to_string(*said.rtcp);
    if (sender.source) party["visible"] = to_string(sender.source->address);
    if (said.setup && said.rtp) party["setup"] = sdp::to_string(*said.setup);
    return party;
}

std::optional<sdp::Setup> shown_setup(const Sender& sender, bool offers, const dialog::Described& said,
                                      const Json& other, const nat::Networks& networks) {
    if (!said.setup) return std::nullopt;
    const auto known = where(sender, said, networks);
    const nat::Place own = known ? known->place : nat::Place::wan;
    const nat::Place opposite = place_of_other(sender, other, networks);
    if (offers) return loop::shown_offer(*said.setup, {.offerer = own, .answerer = opposite, .relayed = true});
    const auto offered = sdp::parse_setup(record::text_of(other, "setup"));
    if (!offered) return said.setup;
    return loop::shown_answer(*offered, *said.setup, {.offerer = opposite, .answerer = own, .relayed = true});
}

bool is_known(const Json& known, const Json& told) {
    if (!known.is_object()) return false;
    const auto same = [&](const auto& entry) {
        const auto found = known.find(entry.key());
        return found != known.end() && *found == entry.value();
    };
    // What the relay finds out by itself where nobody says it.
    const auto may_add = [&](const auto& entry) {
        return told.contains(entry.key()) || entry.key() == "site" || entry.key() == "place";
    };
    const auto told_items = told.items();
    const auto known_items = known.items();
    return std::all_of(told_items.begin(), told_items.end(), same) &&
           std::all_of(known_items.begin(), known_items.end(), may_add);
}

}  // namespace natkit::rewrite
