#include "natkit/diagnose/table.hpp"

/// Calls that did not come to media.
namespace natkit::diagnose {

bool no_media_due(const Case& one, Findings& findings) {
    const Call& call = one.call();
    if (call.answered || one.media_seen()) return false;
    if (findings.has(Cause::binding_expired)) return true;  // that is why
    if (call.failure != 0) {
        findings.add({.cause = Cause::not_answered,
                      .hears_nothing = {},
                      .sentence = "The call was refused (" + std::to_string(call.failure) + ") before any media.",
                      .change = "Look at the signalling: no media was to flow."});
    } else {
        findings.add({.cause = Cause::not_answered,
                      .hears_nothing = {},
                      .sentence = "The capture has an offer and no final answer: no media was to flow yet.",
                      .change = "Look at the signalling: is the phone ringing, or is the answer lost?"});
    }
    return true;
}

}  // namespace natkit::diagnose
