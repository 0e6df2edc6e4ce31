#include "natkit/engine/explain/rtp_streams.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "natkit/base/octets.hpp"
#include "natkit/rtp/statistics.hpp"

namespace natkit::explain {
namespace {

constexpr std::size_t most_streams = 65'536;
constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t pause = 60 * second;
constexpr std::int64_t keep = 120 * second;
constexpr unsigned most_looked_at = 1024;  ///< of one endpoint, one source or one pair of hosts: the newest
constexpr std::size_t most_slots_of_one = 128;
constexpr std::size_t most_slots = 4'000'000;
constexpr std::size_t most_payload_types = 6;
constexpr std::size_t header = 12;  ///< of RTP, RFC 3550 section 5.1
constexpr int longest_gap = 3000;   ///< RFC 3550 appendix A.1: more is another beginning
constexpr std::size_t least_cells = 64;

using Bytes = std::span<const std::uint8_t>;

void read_report(Bytes block, RtpStream& stream) {
    stream.reported_of = get32(block, 0);
    stream.reported_loss = block[4] * 100U / 256U;
    stream.reported_highest = get32(block, 8);
    stream.reported_jitter = get32(block, 12);
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
            read_report(bytes.subspan(blocks), stream);
        bytes = bytes.subspan(length);
    }
}

/// A check has a user name, which a question for one's own address has not; USE-CANDIDATE nominates (RFC 8445 section
/// 7.1.2).
void read_stun(Bytes bytes, RtpStream& stream, std::uint64_t frame) {
    constexpr unsigned request = 0x0001, success = 0x0101, failure = 0x0111, username = 0x0006, use_candidate = 0x0025;
    const unsigned type = static_cast<unsigned>(bytes[0]) << 8U | bytes[1];
    ++stream.stun;
    if (type == success) ++stream.check_answers;
    if (type == failure) ++stream.check_refusals;
    if (type != request) return;
    bool check = false, nominates = false;
    for (std::size_t at = 20; at + 4 <= bytes.size();) {
        const unsigned attribute = static_cast<unsigned>(bytes[at]) << 8U | bytes[at + 1];
        const std::size_t length = std::size_t{bytes[at + 2]} << 8U | bytes[at + 3];
        check = check || attribute == username;
        nominates = nominates || attribute == use_candidate;
        at += 4 + (length + 3) / 4 * 4;
    }
    if (!check) return;
    ++stream.checks;
    if (nominates && stream.nominated_frame == 0) stream.nominated_frame = frame;
}

bool is_rtcp(Bytes bytes) {
    return bytes.size() >= 8 && (bytes[0] & 0xc0U) == 0x80 && bytes[1] >= 192 && bytes[1] <= 223;  // RFC 5761 section 4
}

bool is_rtp(Bytes bytes) {
    return bytes.size() >= 12 && (bytes[0] & 0xc0U) == 0x80 && !is_rtcp(bytes);
}

}  // namespace

/// That has the key, or is free. Linear probing, by the upper bits of the hash.
std::size_t RtpStreams::Newest::cell_of(const Key& key, const std::vector<Counted>& streams) const {
    const std::size_t mask = cells_.size() - 1;
    std::size_t at = (KeyHash()(key) * hash::golden >> 32U) & mask;
    while (cells_[at] != none && !(key_of_(streams[cells_[at]]) == key)) at = (at + 1) & mask;
    return at;
}

std::uint32_t RtpStreams::Newest::find(const Key& key, const std::vector<Counted>& streams) const {
    return cells_.empty() ? none : cells_[cell_of(key, streams)];
}

std::uint32_t RtpStreams::Newest::put(std::uint32_t number, const std::vector<Counted>& streams) {
    if (cells_.size() < 2 * (used_ + 1)) grow(streams);
    const std::size_t at = cell_of(key_of_(streams[number]), streams);
    if (cells_[at] == none) ++used_;
    return std::exchange(cells_[at], number);
}

