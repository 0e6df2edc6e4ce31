#include "natkit/diagnose/case.hpp"

#include <algorithm>

namespace natkit::diagnose {
namespace {

const MediaDescription* stream_of(const SessionDescription* description, std::size_t i) {
    return description != nullptr && i < description->streams.size() ? &description->streams[i] : nullptr;
}

Described described(const Call& call, End end, std::size_t i) {
    return {.written = stream_of(call.written(end), i), .delivered = stream_of(call.delivered(end), i)};
}

bool rejected(const MediaDescription* description) {
    return description != nullptr && description->rejected;
}

}  // namespace

Case::Case(const CallFacts& facts) : facts_(facts) {
    for (const RtpStream& one : facts.rtp) {
        by_source_.push_back(&one);
        by_destination_.push_back(&one);
    }
    std::ranges::stable_sort(by_source_, {}, &RtpStream::source);
    std::ranges::stable_sort(by_destination_, {}, &RtpStream::destination);
    const SessionDescription* offer = call().written(End::caller);
    const SessionDescription* answer = call().written(End::callee);
    const std::size_t count =
        std::max(offer != nullptr ? offer->streams.size() : 0, answer != nullptr ? answer->streams.size() : 0);
    for (std::size_t i = 0; i < count; ++i) {
        Stream stream{.kind = {}, .to_callee = direction(i, End::caller), .to_caller = direction(i, End::callee)};
        const MediaDescription* offered = stream.to_callee.sender.written;
        const MediaDescription* answered = stream.to_caller.sender.written;
        const MediaDescription* any = offered != nullptr ? offered : answered;
        if (any == nullptr || rejected(offered) || rejected(answered)) continue;
        stream.kind = any->kind;
        media_seen_ = media_seen_ || stream.to_callee.traffic.sent + stream.to_caller.traffic.sent > 0;
        streams_.push_back(std::move(stream));
    }
}

MediaDirection Case::direction(std::size_t stream, End sender) const {
    MediaDirection direction{.traffic = {.from = sender},
                             .to = other(sender),
                             .sender = described(call(), sender, stream),
                             .receiver = described(call(), other(sender), stream),
                             .sent = {},
                             .arrived = {}};
    const auto& [written, delivered] = direction.receiver;
    if (delivered == nullptr || !delivered->rtp) return direction;
    Traffic& traffic = direction.traffic;
    traffic.told = delivered->rtp;
    traffic.relayed = written != nullptr && written->rtp && written->rtp != delivered->rtp;
    direction.sent = to(*delivered->rtp);
    direction.arrived = direction.sent;
    const MediaDescription* shown = direction.sender.delivered;
    if (traffic.relayed && shown != nullptr && shown->rtp) direction.arrived = from(*shown->rtp);
    traffic.sent = packets_of(direction.sent);
    traffic.arrived = packets_of(direction.arrived);
    for (const RtpStream* one : direction.sent) {
        if (one->rtp > 0 && traffic.sources.size() < 8) traffic.sources.push_back(one->source);
    }
    return direction;
}

std::vector<const RtpStream*> Case::to(const Endpoint& destination) const {
    const auto found = std::ranges::equal_range(by_destination_, destination, {}, &RtpStream::destination);
    return {found.begin(), found.end()};
}

std::vector<const RtpStream*> Case::from(const Endpoint& source) const {
    const auto found = std::ranges::equal_range(by_source_, source, {}, &RtpStream::source);
    return {found.begin(), found.end()};
}

std::vector<const RtpStream*> Case::between(const IpAddress& source, const IpAddress& destination) const {
    std::vector<const RtpStream*> found;
    for (const RtpStream* one :
         std::ranges::equal_range(by_source_, source, {}, [](const RtpStream* any) { return any->source.address; })) {
        if (one->destination.address == destination) found.push_back(one);
    }
    std::ranges::sort(found);  // they lie in a row
    return found;
}

std::optional<IpAddress> Case::visible(End end) const {
    const auto& source = end == End::caller ? call().caller_source : call().callee_source;
    return source ? std::optional(source->address) : std::nullopt;
}

bool Case::is_private(const IpAddress& address) const {
    return facts_.networks.nated.contains(address) || facts_.networks.lan.contains(address);
}

std::uint64_t packets_of(const std::vector<const RtpStream*>& streams) {
    std::uint64_t count = 0;
    for (const RtpStream* stream : streams) {
        const bool again = std::ranges::any_of(streams, [&](const RtpStream* another) {
            const bool overlap = another->first_ns <= stream->last_ns && stream->first_ns <= another->last_ns;
            const bool first = another->rtp > stream->rtp || (another->rtp == stream->rtp && another < stream);
            return another != stream && another->ssrc == stream->ssrc && another->destination == stream->destination &&
                   overlap && first && stream->rtp > 0;
        });
        if (!again) count += stream->distinct();
    }
    return count;
}

}  // namespace natkit::diagnose
