#include "natkit/diagnose/diagnose.hpp"

#include <algorithm>
#include <utility>

#include "natkit/diagnose/table.hpp"

namespace natkit::diagnose {
namespace {

static_assert(std::ranges::all_of(causes, [](const CauseRow& one) { return &row(one.cause) == &one; }),
              "the rows of causes are in the order of Cause");

/// Whether a rule explains the call: then no media was to flow.
bool ask_about_call(const Case& one, Findings& findings) {
    return std::ranges::any_of(call_rules, [&](CallRule rule) { return rule(one, findings); });
}

void ask_about_direction(const Case& one, const MediaDirection& direction, const MediaDirection& opposite,
                         Findings& findings) {
    if (direction.receiver_written == nullptr || direction.receiver_delivered == nullptr) return;  // no answer yet
    for (const DirectionRule rule : direction_rules) {
        if (rule(one, direction, opposite, findings)) return;
    }
}

void ask_about_stream(const Case& one, const Stream& stream, Findings& findings) {
    for (const StreamRule rule : stream_rules) {
        if (rule(one, stream, findings)) return;
    }
    ask_about_direction(one, stream.to_callee, stream.to_caller, findings);
    ask_about_direction(one, stream.to_caller, stream.to_callee, findings);
}

}  // namespace

void Findings::add(Finding finding) {
    const bool known = std::ranges::any_of(all_, [&](const Finding& other) {
        return other.cause == finding.cause && other.hears_nothing == finding.hears_nothing;
    });
    if (known) return;
    std::vector<std::uint64_t> frames;
    for (const std::uint64_t frame : std::exchange(finding.frames, {})) {
        if (frame != 0 && std::ranges::find(frames, frame) == frames.end()) frames.push_back(frame);
    }
    finding.frames = std::move(frames);
    all_.push_back(std::move(finding));
}

bool Findings::has(Cause cause) const {
    return std::ranges::find(all_, cause, &Finding::cause) != all_.end();
}

bool Diagnosis::broken() const {
    return std::ranges::any_of(findings, [](const Finding& finding) { return !harmless(finding); });
}

Diagnosis diagnose(const CallFacts& facts) {
    const Case one(facts);
    Diagnosis result{.call_id = facts.call.call_id,
                     .names = facts.call.names,
                     .registration = facts.call.registration,
                     .first_frame = facts.call.first_frame,
                     .first_ns = facts.call.first_ns,
                     .end_ns = one.end_ns(),
                     .outcome = {},
                     .phases = {},
                     .streams = {},
                     .findings = {},
                     .media_seen = one.media_seen(),
                     .cut = facts.call.cut};
    for (const Phase& phase : one.phases()) {
        result.phases.push_back(
            {.from_s = one.at(phase.from_ns), .to_s = one.at(phase.to_ns), .frame = phase.frame, .early = phase.early});
    }
    for (const Stream& stream : one.streams()) {
        result.streams.push_back({.kind = stream.kind,
                                  .to_callee = stream.to_callee.traffic,
                                  .to_caller = stream.to_caller.traffic,
                                  .to_callee_phases = stream.to_callee.phases,
                                  .to_caller_phases = stream.to_caller.phases});
    }
    Findings findings;
    if (!ask_about_call(one, findings)) {
        for (const Stream& stream : one.streams()) ask_about_stream(one, stream, findings);
    }
    result.outcome = outcome_of(one, findings);
    result.status = last_status(facts.call);
    result.findings = with_consequences(one, findings.take());
    return result;
}

}  // namespace natkit::diagnose
