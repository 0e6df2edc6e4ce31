#include "natkit/engine/explain/rtp_streams.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace natkit::explain {
namespace {

constexpr std::size_t most_streams = 65'536;
constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t pause = 60 * second;
constexpr std::int64_t short_pause = 2 * second;
constexpr std::int64_t keep = 120 * second;
constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

using Bytes = std::span<const std::uint8_t>;

std::uint32_t get32(Bytes bytes, std::size_t at) {
    return static_cast<std::uint32_t>(bytes[at]) << 24 | static_cast<std::uint32_t>(bytes[at + 1]) << 16 |
           static_cast<std::uint32_t>(bytes[at + 2]) << 8 | bytes[at + 3];
}

/// RFC 3550 section 6.4: sender and receiver reports of a compound packet.
void read_reports(Bytes bytes, RtpStream& stream) {
    while (bytes.size() >= 8) {
        const std::size_t length = (std::size_t{bytes[2]} << 8 | bytes[3]) * 4 + 4;
        if (length > bytes.size()) return;
        const std::uint8_t type = bytes[1];
        const std::size_t blocks = type == 200 ? 28 : 8;
        if (type == 200 && length >= 28) stream.reported_sent = get32(bytes, 20);
        const unsigned count = bytes[0] & 31U;
        if ((type == 200 || type == 201) && count > 0 && length >= blocks + 24)
            stream.reported_loss = bytes[blocks + 4] * 100U / 256U;
        bytes = bytes.subspan(length);
    }
}

template <class Heads, class Key>
const std::uint32_t* find(const Heads& heads, const Key& key) {
    const auto found = heads.find(key);
    return found == heads.end() ? nullptr : &found->second;
}

bool is_rtcp(Bytes bytes) {
    return bytes.size() >= 8 && (bytes[0] & 0xc0U) == 0x80 && bytes[1] >= 192 && bytes[1] <= 223;  // RFC 5761 section 4
}

bool is_rtp(Bytes bytes) {
    return bytes.size() >= 12 && (bytes[0] & 0xc0U) == 0x80 && !is_rtcp(bytes);
}

}  // namespace

void RtpStreams::on_packet(const Endpoint& source, const Endpoint& destination, std::int64_t time_ns, Bytes payload) {
    if (payload.empty() || source.port < 1024 || destination.port < 1024) return;
    const bool rtcp = is_rtcp(payload);
    const bool rtp = is_rtp(payload);
    const auto sender = rtp ? std::optional(get32(payload, 8)) : rtcp ? std::optional(get32(payload, 4)) : std::nullopt;
    Counted& stream = stream_for(source, destination, time_ns, sender);
    stream.last_ns = std::max(stream.last_ns, time_ns);
    if (sender) stream.sender = sender;
    if (rtcp) {
        ++stream.rtcp;
        read_reports(payload, stream);
    } else if (rtp) {
        read_rtp(payload, stream);
    } else if (payload.size() >= 20 && payload[0] < 4 && get32(payload, 4) == 0x2112a442) {
        ++stream.stun;
    } else {
        ++stream.others;
    }
}

void RtpStreams::read_rtp(Bytes bytes, Counted& stream) {
    const auto sequence = static_cast<std::uint16_t>(bytes[2] << 8 | bytes[3]);
    const std::uint32_t ssrc = get32(bytes, 8);
    ++stream.rtp;
    if (stream.rtp == 1 || ssrc != stream.ssrc) {
        stream.ssrc = ssrc;
        stream.newest = sequence;
        stream.recent = 1;
        return;
    }
    const auto ahead = static_cast<std::int16_t>(sequence - stream.newest);
    if (ahead > 0) {
        stream.recent = ahead >= 64 ? 1 : stream.recent << ahead | 1U;
        stream.newest = sequence;
        return;
    }
    const unsigned behind = static_cast<unsigned>(-ahead);
    if (behind >= 64) return;
    const std::uint64_t bit = std::uint64_t{1} << behind;
    if ((stream.recent & bit) != 0) ++stream.repeats;
    stream.recent |= bit;
}

