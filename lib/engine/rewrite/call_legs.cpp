#include "call_legs.hpp"

#include <algorithm>
#include <utility>

namespace natkit::rewrite {
namespace {

constexpr std::size_t most_legs = 256;  ///< 64 streams, two sides, agreed and offered

std::optional<std::uint64_t> number_at(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number_unsigned()) return std::nullopt;
    return found->get<std::uint64_t>();
}

bool flag_at(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_boolean() && found->get<bool>();
}

/// What list tells of the leg itself.
std::optional<Leg> listed_leg(const Json& record) {
    if (!record.is_object()) return std::nullopt;
    const auto kind = relay::parse_stream(text_at(record, "stream"));
    const auto local = endpoint_at(record, "local");
    Leg leg{.id = text_at(record, "leg"),
            .kind = kind.value_or(relay::Stream{}),
            .local = local.value_or(Endpoint{}),
            .rtcp = endpoint_at(record, "rtcp"),
            .party = {},
            .hold = flag_at(record, "hold"),
            .joined = text_at(record, "joined"),
            .tag = {},
            .opened_by = {},
            .changed_by = {},
            .agreed = {},
            .kept = {}};
    if (!kind || !local || leg.id.empty()) return std::nullopt;
    if (const auto party = record.find("party"); party != record.end() && party->is_object()) leg.party = *party;
    return leg;
}

/// What this program has kept with it.
bool read_kept(Leg& leg, const Json& kept) {
    const auto stream = number_at(kept, "stream");
    const auto side = number_at(kept, "side");
    if (!stream || !side || *side > 1) return false;
    leg.stream = *stream;
    leg.side = *side;
    leg.tag = text_at(kept, "tag");
    leg.opened_by = text_at(kept, "opened_by");
    leg.changed_by = text_at(kept, "changed_by");
    if (const auto agreed = kept.find("agreed"); agreed != kept.end() && agreed->is_object()) leg.agreed = *agreed;
    leg.kept = kept.dump();
    return true;
}

Json to_json(const CallState& state, std::uint64_t revision) {
    Json json = {{"revision", revision}, {"first_tag", state.first_tag}};
    if (state.established) json["peer_tag"] = state.peer_tag;
    if (!state.branches.empty()) json["branches"] = state.branches;
    if (!state.late_offer.empty()) json["late_offer"] = state.late_offer;
    if (!state.late_answer.empty()) json["late_answer"] = state.late_answer;
    json["described"] = state.described;
    return json;
}

CallState read_state(const Json& json) {
    CallState state;
    state.first_tag = text_at(json, "first_tag");
    state.peer_tag = text_at(json, "peer_tag");
    state.established = json.contains("peer_tag");
    if (const auto branches = json.find("branches"); branches != json.end() && branches->is_array()) {
        for (const Json& branch : *branches) {
            if (branch.is_string()) state.branches.insert(branch.get<std::string>());
        }
    }
    state.late_offer = text_at(json, "late_offer");
    state.late_answer = text_at(json, "late_answer");
    if (const auto described = json.find("described"); described != json.end() && described->is_array()) {
        for (std::size_t side = 0; side < std::min<std::size_t>(2, described->size()); ++side) {
            if ((*described)[side].is_string()) state.described[side] = (*described)[side].get<std::string>();
        }
    }
    return state;
}

}  // namespace

std::optional<Endpoint> endpoint_at(const Json& object, const char* key) {
    const auto parsed = Endpoint::parse(text_at(object, key));
    return parsed ? std::optional(*parsed) : std::nullopt;
}

std::string text_at(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Json owner_state(const Leg& leg, const Call* carried) {
    Json json = {{"stream", leg.stream}, {"side", leg.side}};
    if (!leg.tag.empty()) json["tag"] = leg.tag;
    if (!leg.opened_by.empty()) json["opened_by"] = leg.opened_by;
    if (!leg.changed_by.empty()) {
        json["changed_by"] = leg.changed_by;
        json["agreed"] = leg.agreed;
    }
    if (carried != nullptr) json["call"] = to_json(carried->state, carried->revision);
    return json;
}

Leg* Call::find(std::size_t stream, std::size_t side, relay::Stream kind) {
    Leg* best = nullptr;
    for (Leg& leg : legs) {
        if (leg.stream != stream || leg.side != side || leg.kind != kind) continue;
        if (best == nullptr || !leg.opened_by.empty()) best = &leg;
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
        const bool second = std::ranges::any_of(legs, [&](const Leg& other) {
            return other.stream == leg->stream && other.side == leg->side && other.kind == leg->kind &&
                   other.opened_by.empty() == leg->opened_by.empty();
        });
        if (second) {
            surplus.push_back(leg->id);
            continue;
        }
        if (const auto call = kept->find("call"); call != kept->end() && call->is_object()) {
            const std::uint64_t number = number_at(*call, "revision").value_or(0);
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