void RtpStreams::Newest::grow(const std::vector<Counted>& streams) {
    const std::vector<std::uint32_t> old =
        std::exchange(cells_, std::vector<std::uint32_t>(std::max(least_cells, 2 * cells_.size()), none));
    for (const std::uint32_t number : old) {
        if (number != none) cells_[cell_of(key_of_(streams[number]), streams)] = number;
    }
}

void RtpStreams::Newest::clear() {
    cells_.clear();
    used_ = 0;
}

void RtpStreams::on_packet(std::uint64_t frame, const Endpoint& source, const Endpoint& destination,
                           std::int64_t time_ns, Bytes payload, std::uint8_t hops) {
    if (payload.empty() || source.port < 1024 || destination.port < 1024) return;
    const bool rtcp = is_rtcp(payload);
    const bool rtp = is_rtp(payload);
    const Key way{.source = source, .destination = destination};
    Counted& stream = stream_for(rtp ? Key{source, destination, get32(payload, 8)} : way, time_ns);
    stream.last_ns = std::max(stream.last_ns, time_ns);
    stream.last_frame = frame;
    if (stream.first_frame == 0) stream.first_frame = frame;
    if (rtcp) {
        ++stream.rtcp;
        stream.sender = get32(payload, 4);
        read_reports(payload, stream);
    } else if (rtp) {
        read_rtp(payload, stream, frame, time_ns);
        if (hops != 0) {
            stream.most_hops = std::max(stream.most_hops, hops);
            stream.least_hops = stream.least_hops == 0 ? hops : std::min(stream.least_hops, hops);
        }
    } else if (rtp::is_stun(payload)) {
        read_stun(payload, stream, frame);
    } else {
        ++stream.others;
    }
}

void RtpStreams::read_rtp(Bytes bytes, Counted& stream, std::uint64_t frame, std::int64_t time_ns) {
    const auto sequence = get16(bytes, 2);
    const std::uint8_t number = bytes[1] & 0x7fU;
    stream.ssrc = get32(bytes, 8);
    stream.sender = stream.ssrc;
    ++stream.rtp;
    const auto ahead = static_cast<std::int16_t>(sequence - stream.newest);
    const std::uint16_t before = std::exchange(stream.before, sequence);
    // One old number may come by again; two in a row are a sender that counts anew (RFC 3550 appendix A.1).
    const bool anew = ahead <= -64 && sequence == static_cast<std::uint16_t>(before + 1);
    const bool returns = stream.left && sequence == static_cast<std::uint16_t>(*stream.left + 1);
    if (anew) stream.left = stream.newest;
    if (returns) stream.left.reset();
    if (stream.rtp == 1 || ahead > longest_gap || ahead < -longest_gap || anew) {
        if (stream.rtp == 1) stream.first_sequence = sequence;
        stream.newest = sequence;
        stream.recent = 1;
    } else if (ahead > 0) {
        // Numbers that go on in a silence are not lost packets.
        const bool silent = time_ns - stream.last_rtp_ns > second / 2;
        stream.recent = ahead >= 64 ? 1 : stream.recent << ahead | 1U;
        stream.newest = sequence;
        if (!silent && !returns && ahead > 1) {
            stream.missing += static_cast<std::uint32_t>(ahead - 1);
            ++stream.gaps;
        }
    } else if (ahead > -64) {
        const std::uint64_t bit = std::uint64_t{1} << static_cast<unsigned>(-ahead);
        const bool again = (stream.recent & bit) != 0;
        stream.recent |= bit;
        if (again) {
            ++stream.repeats;
            return;
        }
        if (stream.missing > 0) --stream.missing;  // it was late
    } else if (static_cast<std::int16_t>(sequence - stream.first_sequence) >= 0) {
        // Which of so old ones were here is not remembered: those that are missing may be late, all others were.
        if (stream.missing == 0) {
            ++stream.repeats;
            return;
        }
        --stream.missing;
    }
    stream.last_rtp_ns = time_ns;
    measure(stream, number, get32(bytes, 4), time_ns);
    count(stream, time_ns);
    auto& types = stream.payload_types;
    auto known = std::ranges::find(types, number, &RtpStream::PayloadType::number);
    if (known == types.end()) {
        if (types.size() >= most_payload_types) return;
        known = types.insert(types.end(), {.number = number, .packets = 0, .first_frame = frame});
    }
    ++known->packets;
    known->last_ns = time_ns;
    if (bytes.size() <= header) ++known->empty;
}

