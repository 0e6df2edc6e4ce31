// What another process needs to go on with a branch travels as JSON with one of its legs.
#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "calls.hpp"
#include "natkit/base/text.hpp"
#include "natkit/record/json_members.hpp"
#include "natkit/record/json_text.hpp"
#include "natkit/record/json_view.hpp"
#include "natkit/record/party_text.hpp"
#include "natkit/record/relay.hpp"
#include "state_parts.hpp"

namespace natkit::ng {
namespace {

using Json = nlohmann::ordered_json;

using record::ObjectText;

/// A JSON list in which each object is written by `write`.
template <typename Items, typename Write>
std::string list_text(const Items& items, const Write& write) {
    std::string list = "[";
    for (const auto& item : items) {
        if (list.size() > 1) list += ',';
        ObjectText one(std::move(list));
        write(one, item);
        list = one.close();
    }
    return list += ']';
}

template <typename Items, typename Text>
std::string plain_list(const Items& items, const Text& text) {
    std::string list = "[";
    for (const auto& item : items) (list += list.size() > 1 ? "," : "") += text(item);
    return list += ']';
}

constexpr std::array both{End::caller, End::callee};

void add_names(ObjectText& state, const Branch& branch) {
    state.enter("names");
    state.text("offerer", branch.names.offerer);
    state.raw("answerers", plain_list(branch.names.answerers, record::json_string));
    if (!branch.names.via_branch.empty()) state.text("via_branch", branch.names.via_branch);
    if (branch.names.answered) state.flag("answered", true);
    if (branch.deleted) state.flag("deleted", true);
    state.leave();
}

void add_shown(ObjectText& one, const sdp::ShownSession& shown) {
    one.enter("shown");
    one.text("user_name", shown.user_name);
    one.text("session_id", shown.session_id);
    one.text("version", std::to_string(shown.version));
    one.text("session_name", shown.session_name);
    one.text("digest", std::to_string(shown.digest));
    one.leave();
}

void add_end(ObjectText& one, const Branch& branch, End end) {
    one.text("side", to_string(branch.sides[index(end)]));
    if (const auto& source = branch.sources[index(end)]) one.text("source", *source);
    if (!branch.labels[index(end)].empty()) one.text("label", branch.labels[index(end)]);
    if (const auto& shown = branch.shown[index(end)]) add_shown(one, *shown);
}

void add_pair(ObjectText& one, const Pair& pair) {
    one.raw("legs", plain_list(pair.legs, record::json_string));
    one.text("media", pair.media);
    if (!pair.codec.empty()) one.text("codec", pair.codec);
    one.raw("mux", plain_list(pair.mux, [](bool mux) { return mux ? "true" : "false"; }));
    if (!pair.named[0] && !pair.named[1]) return;
    one.enter("named");
    for (const End end : both) {
        if (const auto& named = pair.named[index(end)]) one.text(end == End::caller ? "caller" : "callee", *named);
    }
    one.leave();
}

void add_stream(ObjectText& one, const Branch& branch, const dialog::Stream& stream) {
    one.text("stream", relay::to_string(stream.kind));
    if (stream.hold) one.flag("hold", true);
    if (stream.shares) one.number("shares", static_cast<std::int64_t>(*stream.shares));
    if (const auto pair = branch.pairs.find(stream.legs); pair != branch.pairs.end()) add_pair(one, pair->second);
}

/// What an open offer says of a stream.
void add_offered(ObjectText& one, const Offered& offered, const dialog::Described& said) {
    if (offered.party) record::add_party(one, *offered.party);
    if (offered.named) one.text("named", *offered.named);
    if (!offered.protocol.empty()) one.text("protocol", offered.protocol);
    if (said.mux) one.flag("mux", true);
    if (said.hold) one.flag("hold", true);
}

/// The open exchange: an answer, or another one, may be still to come.
void add_exchange(ObjectText& state, const Branch& branch) {
    const dialog::Exchange& exchange = branch.call.exchange();
    state.enter("open");
    state.flag("caller", exchange.pending()->offerer == End::caller);
    state.flag("answered", exchange.answered());
    std::size_t line = 0;
    state.raw("offered", list_text(branch.offered, [&](ObjectText& one, const Offered& offered) {
                  add_offered(one, offered, branch.call.streams()[line++].offered);
              }));
    state.leave();
}

std::string state_text(const Call& call, const Branch& branch) {
    ObjectText state;
    add_names(state, branch);
    state.raw("ends", list_text(both, [&](ObjectText& one, End end) { add_end(one, branch, end); }));
    state.raw("streams", list_text(branch.call.streams(), [&](ObjectText& one, const dialog::Stream& stream) {
                  add_stream(one, branch, stream);
              }));
    if (branch.call.exchange().pending()) add_exchange(state, branch);
    state.number("created", call.created);
    if (branch.answered_ms != 0) state.number("answered_ms", branch.answered_ms);
    return state.close();
}

void read_names(const Json& names, Branch& branch) {
    branch.names.offerer = record::text_of(names, "offerer");
    branch.names.via_branch = record::text_of(names, "via_branch");
    branch.names.answered = record::flag_of(names, "answered");
    branch.deleted = record::flag_of(names, "deleted");
    for (const Json& tag : record::list_of(names, "answerers")) {
        if (tag.is_string()) branch.names.answerers.push_back(tag.get<std::string>());
    }
}

std::optional<sdp::ShownSession> read_shown(const Json& kept) {
    constexpr auto most = std::numeric_limits<std::uint64_t>::max();
    const auto version = text::parse_number(record::text_of(kept, "version"), most);
    const auto digest = text::parse_number(record::text_of(kept, "digest"), most);
    if (!version || !digest) return std::nullopt;
    return sdp::ShownSession{.user_name = record::text_of(kept, "user_name"),
                             .session_id = record::text_of(kept, "session_id"),
                             .version = *version,
                             .session_name = record::text_of(kept, "session_name"),
                             .digest = *digest};
}

void read_ends(const std::vector<Json>& ends, Branch& branch) {
    for (std::size_t i = 0; i < std::min<std::size_t>(2, ends.size()); ++i) {
        if (!ends[i].is_object()) continue;
        branch.sides[i] = record::text_of(ends[i], "side") == to_string(Side::lan) ? Side::lan : Side::wan;
        if (const auto source = IpAddress::parse(record::text_of(ends[i], "source"))) branch.sources[i] = *source;
        branch.labels[i] = record::text_of(ends[i], "label");
        if (const auto kept = ends[i].find("shown"); kept != ends[i].end() && kept->is_object())
            branch.shown[i] = read_shown(*kept);
    }
}

dialog::Described described_by(const Offered& offered, const dialog::Stream& stream, const Json& kept) {
    dialog::Described said{.kind = stream.kind, .hold = record::flag_of(kept, "hold"), .mux = offered.mux};
    if (offered.named) said.rtp = offered.named;
    if (!offered.party) return said;
    said.rtp = offered.party->endpoint;
    said.rtcp = offered.party->rtcp;
    said.setup = offered.party->setup;
    said.sending = {.direction = offered.party->direction, .ssrcs = offered.party->ssrcs};
    return said;
}

void read_offered(const Json& kept, Offered& offered) {
    if (const auto party = kept.find("party"); party != kept.end() && party->is_object()) {
        record::ObjectReader reader;
        if (const auto object = reader.read(party->dump())) {
            if (const auto parsed = record::parse_party(*object)) offered.party = *parsed;
        }
    }
    if (const auto named = Endpoint::parse(record::text_of(kept, "named"))) offered.named = *named;
    offered.protocol = record::text_of(kept, "protocol");
    offered.mux = record::flag_of(kept, "mux");
}

/// The branch's streams are there again.
void read_exchange(const Json& open, Branch& branch, std::uint64_t owner) {
    branch.call.open({.offerer = record::flag_of(open, "caller") ? End::caller : End::callee, .owner = owner});
    const auto offered = record::list_of(open, "offered");
    branch.offered.assign(std::min(offered.size(), branch.call.streams().size()), {});
    for (std::size_t line = 0; line < branch.offered.size(); ++line) {
        if (!offered[line].is_object()) continue;
        dialog::Stream& stream = branch.call.streams()[line];
        read_offered(offered[line], branch.offered[line]);
        stream.offered = described_by(branch.offered[line], stream, offered[line]);
    }
    if (record::flag_of(open, "answered")) branch.call.answered();
}

}  // namespace

/// Nothing is written where nothing has changed. What is larger than a leg carries is divided among those of the
/// branch.
void Calls::keep(Call& call, Branch& branch) {
    if (branch.pairs.empty()) return;
    if (branch.keeper.empty()) branch.keeper = branch.pairs.begin()->second.legs[0];
    std::string text = state_text(call, branch);
    const auto carry = [this](const std::string& leg, std::string state) {
        relay::UpdateRequest update;
        update.owner_state = std::move(state);
        (void)engine_.update(leg, update);
    };
    const auto before = std::exchange(branch.carriers, {});
    if (text.size() <= relay::max_owner_state) {
        carry(branch.keeper, std::move(text));
    } else {
        branch.carriers = {branch.keeper};
        for (const auto& [number, pair] : branch.pairs) {
            for (const std::string& leg : pair.legs) {
                if (leg != branch.keeper) branch.carriers.push_back(leg);
            }
        }
        auto parts = divide(text, relay::max_owner_state);
        branch.carriers.resize(std::min(branch.carriers.size(), parts.size()));
        for (std::size_t i = 0; i < branch.carriers.size(); ++i) carry(branch.carriers[i], std::move(parts[i]));
    }
    for (const std::string& leg : before) {
        if (leg != branch.keeper && std::ranges::find(branch.carriers, leg) == branch.carriers.end()) carry(leg, "{}");
    }
}

/// The branches that a process before this one has left with its legs.
void Calls::restore() {
    Parts divided;
    for (const auto& [order, leg] : engine_.legs()) {
        if (leg->owner != "ng" || leg->owner_state.empty() || divided.add(leg->owner_state, leg->id)) continue;
        restore_branch(leg->owner_state, {leg->id});
    }
    for (const Parts::Whole& whole : divided.complete()) restore_branch(whole.text, whole.carriers);
}

void Calls::restore_branch(const std::string& text, const std::vector<std::string>& carriers) {
    const record::LegRecord* leg = engine_.find(carriers[0]);
    const Json state = Json::parse(text, nullptr, false);
    if (leg == nullptr || !state.is_object() || !state.contains("names") || !state["names"].is_object()) return;
    auto branch = std::make_unique<Branch>();
    read_names(state["names"], *branch);
    read_ends(record::list_of(state, "ends"), *branch);
    branch->keeper = leg->id;
    if (carriers.size() > 1) branch->carriers = carriers;
    const auto streams = record::list_of(state, "streams");
    for (std::size_t line = 0; line < std::min(streams.size(), most_streams); ++line) {
        dialog::Stream& stream = branch->call.streams().emplace_back();
        restore_stream(streams[line], leg->call_id, *branch, stream);
    }
    if (branch->pairs.empty()) return;
    Call& call = calls_[leg->call_id];
    call.call_id = leg->call_id;
    if (const auto created = state.find("created"); created != state.end() && created->is_number_integer())
        call.created = created->get<std::int64_t>();
    if (const auto at = state.find("answered_ms"); at != state.end() && at->is_number_integer())
        branch->answered_ms = at->get<std::int64_t>();
    if (const auto open = state.find("open"); open != state.end() && open->is_object()) {
        read_exchange(*open, *branch, ++last_number_);
        if (branch->call.exchange().answered()) {
            branch->closes_at = loop_.now() + answering_time;
            look_again(call.call_id, *branch->closes_at);
        }
    }
    if (!branch->names.answered || branch->deleted) {
        branch->ends_at = loop_.now() + (branch->deleted ? answering_time : unanswered_offer_time);
        look_again(call.call_id, *branch->ends_at);
    }
    call.branches.push_back(std::move(branch));
}

void Calls::restore_stream(const Json& kept, const std::string& call_id, Branch& branch, dialog::Stream& stream) {
    if (!kept.is_object()) return;
    stream.kind = relay::parse_stream(record::text_of(kept, "stream")).value_or(relay::Stream::rtp);
    stream.hold = record::flag_of(kept, "hold");
    if (const auto shares = kept.find("shares"); shares != kept.end() && shares->is_number_unsigned())
        stream.shares = shares->get<std::uint32_t>();
    const auto legs = record::list_of(kept, "legs");
    if (legs.size() != 2 || !legs[0].is_string() || !legs[1].is_string()) return;
    Pair pair;
    pair.media = record::text_of(kept, "media");
    pair.codec = record::text_of(kept, "codec");
    const auto mux = record::list_of(kept, "mux");
    for (const End end : {End::caller, End::callee}) {
        const std::size_t i = index(end);
        const record::LegRecord* leg = engine_.find(legs[i].get<std::string>());
        if (leg == nullptr || leg->call_id != call_id) return;
        pair.legs[i] = leg->id;
        pair.parties[i] = leg->party;
        if (i < mux.size() && mux[i].is_boolean()) pair.mux[i] = mux[i].get<bool>();
        if (const auto named = kept.find("named"); named != kept.end() && named->is_object()) {
            if (const auto endpoint =
                    Endpoint::parse(record::text_of(*named, end == End::caller ? "caller" : "callee")))
                pair.named[i] = *endpoint;
        }
        if (leg->party) {
            stream.said[i] = {.rtp = leg->party->endpoint, .rtcp = leg->party->rtcp, .setup = leg->party->setup};
            stream.sending[i] = {.direction = leg->party->direction, .ssrcs = leg->party->ssrcs};
        }
    }
    stream.legs = ++last_number_;
    branch.pairs[stream.legs] = std::move(pair);
    index_legs(call_id, branch, stream.legs);
}

}  // namespace natkit::ng
