#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// Relays that send to each other, and routers that do.
namespace natkit::diagnose {
namespace {

std::vector<const RtpStream*> circling(const Stream& stream) {
    std::vector<const RtpStream*> found;
    for (const MediaDirection* direction : {&stream.to_callee, &stream.to_caller}) {
        for (const Path* path : direction->paths) {
            const RtpStream& one = *path->stream;
            const bool known = std::ranges::find(found, &one) != found.end();
            if (!known && one.circles() && !one.routed_in_circle()) found.push_back(&one);
        }
    }
    return found;
}

/// "203.0.113.5 and 203.0.113.70 send to each other"
std::string senders(const std::vector<const RtpStream*>& circle) {
    std::set<IpAddress> hosts;
    for (const RtpStream* one : circle) {
        hosts.insert(one->source.address);
        hosts.insert(one->destination.address);
    }
    std::string all;
    for (const IpAddress& host : hosts) all += (all.empty() ? "" : " and ") + to_string(host);
    return all + (hosts.size() == 1 ? " sends to itself" : " send to each other");
}

std::optional<Deaf> who_hears_nothing(const Stream& stream) {
    const bool callee = stream.to_callee.dead.has_value(), caller = stream.to_caller.dead.has_value();
    if (callee && caller) return Deaf::both();
    if (callee) return End::callee;
    return caller ? std::optional<Deaf>(End::caller) : std::nullopt;
}

std::string deaf_at_start(Deaf deaf) {
    if (deaf == Deaf::both()) return "Neither hears the other";
    return name_at_start(deaf.includes(End::caller) ? End::caller : End::callee) + " hears nothing";
}

}  // namespace

/// All else that is missing in the call is missing because of it.
bool packets_in_a_circle(const Case& one, const Stream& stream, Findings& findings) {
    if (findings.has(Cause::media_loop)) return true;
    const auto circle = circling(stream);
    if (circle.empty()) return false;
    const RtpStream* found = circle.front();
    const auto deaf = who_hears_nothing(stream);
    std::string way = "from " + to_string(found->source) + " to " + to_string(found->destination);
    const auto back = std::ranges::find_if(circle, [&](const RtpStream* other) {
        return other != found && other->source.address == found->destination.address;
    });
    if (back != circle.end())
        way += ", and back from " + to_string((*back)->source) + " to " + to_string((*back)->destination);
    findings.add({.cause = Cause::media_loop,
                  .hears_nothing = deaf,
                  .sentence = (deaf ? deaf_at_start(*deaf) + ": the" : std::string("The")) +
                              " same packets pass again and again " + way + " (" + packets(found->repeats) + " of " +
                              std::to_string(found->rtp) + " had been there before): a media loop.",
                  .change = senders(circle) + ": the call was forwarded back to where it came from, or they are "
                                              "in its way twice. See looptrace for which of them can go.",
                  .frames = {found->first_frame, found->last_frame},
                  .from_s = one.at(found->first_ns),
                  .to_s = one.at(found->last_ns)});
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
