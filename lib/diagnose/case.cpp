#include "natkit/diagnose/case.hpp"

#include <algorithm>

namespace natkit::diagnose {
namespace {

/// A BYE ends the media; where there is none, its last packet does, or the last message.
std::int64_t end_of(const CallFacts& facts) {
    const Call& call = facts.call;
    std::int64_t end = call.last_ns;
    for (const RtpStream& stream : facts.rtp) end = std::max(end, stream.last_ns);
    for (const Request& one : call.requests) {
        const bool ours = call.callee_tag.empty() || one.tag.empty() || one.tag == call.callee_tag;
        if (one.method == "BYE" && ours) end = std::min(end, one.first_ns);
    }
    return end;
}

const MediaDescription* last(const std::vector<Phase>& phases, End party, std::size_t line, bool written) {
    if (phases.empty()) return nullptr;
    return written ? phases.back().written_by(party, line) : phases.back().delivered_of(party, line);
}

std::size_t lines_of(const std::vector<Phase>& phases) {
    std::size_t count = 0;
    for (const Phase& phase : phases) {
        for (const SessionDescription* one : phase.written) {
            if (one != nullptr) count = std::max(count, one->streams.size());
        }
    }
    return count;
}

/// As the description of who receives it has it, else that of who sends it; null: neither.
const Format* format_of(const MediaDirection& direction, std::uint8_t number) {
    for (const MediaDescription* media : {direction.receiver_delivered, direction.sender_written}) {
        if (media == nullptr) continue;
        const auto found = std::ranges::find(media->formats, number, &Format::number);
        if (found != media->formats.end() && !found->name.empty()) return &*found;
    }
    return nullptr;
}

/// Of streams in a time, the most.
std::optional<double> jitter_of(const std::vector<const RtpStream*>& streams, std::int64_t from_ns,
                                std::int64_t to_ns) {
    constexpr std::uint64_t enough = 25;
    std::optional<double> most;
    for (const RtpStream* stream : streams) {
        if (stream->packets_in(from_ns, to_ns) < enough) continue;
        const auto jitter = stream->jitter_in(from_ns, to_ns);
        if (jitter && (!most || *jitter > *most)) most = jitter;
    }
    return most;
}

/// What its receiver says (RTCP). `clock`: units of its time stamps in a second.
void note_reports(const CallFacts& facts, std::uint32_t clock, Traffic& traffic) {
    std::int64_t last_ns = 0;
    for (const RtpStream& stream : facts.rtp) {
        const bool about = std::ranges::find(traffic.ssrcs, stream.reported_of) != traffic.ssrcs.end();
        if (!about || !stream.reported_loss || stream.last_ns < last_ns) continue;
        last_ns = stream.last_ns;
        traffic.reported_loss = stream.reported_loss;
        traffic.reported_jitter_ms = stream.reported_jitter * 1000.0 / clock;
    }
}

/// The clock of its codec.
std::uint32_t note_sources(MediaDirection& direction) {
    Traffic& traffic = direction.traffic;
    std::uint64_t most = 0;
    std::uint32_t clock = 8000;
    for (const Path* path : direction.paths) {
        const RtpStream& stream = *path->stream;
        const bool known = std::ranges::find(traffic.ssrcs, stream.ssrc) != traffic.ssrcs.end();
        if (!known && traffic.ssrcs.size() < 8) traffic.ssrcs.push_back(stream.ssrc);
        for (const RtpStream::PayloadType& type : stream.payload_types) {
            if (type.packets <= most) continue;
            most = type.packets;
            const Format* format = format_of(direction, type.number);
            traffic.codec = format != nullptr ? format->name : std::string();
            if (format != nullptr && format->clock > 0) clock = format->clock;
        }
    }
    return clock;
}

}  // namespace

bool meant(const Phase& phase, std::size_t line, End from) {
    const MediaDescription* sender = phase.written_by(from, line);
    const MediaDescription* receiver = phase.written_by(other(from), line);
    if (sender == nullptr || receiver == nullptr || sender->rejected || receiver->rejected) return false;
    const auto held = [](const MediaDescription& one) { return one.rtp && one.rtp->address.is_unspecified(); };
    return sdp::sends(sender->direction) && sdp::receives(receiver->direction) && !held(*receiver);
}

std::vector<const RtpStream*> MediaDirection::sent() const {
    std::vector<const RtpStream*> streams;
    for (const Path* path : paths) {
        if (!path->forwarded && !path->inner) streams.push_back(path->stream);
    }
    return streams;
}

std::vector<const RtpStream*> MediaDirection::forwarded() const {
    std::vector<const RtpStream*> streams;
    for (const Path* path : paths) {
        if (path->forwarded && !path->inner) streams.push_back(path->stream);
    }
    return streams;
}

Case::Case(const CallFacts& facts)
    : facts_(facts), end_ns_(end_of(facts)), phases_(phases_of(facts.call, end_ns_)), paths_(facts, phases_) {
    cut_at_moves();
    paths_.judge();
    for (std::size_t line = 0; line < lines_of(phases_); ++line) {
        const MediaDescription* offered = last(phases_, End::caller, line, true);
        const MediaDescription* answered = last(phases_, End::callee, line, true);
        const MediaDescription* any = offered != nullptr ? offered : answered;
        if (any == nullptr || (offered != nullptr && offered->rejected) || (answered != nullptr && answered->rejected))
            continue;
        Stream stream{
            .kind = any->kind, .to_callee = direction(line, End::caller), .to_caller = direction(line, End::callee)};
        find_dead(stream.to_callee, stream.to_caller);
        find_dead(stream.to_caller, stream.to_callee);
        streams_.push_back(std::move(stream));
    }
}

/// The same source (SSRC) goes on from another port of the same host: its NAT has given it another mapping.
void Case::cut_at_moves() {
    constexpr std::uint64_t enough = 10;
    constexpr std::int64_t least = second_ns / 2;
    for (const End party : {End::caller, End::callee}) {
        const auto own = paths_.sent_by(party);
        for (const RtpStream* now : own) {
            const bool moved = now->rtp >= enough && std::ranges::any_of(own, [&](const RtpStream* before) {
                                   return before->ssrc == now->ssrc && before->source.port != now->source.port &&
                                          before->rtp >= enough && before->last_ns < now->first_ns + second_ns / 5 &&
                                          before->source.address == now->source.address &&
                                          before->destination == now->destination;
                               });
            if (!moved) continue;
            const auto in = std::ranges::find_if(phases_, [&](const Phase& phase) {
                return phase.from_ns + least < now->first_ns && now->first_ns + least < phase.to_ns;
            });
            if (in == phases_.end() || phases_.size() >= 128) continue;
            Phase rest = *in;
            in->to_ns = rest.from_ns = now->first_ns;
            rest.moved = party;
            rest.moved_frame = now->first_frame;
            phases_.insert(in + 1, rest);
        }
    }
}

MediaDirection Case::direction(std::size_t line, End from) const {
    MediaDirection direction{.from = from, .to = other(from), .line = line, .traffic = {.from = from}};
    direction.sender_written = last(phases_, from, line, true);
    direction.sender_delivered = last(phases_, from, line, false);
    direction.receiver_written = last(phases_, direction.to, line, true);
    direction.receiver_delivered = last(phases_, direction.to, line, false);
    for (const Path& path : paths_.all()) {
        if (path.from == from && path.line == line) direction.paths.push_back(&path);
    }
    Traffic& traffic = direction.traffic;
    if (const MediaDescription* told = direction.receiver_delivered; told != nullptr && told->rtp) {
        traffic.told = told->rtp;
        const MediaDescription* own = direction.receiver_written;
        traffic.relayed = own != nullptr && own->rtp && own->rtp != told->rtp;
    }
    note_reports(facts_, note_sources(direction), traffic);
    for (const RtpStream* stream : direction.sent()) {
        const bool known = std::ranges::find(traffic.sources, stream->source) != traffic.sources.end();
        if (!known && traffic.sources.size() < 8) traffic.sources.push_back(stream->source);
    }
    for (const Phase& phase : phases_) {
        PhaseTraffic part{.from_ns = phase.from_ns, .to_ns = phase.to_ns, .frame = phase.frame};
        part.meant = meant(phase, line, from);
        std::vector<const RtpStream*> arrived;
        for (const Path* path : direction.paths) {
            if (paths_.reach(*path, phase) == Reach::arrives) arrived.push_back(path->stream);
        }
        for (const RtpStream* stream : arrived)
            traffic.missing = std::max<std::uint64_t>(traffic.missing, stream->missing);
        // Media may come before its answer does, and some comes after the BYE.
        const bool first = &phase == &phases_.front(), end = &phase == &phases_.back();
        const std::int64_t from_ns = first ? phase.from_ns - 60 * second_ns : phase.from_ns;
        const std::int64_t to_ns = end ? phase.to_ns + 60 * second_ns : phase.to_ns;
        part.sent =
            std::max(packets_of(direction.sent(), from_ns, to_ns), packets_of(direction.forwarded(), from_ns, to_ns));
        part.arrived = packets_of(arrived, from_ns, to_ns);
        part.jitter_ms = jitter_of(arrived, from_ns, to_ns);
        if (part.jitter_ms) traffic.jitter_ms = std::max(traffic.jitter_ms.value_or(0), *part.jitter_ms);
        traffic.arrived += part.arrived;
        direction.phases.push_back(part);
    }
    constexpr std::int64_t always = 1'000'000 * second_ns;
    const std::int64_t middle = facts_.call.first_ns;
    traffic.sent = packets_of(direction.sent(), middle - always, middle + always);
    return direction;
}

std::vector<const RtpStream*> Case::to(const Endpoint& destination) const {
    std::vector<const RtpStream*> found;
    for (const RtpStream& one : facts_.rtp) {
        if (one.destination == destination) found.push_back(&one);
    }
    return found;
}

std::vector<const RtpStream*> Case::between(const IpAddress& source, const IpAddress& destination) const {
    std::vector<const RtpStream*> found;
    for (const RtpStream& one : facts_.rtp) {
        if (one.source.address == source && one.destination.address == destination) found.push_back(&one);
    }
    return found;
}

std::optional<IpAddress> Case::visible(End party) const {
    const auto& source = party == End::caller ? call().caller_source : call().callee_source;
    return source ? std::optional(source->address) : std::nullopt;
}

double Case::at(std::int64_t time_ns) const {
    return static_cast<double>(time_ns - call().first_ns) / static_cast<double>(second_ns);
}

}  // namespace natkit::diagnose
