#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// Relays that send to each other.
namespace natkit::diagnose {
namespace {

const RtpStream* circling(const MediaDirection& direction) {
    for (const Path* path : direction.paths) {
        if (path->stream->circles()) return path->stream;
    }
    return nullptr;
}

}  // namespace

/// All else that is missing in the call is missing because of it.
bool packets_in_a_circle(const Case&, const Stream& stream, Findings& findings) {
    if (findings.has(Cause::media_loop)) return true;
    const RtpStream* found = circling(stream.to_callee);
    if (found == nullptr) found = circling(stream.to_caller);
    if (found == nullptr) return false;
    findings.add({.cause = Cause::media_loop,
                  .hears_nothing = {},
                  .sentence = "The same packets pass again and again from " + to_string(found->source) + " to " +
                              to_string(found->destination) + " (" + packets(found->repeats) + " of " +
                              std::to_string(found->rtp) + " had been there before): a media loop.",
                  .change = "Two relays send to each other: see looptrace for which of them can go."});
    return true;
}

}  // namespace natkit::diagnose
