#include "call_legs.hpp"

#include <algorithm>
#include <utility>

#include "natkit/record/json_members.hpp"

namespace natkit::rewrite {
namespace {

constexpr std::size_t most_legs = 256;  ///< 64 streams, two sides, agreed and offered

std::optional<std::uint64_t> number_if_any(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number_unsigned()) return std::nullopt;
    return found->get<std::uint64_t>();
}

/// What list tells of the leg itself.
std::optional<CallLeg> listed_leg(const Json& record) {
    if (!record.is_object()) return std::nullopt;
    const auto kind = relay::parse_stream(record::text_of(record, "stream"));
    const auto local = record::endpoint_of(record, "local");
    CallLeg leg{.id = record::text_of(record, "leg"),
                .kind = kind.value_or(relay::Stream{}),
                .local = local.value_or(Endpoint{}),
                .rtcp = record::endpoint_of(record, "rtcp"),
                .party = {},
                .hold = record::flag_of(record, "hold"),
                .mux = record::flag_of(record, "mux"),
                .joined = record::text_of(record, "joined"),
                .tag = {},
                .opened_by = 0,
                .changed_by = 0,
                .agreed = {},
                .kept = {}};
    if (!kind || !local || leg.id.empty()) return std::nullopt;
    if (const auto party = record.find("party"); party != record.end() && party->is_object()) leg.party = *party;
    return leg;
}

/// What this program has kept with it.
bool read_kept(CallLeg& leg, const Json& kept) {
    const auto stream = number_if_any(kept, "stream");
    const auto side = number_if_any(kept, "side");
    if (!stream || !side || *side > 1) return false;
    leg.stream = *stream;
    leg.side = *side;
    leg.tag = record::text_of(kept, "tag");
    leg.said_mux = record::flag_of(kept, "mux");
    leg.opened_by = number_if_any(kept, "opened_by").value_or(0);
    leg.changed_by = number_if_any(kept, "changed_by").value_or(0);
    if (const auto agreed = kept.find("agreed"); agreed != kept.end() && agreed->is_object()) leg.agreed = *agreed;
    leg.kept = kept.dump();
    return true;
}

Json to_json(const dialog::Offer& offer) {
    return {{"side", dialog::index(offer.offerer)},
            {"request", offer.owner},
            {"cseq", offer.cseq},
            {"in_response", offer.in_response}};
}

std::optional<dialog::Offer> offer_if_any(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_object()) return std::nullopt;
    const auto side = number_if_any(*found, "side");
    const auto request = number_if_any(*found, "request");
    const auto cseq = number_if_any(*found, "cseq");
    if (!side || *side > 1 || !request || !cseq) return std::nullopt;
    return dialog::Offer{.offerer = *side == 0 ? dialog::End::caller : dialog::End::callee,
                         .owner = *request,
                         .cseq = static_cast<std::uint32_t>(*cseq),
                         .in_response = record::flag_of(*found, "in_response")};
}

Json to_json(const dialog::ObservedExchange::State& state) {
    Json json = Json::object();
    if (const auto& open = state.exchange.pending()) json["open"] = to_json(*open);
    if (state.exchange.answered()) json["answered"] = true;
    if (state.crossed) json["crossed"] = to_json(*state.crossed);
    if (state.late) json["late"] = *state.late;
    if (state.answerer) json["answerer"] = *state.answerer;
    if (state.fork != 0) json["fork"] = state.fork;
    return json;
}

dialog::ObservedExchange read_offers(const Json& json) {
    return dialog::ObservedExchange({.exchange = {offer_if_any(json, "open"), record::flag_of(json, "answered")},
                                     .crossed = offer_if_any(json, "crossed"),
                                     .late = number_if_any(json, "late"),
                                     .answerer = number_if_any(json, "answerer"),
                                     .fork = number_if_any(json, "fork").value_or(0)});
}

Json to_json(const CallState& state, std::uint64_t revision) {
    Json json = {{"revision", revision}, {"first_tag", state.first_tag}};
    if (state.established) json["peer_tag"] = state.peer_tag;
    if (!state.branches.empty()) json["branches"] = state.branches;
    json["offers"] = to_json(state.offers.state());
    json["described"] = state.described;
    return json;
}

CallState read_state(const Json& json) {
    CallState state;
    state.first_tag = record::text_of(json, "first_tag");
    state.peer_tag = record::text_of(json, "peer_tag");
    state.established = json.contains("peer_tag");
    if (const auto branches = json.find("branches"); branches != json.end() && branches->is_array()) {
        for (const Json& branch : *branches) {
            if (branch.is_string()) state.branches.insert(branch.get<std::string>());
        }
    }
    if (const auto offers = json.find("offers"); offers != json.end()) state.offers = read_offers(*offers);
    if (const auto described = json.find("described"); described != json.end() && described->is_array()) {
        for (std::size_t side = 0; side < std::min<std::size_t>(2, described->size()); ++side) {
            if ((*described)[side].is_string()) state.described[side] = (*described)[side].get<std::string>();
        }
    }
    return state;
}

}  // namespace

Json owner_state(const CallLeg& leg, const Call* carried) {
    Json json = {{"stream", leg.stream}, {"side", leg.side}};
    if (!leg.tag.empty()) json["tag"] = leg.tag;
    if (leg.said_mux) json["mux"] = true;
    if (leg.opened_by != 0) json["opened_by"] = leg.opened_by;
    if (leg.changed_by != 0) {
        json["changed_by"] = leg.changed_by;
        json["agreed"] = leg.agreed;
    }
    if (carried != nullptr) json["call"] = to_json(carried->state, carried->revision);
    return json;
}

CallLeg* Call::find(std::size_t stream, std::size_t side, relay::Stream kind) {
    CallLeg* best = nullptr;
    for (CallLeg& leg : legs) {
        if (leg.stream != stream || leg.side != side || leg.kind != kind) continue;
        if (best == nullptr || leg.opened_by != 0) best = &leg;
    }
    return best;
}

void Call::add(const Json& page) {
    const auto list = page.find("legs");
    if (list == page.end() || !list->is_array()) return;
    for (const Json& record : *list) {
        auto leg = listed_leg(record);
        if (!leg || legs.size() + surplus.size() >= most_legs) continue;
        const auto kept = record.find("owner_state");
        if (kept == record.end() || !kept->is_object() || !read_kept(*leg, *kept)) continue;
        const bool second = std::ranges::any_of(legs, [&](const CallLeg& other) {
            return other.stream == leg->stream && other.side == leg->side && other.kind == leg->kind &&
                   (other.opened_by == 0) == (leg->opened_by == 0);
        });
        if (second) {
            surplus.push_back(leg->id);
            continue;
        }
        if (const auto call = kept->find("call"); call != kept->end() && call->is_object()) {
            const std::uint64_t number = number_if_any(*call, "revision").value_or(0);
            if (carrier.empty() || number > revision) {
                revision = number;
                state = read_state(*call);
                carrier = leg->id;
            }
        }
        legs.push_back(*std::move(leg));
    }
}

}  // namespace natkit::rewrite
