#include "natkit/engine/explain/call_facts.hpp"

#include <algorithm>

#include "natkit/engine/explain/calls.hpp"

namespace natkit::explain {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

/// Collects RTP streams of the time of one call.
class Collector {
  public:
    Collector(const diagnose::Call& call, const RtpStreams& streams)
        : call_(call),
          streams_(streams),
          first_(call.first_ns - second_ns),
          last_(call.last_ns + (call.ended ? 2 * second_ns : 3600 * second_ns)) {}

    std::vector<RtpStream> run() {
        for (const End end : {End::caller, End::callee}) {
            for (const SessionDescription* description : {call_.written(end), call_.delivered(end)}) {
                if (description == nullptr) continue;
                for (const MediaDescription& media : description->streams) add_ends(media);
            }
            add_between(end);
        }
        std::ranges::sort(found_);  // one array holds them all, in the order in which they began
        const auto again = std::ranges::unique(found_);
        found_.erase(again.begin(), again.end());
        std::vector<RtpStream> values;
        values.reserve(found_.size());
        for (const RtpStream* one : found_) values.push_back(*one);
        return values;
    }

  private:
    void add(const std::vector<const RtpStream*>& streams) {
        found_.insert(found_.end(), streams.begin(), streams.end());
    }

    void add_ends(const MediaDescription& media) {
        if (media.rtcp) add(streams_.to(*media.rtcp, first_, last_));
        if (!media.rtp) return;
        add(streams_.from(*media.rtp, first_, last_));
        const auto towards = streams_.to(*media.rtp, first_, last_);
        add(towards);
        for (const RtpStream* one : towards) add(streams_.to(one->source, first_, last_));
    }

    /// From where a party is to the candidates of the other one that it was shown.
    void add_between(End sender) {
        const SessionDescription* own = call_.written(sender);
        const SessionDescription* shown = call_.delivered(other(sender));
        if (shown == nullptr) return;
        const auto& visible = sender == End::caller ? call_.caller_source : call_.callee_source;
        for (std::size_t i = 0; i < shown->streams.size(); ++i) {
            std::vector<IpAddress> senders;
            if (own != nullptr && i < own->streams.size()) senders = own->streams[i].candidates;
            if (visible) senders.push_back(visible->address);
            for (const IpAddress& candidate : shown->streams[i].candidates) {
                for (const IpAddress& from : senders) add(streams_.between(from, candidate, first_, last_));
            }
        }
    }

    const diagnose::Call& call_;
    const RtpStreams& streams_;
    std::int64_t first_, last_;
    std::vector<const RtpStream*> found_;
};

}  // namespace

diagnose::CallFacts facts_of(const diagnose::Call& call, const RtpStreams& streams, const nat::Networks& networks) {
    return {.call = call, .rtp = Collector(call, streams).run(), .networks = networks};
}

}  // namespace natkit::explain
