#include "natkit/diagnose/table.hpp"

/// Gateways that read along: what a SIP ALG does to messages.
namespace natkit::diagnose {
namespace {

constexpr const char* switch_it_off =
    "Switch off the SIP ALG (\"SIP helper\") in the router of that party, or use TLS so that it cannot read the "
    "messages.";

/// "Contact: sip:a@10.0.0.9 became sip:a@198.51.100.7; SDP a=candidate: left out"
std::string list_of(const Rewrite& rewrite) {
    std::string all;
    for (const Rewrite::Line& line : rewrite.lines) {
        all += (all.empty() ? "" : "; ") + line.subject + ": ";
        all += line.after.empty()    ? line.before + " was left out"
               : line.before.empty() ? line.after + " was put in"
                                     : line.before + " became " + line.after;
    }
    return all;
}

/// What a box did between two places of the capture.
std::string told(const Rewrite& rewrite) {
    return "Between " + to_string(rewrite.source) + " (frame " + std::to_string(rewrite.before) + ") and " +
           to_string(rewrite.source_after) + " (frame " + std::to_string(rewrite.after) +
           ") a box that is no hop of SIP changed the " +
           (rewrite.request ? std::string("INVITE") : std::to_string(rewrite.status)) + ": " + list_of(rewrite) + ".";
}

}  // namespace

bool changed_by_a_gateway(const Case& one, Findings& findings) {
    std::string signs, rewrites;
    std::vector<std::uint64_t> frames;
    for (const Contradiction& sign : one.call().contradictions)
        signs += (signs.empty() ? "" : "; ") + sign.field + " " + sign.value;
    for (const Rewrite& rewrite : one.call().rewrites) {
        rewrites += " " + told(rewrite);
        frames.insert(frames.end(), {rewrite.before, rewrite.after});
    }
    if (!signs.empty()) {
        findings.add(
            {.cause = Cause::alg_damage,
             .hears_nothing = {},
             .sentence = "A gateway on the way changed the messages and left them contradicting each other (" + signs +
                         ")." + rewrites,
             .change = switch_it_off,
             // A phone may write such messages by itself; that a box changed them is seen where both are there.
             .confidence = rewrites.empty() ? Confidence::inferred : Confidence::seen,
             .frames = frames});
    } else if (!rewrites.empty()) {
        findings.add(
            {.cause = Cause::alg_rewrites,
             .sentence = rewrites.substr(1) + " The messages still fit together: that is no failure by itself.",
             .change = std::string("Nothing to repair while the call works; else: ") + switch_it_off,
             .frames = frames});
    }
    return false;
}

}  // namespace natkit::diagnose
