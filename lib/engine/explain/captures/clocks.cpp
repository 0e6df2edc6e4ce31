#include "natkit/engine/explain/captures/clocks.hpp"

#include <algorithm>
#include <map>
#include <span>

#include "natkit/base/hash.hpp"
#include "natkit/engine/explain/captures/capture_messages.hpp"
#include "natkit/engine/explain/input.hpp"
#include "natkit/engine/explain/message_facts.hpp"

namespace natkit::explain {
namespace {

constexpr std::size_t most_packets = 131'072;
constexpr std::size_t least_common = 3;
constexpr std::int64_t agreeing_ns = 1'000'000'000;
constexpr std::int64_t longest_way_ns = 250'000'000;  ///< less than T1 (RFC 3261): what is more was sent again
constexpr std::size_t least_of_drift = 16;            ///< packets of one sender
constexpr std::int64_t least_time_of_drift_ns = 45'000'000'000;
constexpr double most_drift = 0.0005;    ///< more is no clock
constexpr std::uint64_t rtp_sample = 8;  ///< one RTP packet of so many, the same in each capture

std::int64_t median(std::vector<std::int64_t>& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    return *middle;
}

/// One packet that another capture may have too.
struct Fingerprint {
    std::uint64_t packet = 0, sender = 0;
    std::int64_t time_ns = 0;
};

std::uint64_t number_of(const sip::Message& message) {
    std::uint64_t number = hash::fnv(hash::fnv_basis, message.call_id());
    number = hash::fnv(number, message.value(sip::Name::cseq));
    return hash::fnv(number, message.is_request() ? message.method() : std::to_string(message.status()));
}

std::uint64_t number_of(const IpAddress& address) {
    std::uint64_t number = hash::fnv_basis;
    for (const std::uint8_t byte : address.bytes()) number = hash::fnv(number, byte);
    return number;
}

/// All RTP packets are numbered alike; one in eight by that number counts.
std::optional<Fingerprint> fingerprint(const CapturedMedia& media) {
    const auto bytes = media.payload;
    const bool rtp = bytes.size() >= 12 && (bytes[0] & 0xc0U) == 0x80 && (bytes[1] < 192 || bytes[1] > 223);
    if (!rtp) return std::nullopt;
    std::uint64_t number = hash::fnv_basis;
    for (std::size_t i = 2; i < 12; ++i) number = hash::fnv(number, bytes[i]);
    number = hash::mix(number);
    if (number % rtp_sample != 0) return std::nullopt;
    std::uint64_t ssrc = hash::fnv_basis;
    for (std::size_t i = 8; i < 12; ++i) ssrc = hash::fnv(ssrc, bytes[i]);
    return Fingerprint{.packet = number, .sender = ssrc, .time_ns = media.seen.time_ns};
}

bool is_capture(const std::string& path) {
    auto source = capture::ByteSource::open(path);
    if (!source || !source->progress()) return false;  // a pipe can be read only once
    const auto head = source->peek(64);
    return head && recognise(*head) == InputKind::capture;
}

std::vector<Fingerprint> fingerprints_of(const std::string& path) {
    std::vector<Fingerprint> found;
    auto source = capture::ByteSource::open(path);
    if (!source) return found;
    auto packets = capture::PacketReader::open(*std::move(source));
    if (!packets) return found;
    const auto add = [&](const Fingerprint& one) {
        if (found.size() < most_packets && one.time_ns != 0) found.push_back(one);
    };
    CaptureEvents events;
    events.on_media = [&](const CapturedMedia& media) {
        if (const auto one = fingerprint(media)) add(*one);
    };
    CaptureMessages messages(
        [&](CapturedMessage&& captured) {
            const auto message = parse_leniently(captured.bytes);
            if (!message || message->call_id().empty()) return;
            add({.packet = number_of(*message),
                 .sender = number_of(captured.source.address),
                 .time_ns = captured.seen.time_ns});
        },
        events);
    for (auto packet = packets->next(); packet && *packet && found.size() < most_packets; packet = packets->next())
        messages.on_packet(**packet);
    messages.finish();
    return found;
}

/// A group while it is found: what its captures have, by the clock of the first.
struct Growing {
    CaptureGroup files;
    std::vector<Fingerprint> packets;
};

std::optional<ClockMatch::Offset> match(const Growing& group, const std::vector<Fingerprint>& packets) {
    ClockMatch clocks;
    for (const Fingerprint& one : group.packets) clocks.add_reference(one.packet, one.sender, one.time_ns);
    for (const Fingerprint& one : packets) clocks.add(one.packet, one.time_ns);
    return clocks.offset();
}

void add_to(Growing& group, const std::string& path, std::vector<Fingerprint> packets, ClockMatch::Offset offset) {
    group.files.push_back({.path = path, .clock = offset});
    for (Fingerprint& one : packets) one.time_ns = offset.corrected(one.time_ns);
    const std::size_t room = most_packets - std::min(most_packets, group.packets.size());
    packets.resize(std::min(packets.size(), room));
    group.packets.insert(group.packets.end(), packets.begin(), packets.end());
}

}  // namespace

/// What is sent again counts where it was seen first.
void ClockMatch::add_reference(std::uint64_t packet, std::uint64_t sender, std::int64_t time_ns) {
    if (reference_.size() < most_packets) reference_.try_emplace(packet, Seen{.sender = sender, .time_ns = time_ns});
}

void ClockMatch::add(std::uint64_t packet, std::int64_t time_ns) {
    if (other_.size() < most_packets) other_.try_emplace(packet, time_ns);
}

/// Of each sender's packets the first quarter is compared with the last; in the middle of what the senders say, those
/// that are there longest.
double ClockMatch::rate_of(const std::vector<Pair>& pairs) {
    std::map<std::uint64_t, std::vector<Pair>> by_sender;
    for (const Pair& one : pairs) by_sender[one.sender].push_back(one);
    std::int64_t longest_ns = 0;
    std::vector<std::pair<std::int64_t, double>> rates;  // with the time that each was there
    for (auto& [sender, own] : by_sender) {
        if (own.size() < least_of_drift) continue;
        std::ranges::sort(own, {}, &Pair::reference_ns);
        const auto quarter = own.size() / 4;
        const auto middle = [](std::span<const Pair> part, std::int64_t Pair::* value) {
            std::vector<std::int64_t> values;
            for (const Pair& one : part) values.push_back(one.*value);
            return median(values);
        };
        const std::span<const Pair> early(own.data(), quarter), late(own.data() + own.size() - quarter, quarter);
        const std::int64_t time_ns = middle(late, &Pair::reference_ns) - middle(early, &Pair::reference_ns);
        if (time_ns < least_time_of_drift_ns) continue;
        const std::int64_t gained_ns = middle(late, &Pair::offset_ns) - middle(early, &Pair::offset_ns);
        const double rate = static_cast<double>(gained_ns) / static_cast<double>(time_ns);
        if (rate > most_drift || rate < -most_drift) continue;
        longest_ns = std::max(longest_ns, time_ns);
        rates.emplace_back(time_ns, rate);
    }
    std::erase_if(rates, [&](const auto& one) { return one.first < longest_ns / 2; });
    if (rates.empty()) return 0;
    std::ranges::sort(rates, {}, &std::pair<std::int64_t, double>::second);
    const std::size_t middle = rates.size() / 2;
    return rates.size() % 2 == 1 ? rates[middle].second : (rates[middle - 1].second + rates[middle].second) / 2;
}

std::optional<ClockMatch::Offset> ClockMatch::offset() const {
    std::vector<Pair> pairs;
    for (const auto& [packet, time_ns] : other_) {
        const auto found = reference_.find(packet);
        if (found == reference_.end()) continue;
        pairs.push_back({.sender = found->second.sender,
                         .reference_ns = found->second.time_ns,
                         .offset_ns = time_ns - found->second.time_ns});
    }
    if (pairs.size() < least_common) return std::nullopt;
    const double rate = rate_of(pairs);
    const std::int64_t start_ns = std::ranges::min_element(pairs, {}, &Pair::reference_ns)->reference_ns;
    std::vector<std::int64_t> all;
    std::map<std::uint64_t, std::vector<std::int64_t>> by_sender;
    for (const Pair& one : pairs) {
        const auto drift = static_cast<std::int64_t>(rate * static_cast<double>(one.reference_ns - start_ns));
        all.push_back(one.offset_ns - drift);
        by_sender[one.sender].push_back(all.back());
    }
    const std::int64_t middle = median(all);
    const auto within = [&](std::int64_t one, std::int64_t far) { return one - middle < far && middle - one < far; };
    const auto agreeing = static_cast<std::size_t>(
        std::ranges::count_if(all, [&](std::int64_t one) { return within(one, agreeing_ns); }));
    if (agreeing < least_common || agreeing * 10 < all.size() * 6) return std::nullopt;
    std::optional<std::int64_t> least, most;
    for (auto& [sender, offsets] : by_sender) {
        const std::int64_t one = median(offsets);
        if (!within(one, longest_way_ns)) continue;
        least = std::min(least.value_or(one), one);
        most = std::max(most.value_or(one), one);
    }
    const std::int64_t ns = least ? *least + (*most - *least) / 2 : middle;
    return Offset{.ns = ns, .packets = agreeing, .rate = rate, .from_ns = start_ns + ns};
}

std::vector<CaptureGroup> group_captures(const std::vector<std::string>& files) {
    std::vector<Growing> groups;
    for (const std::string& path : files) {
        auto packets = is_capture(path) ? fingerprints_of(path) : std::vector<Fingerprint>();
        std::optional<ClockMatch::Offset> offset;
        const auto group = std::ranges::find_if(groups, [&](const Growing& one) {
            offset = match(one, packets);
            return offset.has_value();
        });
        if (group != groups.end()) {
            add_to(*group, path, std::move(packets), *offset);
        } else {
            groups.push_back({.files = {{.path = path}}, .packets = std::move(packets)});
        }
    }
    std::vector<CaptureGroup> found;
    found.reserve(groups.size());
    for (Growing& group : groups) found.push_back(std::move(group.files));
    return found;
}

}  // namespace natkit::explain
