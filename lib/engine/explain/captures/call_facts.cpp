#include "natkit/engine/explain/captures/call_facts.hpp"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "natkit/engine/explain/calls.hpp"

namespace natkit::explain {
namespace {

using diagnose::second_ns;
constexpr std::int64_t setup_ns = 60 * second_ns;     ///< before a call a phone asks for its address
constexpr std::size_t most_of_call = 128;             ///< of one call
constexpr std::int64_t memory_ns = 3600 * second_ns;  ///< for which a connection that went away may be the reason

/// Where an address of a description stands.
bool names_host(const Endpoint& at) {
    return !at.address.is_unspecified();
}

/// Collects RTP streams of the time of one call: from what its descriptions name on to all that has the same media.
class Collector {
  public:
    Collector(const diagnose::Call& call, const RtpStreams& streams)
        : call_(call),
          streams_(streams),
          first_(call.first_ns - second_ns),
          last_(call.last_ns + (call.ended ? 2 * second_ns : 3600 * second_ns)) {}

    std::vector<RtpStream> run() {
        for (const SessionDescription& description : call_.descriptions) {
            for (const MediaDescription& media : description.streams) add_ends(media);
        }
        for (std::size_t i = 0; i < order_.size(); ++i) follow(*order_[i]);
        add_between(End::caller);
        add_between(End::callee);
        std::vector<RtpStream> values;
        values.reserve(found_.size());
        for (const RtpStream* one : found_) values.push_back(*one);  // one array holds them all, as they began
        return values;
    }

  private:
    void add(const std::vector<const RtpStream*>& streams) {
        for (const RtpStream* one : streams) {
            if (found_.size() < most_of_call && found_.insert(one).second) order_.push_back(one);
        }
    }

    void add_ends(const MediaDescription& media) {
        if (media.rtcp) {
            add(streams_.to(*media.rtcp, first_, last_));
            add(streams_.from(*media.rtcp, first_, last_));
        }
        if (!media.rtp || !names_host(*media.rtp)) return;
        add(streams_.from(*media.rtp, first_, last_));
        add(streams_.to(*media.rtp, first_, last_));
        if (media.origin && *media.origin != media.rtp->address)
            add(streams_.to({.address = *media.origin, .port = media.rtp->port}, first_, last_));
    }

    /// What has the same media on its next hop or the one before, and what answers to where this comes from.
    void follow(const RtpStream& stream) {
        if (stream.rtp == 0 || found_.size() >= most_of_call) return;
        add(streams_.to(stream.source, first_, last_));
        for (const RtpStream* one : streams_.from(stream.source, first_ - setup_ns, last_)) {
            if (one->rtp == 0 && one->stun > 0) add({one});  // it asked a STUN server for its address
        }
        for (const RtpStream* one : streams_.of_source(stream.ssrc, first_, last_)) {
            const bool neighbour = one->source.address == stream.destination.address ||
                                   one->destination.address == stream.source.address || one->source == stream.source ||
                                   one->destination == stream.destination;
            if (neighbour || relayed(*one, stream)) add({one});
        }
    }

    /// Passed on by a machine with several addresses: as fast as one does that.
    static bool relayed(const RtpStream& one, const RtpStream& other) {
        const std::int64_t apart = one.first_ns - other.first_ns;
        return apart < second_ns / 2 && apart > -second_ns / 2 &&
               static_cast<std::uint16_t>(one.first_sequence - other.first_sequence + 50) < 100;
    }

    /// From where a party is to the candidates of the other one that it was shown.
    void add_between(End sender) {
        const SessionDescription* own = call_.written(sender);
        const SessionDescription* shown = call_.delivered(other(sender));
        if (shown == nullptr) return;
        const auto& visible = sender == End::caller ? call_.caller_source : call_.callee_source;
        for (std::size_t i = 0; i < shown->streams.size(); ++i) {
            std::set<IpAddress> senders, candidates;
            if (own != nullptr && i < own->streams.size()) {
                for (const Endpoint& candidate : own->streams[i].candidates) senders.insert(candidate.address);
            }
            if (visible) senders.insert(visible->address);
            for (const Endpoint& candidate : shown->streams[i].candidates) candidates.insert(candidate.address);
            for (const IpAddress& candidate : candidates) {
                for (const IpAddress& from : senders) {
                    add(streams_.between(from, candidate, first_, last_));
                    add(streams_.between(candidate, from, first_, last_));  // answers to its checks
                }
            }
        }
    }

    const diagnose::Call& call_;
    const RtpStreams& streams_;
    std::int64_t first_, last_;
    std::set<const RtpStream*> found_;
    std::vector<const RtpStream*> order_;  ///< as they were found
};

/// A connection that is begun just after the INVITE, when nothing else went on, may be the next hop of it.
bool begun_for(const diagnose::Call& call, const diagnose::TcpConnection& one) {
    if (one.syns == 0 || one.accepted) return false;
    const bool onward = std::ranges::any_of(call.requests, [](const auto& request) { return request.vias > 1; });
    return !onward && one.first_ns >= call.first_ns && one.first_ns - call.first_ns < second_ns / 3;
}

/// All addresses that messages of the call came from or went to, and where its callee registered from.
std::set<IpAddress> hosts_of_messages(const diagnose::Call& call) {
    std::set<IpAddress> hosts;
    for (const diagnose::Request& one : call.requests) {
        hosts.insert(one.source.address);
        hosts.insert(one.destination.address);
    }
    const auto& registration = call.callee_registration;
    if (registration && registration->source) hosts.insert(registration->source->address);
    return hosts;
}

/// Where its messages and media went, and where its messages came from.
std::unordered_set<Endpoint, EndpointHash> places_of(const diagnose::CallFacts& facts) {
    std::unordered_set<Endpoint, EndpointHash> places;
    for (const diagnose::Request& one : facts.call.requests) {
        places.insert(one.source);
        places.insert(one.destination);
        for (const diagnose::Response& response : one.responses) places.insert(response.destination);
    }
    for (const RtpStream& one : facts.rtp) places.insert(one.destination);
    return places;
}

}  // namespace

diagnose::CallFacts facts_of(const diagnose::Call& call, const CaptureFacts& capture, const nat::Networks& networks) {
    diagnose::CallFacts facts{.call = call,
                              .rtp = Collector(call, capture.rtp).run(),
                              .networks = networks,
                              .capture_end_ns = capture.end_ns};
    const std::int64_t first = call.first_ns - second_ns;
    const std::int64_t last = call.last_ns + (call.ended ? 2 * second_ns : 3600 * second_ns);
    const std::set<IpAddress> hosts = hosts_of_messages(call);
    const auto places = places_of(facts);
    facts.icmp = capture.evidence.icmp(
        first, last, [&](const diagnose::IcmpError& error) { return places.contains(error.destination); });
    facts.connections = capture.tcp.troubled(first - memory_ns, last);
    std::erase_if(facts.connections, [&](const diagnose::TcpConnection& one) {
        return !begun_for(call, one) && !hosts.contains(one.client.address) && !hosts.contains(one.server.address);
    });
    return facts;
}

}  // namespace natkit::explain