/// RFC 3550 section 6.4.1, for packets of the first payload type: key presses repeat a time stamp. Where the clock is
/// not known it is told by how time stamps go on.
void RtpStreams::measure(Counted& stream, std::uint8_t number, std::uint32_t stamp, std::int64_t time_ns) {
    Jitter& jitter = stream.jitter;
    const bool first = stream.payload_types.empty();
    if (!first && stream.payload_types.front().number != number) return;
    const auto now_us = static_cast<std::uint32_t>(time_ns / 1000);
    const std::uint32_t apart_us = first ? 0 : now_us - jitter.last_us, units = stamp - jitter.stamp;
    if (jitter.clock == 0) jitter.clock = rtp::static_clock_rate(number);
    if (jitter.clock == 0 && !first) {
        if (apart_us < 500'000) return;  // too short to tell
        if (apart_us < 2'000'000) jitter.clock = rtp::usual_clock_rate(units * 1e6 / apart_us);
    } else if (!first) {
        const float sent_us =
            static_cast<float>(static_cast<std::int32_t>(units)) * 1e6F / static_cast<float>(jitter.clock);
        const float off = std::abs(static_cast<float>(apart_us) - sent_us);
        if (off < 1e6F) jitter.us += (off - jitter.us) / 16;  // more: another beginning
    }
    jitter.last_us = now_us;
    jitter.stamp = stamp;
}

/// The slots of a stream get wider as it gets longer.
void RtpStreams::count(Counted& stream, std::int64_t time_ns) {
    auto slot = static_cast<std::size_t>(std::max<std::int64_t>(time_ns - stream.first_ns, 0) / stream.slot_ns);
    while (slot >= most_slots_of_one) {
        for (std::size_t i = 0; i + 1 < stream.slots.size(); i += 2)
            stream.slots[i / 2] = static_cast<std::uint16_t>(std::min(stream.slots[i] + stream.slots[i + 1], 0xffff));
        if (stream.slots.size() % 2 == 1) stream.slots[stream.slots.size() / 2] = stream.slots.back();
        for (std::size_t i = 0; i + 1 < stream.jitters.size(); i += 2)
            stream.jitters[i / 2] = std::max(stream.jitters[i], stream.jitters[i + 1]);
        if (stream.jitters.size() % 2 == 1) stream.jitters[stream.jitters.size() / 2] = stream.jitters.back();
        slots_ -= stream.slots.size() / 2;
        stream.jitters.resize((stream.jitters.size() + 1) / 2);
        stream.slots.resize((stream.slots.size() + 1) / 2);
        stream.slot_ns *= 2;
        slot /= 2;
    }
    if (slot >= stream.slots.size()) {
        if (slots_ + slot >= most_slots) return;
        slots_ += slot + 1 - stream.slots.size();
        stream.slots.resize(slot + 1);
    }
    if (stream.jitter.us > 0) {
        stream.jitters.resize(stream.slots.size());
        stream.jitters[slot] = static_cast<std::uint16_t>(std::min(stream.jitter.us / 100, 65535.0F));
    }
    if (stream.slots[slot] != 0xffff) ++stream.slots[slot];
}

/// What is no RTP goes to the stream that its way had last; RTP takes over what was there before it.
RtpStreams::Counted& RtpStreams::stream_for(const Key& key, std::int64_t time_ns) {
    const auto young = [&](const Counted& stream) {
        return time_ns - stream.last_ns < pause && time_ns >= stream.first_ns - second;
    };
    const Key way{.source = key.source, .destination = key.destination};
    if (const std::uint32_t found = (key.ssrc != 0 ? by_media_ : by_way_).find(key, streams_); found != none) {
        if (Counted& stream = streams_[found]; young(stream)) return stream;
    }
    if (const std::uint32_t last = by_way_.find(way, streams_); key.ssrc != 0 && last != none) {
        Counted& stream = streams_[last];
        if (stream.rtp == 0 && young(stream)) {
            stream.ssrc = key.ssrc;
            links_[last].ssrc = by_ssrc_.put(last, streams_);
            by_media_.put(last, streams_);
            return stream;
        }
    }
    if (streams_.size() >= most_streams) make_room(time_ns);
    Counted& made = streams_.emplace_back();
    made.source = key.source;
    made.destination = key.destination;
    made.ssrc = key.ssrc;
    made.first_ns = made.last_ns = time_ns;
    index(static_cast<std::uint32_t>(streams_.size() - 1));
    return made;
}

void RtpStreams::index(std::uint32_t number) {
    const bool rtp = streams_[number].ssrc != 0;
    if (rtp) by_media_.put(number, streams_);
    by_way_.put(number, streams_);
    links_.push_back({.source = by_source_.put(number, streams_),
                      .destination = by_destination_.put(number, streams_),
                      .hosts = by_hosts_.put(number, streams_),
                      .ssrc = rtp ? by_ssrc_.put(number, streams_) : none});
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
    by_media_.clear();
    by_way_.clear();
    by_source_.clear();
    by_destination_.clear();
    by_hosts_.clear();
    by_ssrc_.clear();
    links_.clear();
    slots_ = 0;
    for (const RtpStream& stream : streams_) slots_ += stream.slots.size();
    for (std::uint32_t number = 0; number < streams_.size(); ++number) index(number);
}

std::vector<const RtpStream*> RtpStreams::chain(std::uint32_t head, std::uint32_t Links::* next, std::int64_t first_ns,
                                                std::int64_t last_ns) const {
    std::vector<const RtpStream*> found;
    unsigned looked_at = 0;
    for (std::uint32_t number = head; number != none && looked_at < most_looked_at;
         number = links_[number].*next, ++looked_at) {
        const RtpStream& stream = streams_[number];
        if (stream.first_ns <= last_ns && stream.last_ns >= first_ns) found.push_back(&stream);
    }
    std::ranges::reverse(found);
    return found;
}

std::vector<const RtpStream*> RtpStreams::to(const Endpoint& endpoint, std::int64_t first_ns,
                                             std::int64_t last_ns) const {
    return chain(by_destination_.find({.destination = endpoint}, streams_), &Links::destination, first_ns, last_ns);
}

std::vector<const RtpStream*> RtpStreams::from(const Endpoint& endpoint, std::int64_t first_ns,
                                               std::int64_t last_ns) const {
    return chain(by_source_.find({.source = endpoint}, streams_), &Links::source, first_ns, last_ns);
}

std::vector<const RtpStream*> RtpStreams::between(const IpAddress& source, const IpAddress& destination,
                                                  std::int64_t first_ns, std::int64_t last_ns) const {
    const Key hosts{.source = {.address = source}, .destination = {.address = destination}};
    return chain(by_hosts_.find(hosts, streams_), &Links::hosts, first_ns, last_ns);
}

std::vector<const RtpStream*> RtpStreams::of_source(std::uint32_t ssrc, std::int64_t first_ns,
                                                    std::int64_t last_ns) const {
    return chain(by_ssrc_.find({.ssrc = ssrc}, streams_), &Links::ssrc, first_ns, last_ns);
}

std::vector<const RtpStream*> RtpStreams::repeating(std::uint64_t least) const {
    std::vector<const RtpStream*> found;
    for (const RtpStream& stream : streams_) {
        if (stream.repeats >= least && stream.circles()) found.push_back(&stream);
    }
    return found;
}

}  // namespace natkit::explain
