#include <algorithm>

#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// Relays that send to each other, and routers that do.
namespace natkit::diagnose {
namespace {

const RtpStream* circling(const MediaDirection& direction) {
    for (const Path* path : direction.paths) {
        if (path->stream->circles() && !path->stream->routed_in_circle()) return path->stream;
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

/// They are not passed on by anything that sends them anew: their time to live goes down from one time to the next.
bool routers_in_a_ring(const Case& one, const MediaDirection& direction, const MediaDirection&, Findings& findings) {
    const auto found =
        std::ranges::find_if(direction.paths, [](const Path* path) { return path->stream->routed_in_circle(); });
    if (found == direction.paths.end()) return false;
    const RtpStream& stream = *(*found)->stream;
    findings.add({.cause = Cause::never_arrives,
                  .hears_nothing = direction.to,
                  .sentence = name_at_start(direction.to) + " hears nothing: " + packets(stream.distinct()) + " from " +
                              to_string(stream.source) + " to " + to_string(stream.destination) + " pass here " +
                              times(static_cast<unsigned>(stream.rtp / stream.distinct())) +
                              " each, with a time to live of " + std::to_string(stream.most_hops) + " down to " +
                              std::to_string(stream.least_hops) + ": routers send them in a ring until it ends.",
                  .change = "Look at the routes to " + to_string(stream.destination.address) +
                            " in the routers around the place of the capture: two of them point at each other.",
                  .frames = {stream.first_frame, stream.last_frame},
                  .from_s = one.at(stream.first_ns),
                  .to_s = one.at(stream.last_ns)});
    return true;
}

}  // namespace natkit::diagnose
