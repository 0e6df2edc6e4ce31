// The legs of a stream: opened in pairs, told whom they face, joined, freed.
#include <algorithm>

#include "calls.hpp"
#include "natkit/nat/networks.hpp"

namespace natkit::ng {
namespace {

constexpr unsigned most_passes = 8;  ///< of one call through this relay

}  // namespace

/// A leg on that side; where it has no address of the family, on the other one.
Result<std::string> Calls::open_leg(const Speaker& speaker, relay::OpenRequest request, End facing) {
    request.side = side_with_address(engine_.options(), speaker.branch->sides[index(facing)], request.family);
    request.call_id = speaker.call->call_id;
    request.owner = "ng";
    request.tos = speaker.branch->wishes.tos;
    const auto opened = engine_.open(request);
    if (!opened) return std::unexpected(opened.error());
    return (*opened)->id;
}

/// Legs for a stream that the speaker offers: the one it sees faces it at once, so that its first packets are known.
Result<std::uint64_t> Calls::open_pair(const Speaker& speaker, const dialog::Described& said, const Described& from,
                                       bool shown_mux, const Offered& offered, std::optional<Family> family) {
    Branch& branch = *speaker.branch;
    const End own = speaker.end;
    relay::OpenRequest facing{.stream = said.kind,
                              .family = from.family,
                              .mux = said.mux,
                              .party = offered.named || !said.rtp ? std::nullopt : std::optional(from.party)};
    relay::OpenRequest beyond{.stream = said.kind, .family = family.value_or(from.family), .mux = shown_mux};
    auto first = open_leg(speaker, std::move(facing), own);
    if (!first) return std::unexpected(first.error());
    auto second = open_leg(speaker, std::move(beyond), other(own));
    if (!second) {
        (void)engine_.free(*first);
        return std::unexpected(second.error());
    }
    const std::uint64_t number = ++last_number_;
    Pair& pair = branch.pairs[number];
    pair.legs[index(own)] = std::move(*first);
    pair.legs[index(other(own))] = std::move(*second);
    index_legs(speaker.call->call_id, branch, number);
    return number;
}

void Calls::index_legs(const std::string& call_id, Branch& branch, std::uint64_t number) {
    for (const End end : {End::caller, End::callee}) {
        const std::string& leg = branch.pairs.at(number).legs[index(end)];
        const Endpoint local = engine_.find(leg)->local(relay::Component::rtp);
        by_local_[local] = {.call_id = call_id, .branch = &branch, .pair = number, .facing = end};
        local_of_[leg] = local;
    }
}

/// Tells the leg at that end of its party, and what both ends have agreed on.
Result<void> Calls::face(Branch& branch, Pair& pair, End end, const dialog::Stream& stream) {
    relay::UpdateRequest update{.hold = stream.hold, .mux = std::nullopt, .tos = branch.wishes.tos};
    if (stream.kind == relay::Stream::rtp) update.mux = pair.mux[index(end)];
    if (auto& party = pair.parties[index(end)]; party && !pair.named[index(end)]) {
        party->direction = stream.sending[index(end)].direction;
        party->ssrcs = stream.sending[index(end)].ssrcs;
        update.party = *party;
        update.renew = branch.wishes.reset;
    }
    const auto updated = engine_.update(pair.legs[index(end)], update);
    if (!updated) return std::unexpected(updated.error());
    return {};
}

/// The leg whose party is at that end: that of the pair, or, where the call comes through again, the one behind the leg
/// that was named.
std::string Calls::leg_behind(const Pair& pair, End end, unsigned depth) const {
    const auto& named = pair.named[index(end)];
    if (!named) return pair.legs[index(end)];
    const LegPlace* place = own_leg(named);
    if (place == nullptr || depth == most_passes) return {};
    const auto& beyond = place->branch->pairs.at(place->pair);
    return leg_behind(beyond, other(place->facing), depth + 1);
}

/// Joins the two legs whose parties are the ends of the call.
Result<void> Calls::connect(const Pair& pair) {
    if (pair.named[0] && pair.named[1]) return {};  // a pass in the middle: others join
    const std::string a = leg_behind(pair, End::caller);
    const std::string b = leg_behind(pair, End::callee);
    if (a.empty() || b.empty()) return {};
    return engine_.join(a, b);
}

const Calls::LegPlace* Calls::own_leg(const std::optional<Endpoint>& named) const {
    if (!named) return nullptr;
    const auto found = by_local_.find(*named);
    return found == by_local_.end() ? nullptr : &found->second;
}

/// Whether who speaks may name that leg of ours: in the same call, or where it is the party that the leg faces (a PBX
/// that lets two calls of its own talk to each other). Who guesses a port must not hear a stranger's call.
bool Calls::may_name(const LegPlace& place, const Speaker& speaker, const Request& request) const {
    if (place.call_id == speaker.call->call_id) return place.branch != speaker.branch;
    const auto& party = place.branch->pairs.at(place.pair).parties[index(place.facing)];
    if (!party || !request.received_from) return false;
    const auto& known = party->visible    ? party->visible
                        : party->endpoint ? std::optional(party->endpoint->address)
                                          : std::nullopt;
    return known && nat::same_site(*known, *request.received_from, engine_.options().networks);
}

void Calls::carry_out(Branch& branch, const dialog::LegChanges& changes) {
    for (const std::uint64_t number : changes.ended) free_pair(branch, number);
}

void Calls::free_pair(Branch& branch, std::uint64_t number) {
    const auto found = branch.pairs.find(number);
    if (found == branch.pairs.end()) return;
    const Pair pair = std::move(found->second);
    branch.pairs.erase(found);
    for (const std::string& leg : pair.legs) {
        if (const auto local = local_of_.find(leg); local != local_of_.end()) {
            by_local_.erase(local->second);
            local_of_.erase(local);
        }
        if (branch.keeper == leg) branch.keeper.clear();
        (void)engine_.free(leg, "freed", relay::Engine::Wake::later);
    }
}

/// What the open offer and its answers came to counts; without an answer it is taken back.
void Calls::close_exchange(Branch& branch) {
    branch.closes_at.reset();
    if (!branch.call.exchange().pending()) return;
    carry_out(branch, branch.call.close());
}

}  // namespace natkit::ng
