#include "natkit/record/decision.hpp"

#include <nlohmann/json.hpp>

namespace natkit::record {

using Json = nlohmann::ordered_json;

std::optional<bool> Decision::agrees() const {
    if (!relay_seen) return std::nullopt;
    return *relay_seen == decision.relay;
}

Json to_json(const nat::Decision& decision) {
    Json reasons = Json::array();
    for (const nat::Reason reason : decision.reasons) reasons.push_back(nat::to_string(reason));
    return {{"relay", decision.relay}, {"reasons", std::move(reasons)}};
}

Json to_json(const Decision& decision) {
    Json json = {{"type", "decision"}};
    if (!decision.call_id.empty()) json["call_id"] = decision.call_id;
    json.update(to_json(decision.decision));
    if (decision.a) json["a"] = to_json(*decision.a);
    if (decision.b) json["b"] = to_json(*decision.b);
    if (decision.relay_seen) {
        json["relay_seen"] = *decision.relay_seen;
        json["agrees"] = *decision.agrees();
    }
    if (decision.streams.empty()) return json;
    json["streams"] = Json::array();
    for (const StreamDecision& stream : decision.streams) {
        Json one = {{"kind", stream.kind}};
        if (stream.a) one["a"] = to_string(*stream.a);
        if (stream.b) one["b"] = to_string(*stream.b);
        one.update(to_json(stream.decision));
        if (stream.relay_seen) one["relay_seen"] = *stream.relay_seen;
        json["streams"].push_back(std::move(one));
    }
    return json;
}

}  // namespace natkit::record
