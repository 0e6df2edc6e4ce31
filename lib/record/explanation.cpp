#include "natkit/record/explanation.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "natkit/diagnose/table.hpp"
#include "natkit/record/sip.hpp"

namespace natkit::record {
namespace {

using Json = nlohmann::ordered_json;

/// To the millisecond.
double rounded(double seconds) {
    return std::round(seconds * 1000) / 1000;
}

double tenths(double value) {
    return std::round(value * 10) / 10;
}

Json to_json(const diagnose::Traffic& traffic) {
    Json json = Json::object();
    if (traffic.told) json["told"] = to_string(*traffic.told);
    json["relayed"] = traffic.relayed;
    json["sent_packets"] = traffic.sent;
    json["arrived_packets"] = traffic.arrived;
    if (traffic.missing > 0) json["lost_packets"] = traffic.missing;
    if (!traffic.codec.empty()) json["codec"] = traffic.codec;
    if (traffic.jitter_ms) json["jitter_ms"] = tenths(*traffic.jitter_ms);
    if (traffic.reported_loss) json["reported_loss_percent"] = *traffic.reported_loss;
    if (traffic.reported_jitter_ms) json["reported_jitter_ms"] = tenths(*traffic.reported_jitter_ms);
    json["sources"] = Json::array();
    for (const Endpoint& source : traffic.sources) json["sources"].push_back(to_string(source));
    if (!traffic.ssrcs.empty()) json["ssrc"] = traffic.ssrcs;
    return json;
}

Json to_json(const diagnose::PhaseTraffic& traffic) {
    Json json = {{"meant", traffic.meant}, {"sent_packets", traffic.sent}, {"arrived_packets", traffic.arrived}};
    if (traffic.jitter_ms) json["jitter_ms"] = tenths(*traffic.jitter_ms);
    return json;
}

Json phases_of(const diagnose::Diagnosis& diagnosis) {
    Json phases = Json::array();
    for (std::size_t i = 0; i < diagnosis.phases.size(); ++i) {
        const diagnose::PhaseReport& phase = diagnosis.phases[i];
        Json one = {{"from_s", rounded(phase.from_s)}, {"to_s", rounded(phase.to_s)}, {"frame", phase.frame}};
        if (phase.early) one["early"] = true;
        one["streams"] = Json::array();
        for (const diagnose::StreamReport& stream : diagnosis.streams) {
            one["streams"].push_back({{"kind", stream.kind},
                                      {"to_callee", to_json(stream.to_callee_phases[i])},
                                      {"to_caller", to_json(stream.to_caller_phases[i])}});
        }
        phases.push_back(std::move(one));
    }
    return phases;
}

Json to_json(const diagnose::Finding& finding) {
    Json one = {{"cause", diagnose::to_string(finding.cause)}};
    if (finding.follows_from) one["follows_from"] = diagnose::to_string(*finding.follows_from);
    if (finding.hears_nothing) one["hears_nothing"] = finding.hears_nothing->word();
    if (diagnose::harmless(finding)) one["harmless"] = true;
    if (finding.status != 0) one["status"] = finding.status;
    one["confidence"] = diagnose::to_string(finding.confidence);
    one["sentence"] = finding.sentence;
    one["change"] = finding.change;
    if (!finding.frames.empty()) one["frames"] = finding.frames;
    if (finding.from_s) one["from_s"] = rounded(*finding.from_s);
    if (finding.to_s) one["to_s"] = rounded(*finding.to_s);
    return one;
}

}  // namespace

Json to_json(const diagnose::Diagnosis& diagnosis) {
    Json json = {{"type", "explanation"}, {"call_id", diagnosis.call_id}, {"frame", diagnosis.first_frame}};
    if (diagnosis.first_ns != 0) json["time"] = time_text(diagnosis.first_ns);
    if (!diagnosis.names[0].empty()) json["from"] = diagnosis.names[0];
    if (!diagnosis.names[1].empty()) json["to"] = diagnosis.names[1];
    if (diagnosis.registration) json["registration"] = true;
    json["outcome"] = diagnose::to_string(diagnosis.outcome);
    if (diagnosis.status != 0) json["status"] = diagnosis.status;
    json["duration_s"] = rounded(static_cast<double>(diagnosis.end_ns - diagnosis.first_ns) / 1e9);
    if (diagnosis.cut) json["cut"] = true;
    json["streams"] = Json::array();
    for (const diagnose::StreamReport& stream : diagnosis.streams) {
        json["streams"].push_back({{"kind", stream.kind},
                                   {"to_callee", to_json(stream.to_callee)},
                                   {"to_caller", to_json(stream.to_caller)}});
    }
    if (!diagnosis.phases.empty()) json["phases"] = phases_of(diagnosis);
    json["findings"] = Json::array();
    for (const diagnose::Finding& finding : diagnosis.findings) json["findings"].push_back(to_json(finding));
    return json;
}

}  // namespace natkit::record
