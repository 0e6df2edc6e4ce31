#include "natkit/engine/explain/flows.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace natkit::explain {
namespace {

constexpr std::size_t most_flows = 65'536;
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
void read_reports(Bytes bytes, MediaFlow& flow) {
    while (bytes.size() >= 8) {
        const std::size_t length = (std::size_t{bytes[2]} << 8 | bytes[3]) * 4 + 4;
        if (length > bytes.size()) return;
        const std::uint8_t type = bytes[1];
        const std::size_t blocks = type == 200 ? 28 : 8;
        if (type == 200 && length >= 28) flow.reported_sent = get32(bytes, 20);
        const unsigned count = bytes[0] & 31U;
        if ((type == 200 || type == 201) && count > 0 && length >= blocks + 24)
            flow.reported_loss = bytes[blocks + 4] * 100U / 256U;
        bytes = bytes.subspan(length);
    }
}

void read_rtp(Bytes bytes, MediaFlow& flow) {
    const auto sequence = static_cast<std::uint16_t>(bytes[2] << 8 | bytes[3]);
    const std::uint32_t ssrc = get32(bytes, 8);
    ++flow.rtp;
    if (flow.rtp == 1 || ssrc != flow.ssrc) {
        flow.ssrc = ssrc;
        flow.newest = sequence;
        flow.recent = 1;
        return;
    }
    const auto ahead = static_cast<std::int16_t>(sequence - flow.newest);
    if (ahead > 0) {
        flow.recent = ahead >= 64 ? 1 : flow.recent << ahead | 1U;
        flow.newest = sequence;
        return;
    }
    const unsigned behind = static_cast<unsigned>(-ahead);
    if (behind >= 64) return;
    const std::uint64_t bit = std::uint64_t{1} << behind;
    if ((flow.recent & bit) != 0) ++flow.repeats;
    flow.recent |= bit;
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

void FlowTable::on_packet(const Endpoint& source, const Endpoint& destination, std::int64_t time_ns, Bytes payload) {
    if (payload.empty() || source.port < 1024 || destination.port < 1024) return;
    const bool rtcp = is_rtcp(payload);
    const bool rtp = is_rtp(payload);
    const auto sender = rtp ? std::optional(get32(payload, 8)) : rtcp ? std::optional(get32(payload, 4)) : std::nullopt;
    MediaFlow* flow = flow_for(source, destination, time_ns, sender);
    flow->last_ns = std::max(flow->last_ns, time_ns);
    if (sender) flow->sender = sender;
    if (rtcp) {
        ++flow->rtcp;
        read_reports(payload, *flow);
    } else if (rtp) {
        read_rtp(payload, *flow);
    } else if (payload.size() >= 20 && payload[0] < 4 && get32(payload, 4) == 0x2112a442) {
        ++flow->stun;
    } else {
        ++flow->others;
    }
}

MediaFlow* FlowTable::flow_for(const Endpoint& source, const Endpoint& destination, std::int64_t time_ns,
                               std::optional<std::uint32_t> sender) {
    const Key key{.source = source, .destination = destination};
    const auto found = current_.find(key);
    if (found != current_.end()) {
        MediaFlow& flow = flows_[found->second];
        const bool another = sender && flow.sender && *sender != *flow.sender;
        if (time_ns - flow.last_ns < (another ? short_pause : pause) && time_ns >= flow.first_ns - second) return &flow;
    }
    if (flows_.size() >= most_flows) make_room(time_ns);
    flows_.push_back({.source = source, .destination = destination, .first_ns = time_ns, .last_ns = time_ns});
    index(static_cast<std::uint32_t>(flows_.size() - 1));
    return &flows_.back();
}

void FlowTable::index(std::uint32_t number) {
    const MediaFlow& flow = flows_[number];
    const auto put = [number](auto& heads, const auto& key) {
        const auto [head, fresh] = heads.try_emplace(key, number);
        return fresh ? none : std::exchange(head->second, number);
    };
    current_[{.source = flow.source, .destination = flow.destination}] = number;
    links_.push_back({.source = put(by_source_, flow.source),
                      .destination = put(by_destination_, flow.destination),
                      .hosts = put(by_hosts_, Key{.source = {.address = flow.source.address},
                                                  .destination = {.address = flow.destination.address}})});
}

/// Flows that are long over go, and of those that are left the quarter that was heard longest ago, if need be: so this
/// is rare however the packets come.
void FlowTable::make_room(std::int64_t now_ns) {
    std::erase_if(flows_,
                  [&](const MediaFlow& flow) { return flow.last_ns < now_ns - keep || flow.first_ns > now_ns + keep; });
    if (flows_.size() > most_flows / 4 * 3) {
        std::vector<std::int64_t> times;
        times.reserve(flows_.size());
        for (const MediaFlow& flow : flows_) times.push_back(flow.last_ns);
        const auto quarter = times.begin() + most_flows / 4;
        std::ranges::nth_element(times, quarter);
        std::size_t spare = most_flows / 4;  // of many with the same time, no more than that
        std::erase_if(flows_, [&](const MediaFlow& flow) {
            if (spare == 0 || flow.last_ns > *quarter) return false;
            --spare;
            return true;
        });
    }
    current_.clear();
    by_source_.clear();
    by_destination_.clear();
    by_hosts_.clear();
    links_.clear();
    for (std::uint32_t number = 0; number < flows_.size(); ++number) index(number);
}

std::vector<const MediaFlow*> FlowTable::chain(const std::uint32_t* head, std::uint32_t Links::* next,
                                               std::int64_t first_ns, std::int64_t last_ns) const {
    std::vector<const MediaFlow*> found;
    for (std::uint32_t number = head == nullptr ? none : *head; number != none; number = links_[number].*next) {
        const MediaFlow& flow = flows_[number];
        if (flow.first_ns <= last_ns && flow.last_ns >= first_ns) found.push_back(&flow);
    }
    std::ranges::reverse(found);
    return found;
}

std::vector<const MediaFlow*> FlowTable::to(const Endpoint& endpoint, std::int64_t first_ns,
                                            std::int64_t last_ns) const {
    return chain(find(by_destination_, endpoint), &Links::destination, first_ns, last_ns);
}

std::vector<const MediaFlow*> FlowTable::from(const Endpoint& endpoint, std::int64_t first_ns,
                                              std::int64_t last_ns) const {
    return chain(find(by_source_, endpoint), &Links::source, first_ns, last_ns);
}

std::vector<const MediaFlow*> FlowTable::between(const IpAddress& source, const IpAddress& destination,
                                                 std::int64_t first_ns, std::int64_t last_ns) const {
    const Key hosts{.source = {.address = source}, .destination = {.address = destination}};
    return chain(find(by_hosts_, hosts), &Links::hosts, first_ns, last_ns);
}

std::vector<const MediaFlow*> FlowTable::repeating(std::uint64_t least) const {
    std::vector<const MediaFlow*> found;
    for (const MediaFlow& flow : flows_) {
        if (flow.repeats >= least && flow.circles()) found.push_back(&flow);
    }
    return found;
}

}  // namespace natkit::explain
