// The `call` record of a call that a proxy has asked for: where both ends are, what they said, what was learned.
#include <memory>
#include <nlohmann/json.hpp>

#include "calls.hpp"
#include "natkit/base/keys_after.hpp"
#include "natkit/engine/control/pages.hpp"
#include "natkit/record/nat.hpp"
#include "natkit/record/relay.hpp"

namespace natkit::ng {
namespace {

using Json = nlohmann::ordered_json;

/// The end as its last message and description show it.
Json end_record(const Branch& branch, End end, const nat::Networks& networks) {
    const relay::Party* known = nullptr;
    for (const auto& [number, pair] : branch.pairs) {
        if (const auto& party = pair.parties[index(end)]; known == nullptr && party) known = &*party;
    }
    const auto& source = branch.sources[index(end)];
    const IpAddress seen = source                                ? *source
                           : known != nullptr && known->endpoint ? known->endpoint->address
                                                                 : IpAddress();
    nat::Verdict verdict = nat::classify_address(seen, networks);
    if (known != nullptr && known->place == nat::Place::far_end && verdict.place != known->place) {
        verdict.place = known->place;
        verdict.rule = nat::Rule::nated;
        if (known->endpoint) verdict.claimed = known->endpoint->address;
    }
    Json json = record::to_json(verdict, seen);
    const auto& answerers = branch.names.answerers;
    json["tag"] = end == End::caller ? branch.names.offerer : answerers.empty() ? std::string() : answerers.back();
    if (source) json["source"] = to_string(*source);
    if (known != nullptr || source) json["why"] = nat::why(verdict, seen);
    return json;
}

Json media_record(const record::LegRecord& leg) {
    Json json = {{"leg", leg.id}, {"local", to_string(leg.local(relay::Component::rtp))}};
    if (leg.party && leg.party->endpoint) json["said"] = to_string(*leg.party->endpoint);
    if (leg.party && leg.party->sources) json["sources"] = relay::to_string(*leg.party->sources);
    if (const auto& latched = leg.latched[0]) {
        json["learned"] = to_string(latched->endpoint);
        json["rule"] = relay::to_string(latched->rule);
    }
    return json;
}

}  // namespace

Json Calls::record_of(const std::string& call_id, const Branch& branch) const {
    Json streams = Json::array();
    for (const auto& [number, pair] : branch.pairs) {
        Json stream;
        for (const End end : {End::caller, End::callee}) {
            const auto* leg = engine_.find(pair.legs[index(end)]);
            if (leg == nullptr) continue;
            stream["stream"] = relay::to_string(leg->stream);
            if (!pair.codec.empty()) stream["codec"] = pair.codec;
            stream[end == End::caller ? "a" : "b"] = media_record(*leg);
        }
        streams.push_back(std::move(stream));
    }
    const auto& networks = engine_.options().networks;
    return {{"type", "call"},
            {"call_id", call_id},
            {"asked_by", "ng"},
            {"state", branch.names.answered ? "established" : "setting-up"},
            {"a", end_record(branch, End::caller, networks)},
            {"b", end_record(branch, End::callee, networks)},
            {"relayed_streams", branch.pairs.size()},
            {"relay", true},
            {"reasons", Json::array({nat::to_string(nat::Reason::asked_for)})},
            {"why", "the proxy asks for it"},
            {"streams", std::move(streams)}};
}

Json Calls::records(const std::string& after) const {
    constexpr std::size_t most = 1000;
    control::Page page("calls");
    const auto ids = keys_after(calls_, after, most);
    std::size_t told = 0;
    for (; told < ids.size() && !page.full(); ++told) {
        for (const auto& branch : calls_.at(*ids[told]).branches) page.add(record_of(*ids[told], *branch));
    }
    return told < ids.size() || told == most ? page.close(*ids[told - 1]) : page.close();
}

/// Before its legs are freed: the packet threads tell what they have counted first. Of branches that nobody has
/// answered, the last one stands for its call.
void Calls::tell_ended(const Call& call, const Branch& branch, const char* why) {
    if (!on_ended_ || !wanted_() || why == nullptr || (!branch.names.answered && call.branches.size() > 1)) return;
    Json record = {{"type", "call"}, {"event", "ended"}, {"call_id", call.call_id}, {"asked_by", "ng"}, {"why", why}};
    record["began_ms"] = call.created * 1000;
    const std::int64_t hundredths = (now_ms() - branch.answered_ms) / 10;
    if (branch.answered_ms != 0) record["duration_s"] = static_cast<double>(hundredths) / 100;
    Json now = record_of(call.call_id, branch);
    for (const char* key : {"a", "b", "reasons", "streams"}) record[key] = std::move(now[key]);
    // Told when the last answer has come, which lets go of it.
    const std::shared_ptr<Json> told(new Json(std::move(record)), [tell = on_ended_](const Json* whole) {
        const std::unique_ptr<const Json> owned(whole);
        tell(*owned);
    });
    std::size_t number = 0;
    for (const auto& [legs, pair] : branch.pairs) {
        for (const End end : {End::caller, End::callee}) {
            const std::string& leg = pair.legs[index(end)];
            engine_.collect(leg, [told, number, end, own = relay::key_of(leg)](const auto& statistics) {
                const auto counted = statistics.find(own);
                if (counted == statistics.end()) return;
                Json& stream = (*told)["streams"][number];
                stream[end == End::caller ? "a" : "b"]["statistics"] = record::to_json(counted->second);
                stream["audio"]["state"] = relay::to_string(counted->second.audio);
            });
        }
        ++number;
    }
}

}  // namespace natkit::ng