RtpStreams::Counted& RtpStreams::stream_for(const Endpoint& source, const Endpoint& destination, std::int64_t time_ns,
                                            std::optional<std::uint32_t> sender) {
    const Key key{.source = source, .destination = destination};
    const auto found = current_.find(key);
    if (found != current_.end()) {
        Counted& stream = streams_[found->second];
        const bool another = sender && stream.sender && *sender != *stream.sender;
        if (time_ns - stream.last_ns < (another ? short_pause : pause) && time_ns >= stream.first_ns - second)
            return stream;
    }
    if (streams_.size() >= most_streams) make_room(time_ns);
    Counted& made = streams_.emplace_back();
    made.source = source;
    made.destination = destination;
    made.first_ns = made.last_ns = time_ns;
    index(static_cast<std::uint32_t>(streams_.size() - 1));
    return made;
}

void RtpStreams::index(std::uint32_t number) {
    const RtpStream& stream = streams_[number];
    const auto put = [number](auto& heads, const auto& key) {
        const auto [head, fresh] = heads.try_emplace(key, number);
        return fresh ? none : std::exchange(head->second, number);
    };
    current_[{.source = stream.source, .destination = stream.destination}] = number;
    links_.push_back({.source = put(by_source_, stream.source),
                      .destination = put(by_destination_, stream.destination),
                      .hosts = put(by_hosts_, Key{.source = {.address = stream.source.address},
                                                  .destination = {.address = stream.destination.address}})});
}

/// Streams that are long over go, and of those that are left the quarter that was heard longest ago, if need be: so
/// this is rare however the packets come.
void RtpStreams::make_room(std::int64_t now_ns) {
    std::erase_if(streams_, [&](const RtpStream& stream) {
        return stream.last_ns < now_ns - keep || stream.first_ns > now_ns + keep;
    });
    if (streams_.size() > most_streams / 4 * 3) {
        std::vector<std::int64_t> times;
        times.reserve(streams_.size());
        for (const RtpStream& stream : streams_) times.push_back(stream.last_ns);
        const auto quarter = times.begin() + most_streams / 4;
        std::ranges::nth_element(times, quarter);
        std::size_t spare = most_streams / 4;  // of many with the same time, no more than that
        std::erase_if(streams_, [&](const RtpStream& stream) {
            if (spare == 0 || stream.last_ns > *quarter) return false;
            --spare;
            return true;
        });
    }
    current_.clear();
    by_source_.clear();
    by_destination_.clear();
    by_hosts_.clear();
    links_.clear();
    for (std::uint32_t number = 0; number < streams_.size(); ++number) index(number);
}

std::vector<const RtpStream*> RtpStreams::chain(const std::uint32_t* head, std::uint32_t Links::* next,
                                                std::int64_t first_ns, std::int64_t last_ns) const {
    std::vector<const RtpStream*> found;
    for (std::uint32_t number = head == nullptr ? none : *head; number != none; number = links_[number].*next) {
        const RtpStream& stream = streams_[number];
        if (stream.first_ns <= last_ns && stream.last_ns >= first_ns) found.push_back(&stream);
    }
    std::ranges::reverse(found);
    return found;
}

std::vector<const RtpStream*> RtpStreams::to(const Endpoint& endpoint, std::int64_t first_ns,
                                             std::int64_t last_ns) const {
    return chain(find(by_destination_, endpoint), &Links::destination, first_ns, last_ns);
}

std::vector<const RtpStream*> RtpStreams::from(const Endpoint& endpoint, std::int64_t first_ns,
                                               std::int64_t last_ns) const {
    return chain(find(by_source_, endpoint), &Links::source, first_ns, last_ns);
}

std::vector<const RtpStream*> RtpStreams::between(const IpAddress& source, const IpAddress& destination,
                                                  std::int64_t first_ns, std::int64_t last_ns) const {
    const Key hosts{.source = {.address = source}, .destination = {.address = destination}};
    return chain(find(by_hosts_, hosts), &Links::hosts, first_ns, last_ns);
}

std::vector<const RtpStream*> RtpStreams::repeating(std::uint64_t least) const {
    std::vector<const RtpStream*> found;
    for (const RtpStream& stream : streams_) {
        if (stream.repeats >= least && stream.circles()) found.push_back(&stream);
    }
    return found;
}

}  // namespace natkit::explain
