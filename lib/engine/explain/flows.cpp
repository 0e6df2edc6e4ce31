#include "natkit/engine/explain/flows.hpp"

#include <algorithm>

namespace natkit::explain {
namespace {

constexpr std::size_t most_flows = 65'536;
constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t pause = 60 * second;
constexpr std::int64_t keep = 120 * second;

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

template <class Index>
std::vector<const MediaFlow*> find(const std::vector<MediaFlow>& flows, const Index& index, const Endpoint& endpoint,
                                   std::int64_t first_ns, std::int64_t last_ns) {
    std::vector<const MediaFlow*> found;
    const auto numbers = index.find(endpoint);
    if (numbers == index.end()) return found;
    for (const std::uint32_t number : numbers->second) {
        const MediaFlow& flow = flows[number];
        if (flow.first_ns <= last_ns && flow.last_ns >= first_ns) found.push_back(&flow);
    }
    return found;
}

}  // namespace

void FlowTable::on_packet(const Endpoint& source, const Endpoint& destination, std::int64_t time_ns, Bytes payload) {
    if (payload.empty() || source.port < 1024 || destination.port < 1024) return;
    MediaFlow* flow = flow_for(source, destination, time_ns);
    if (flow == nullptr) return;
    flow->last_ns = std::max(flow->last_ns, time_ns);
    const bool version2 = (payload[0] & 0xc0U) == 0x80;
    if (version2 && payload.size() >= 8 && payload[1] >= 192 && payload[1] <= 223) {  // RFC 5761 section 4
        ++flow->rtcp;
        read_reports(payload, *flow);
    } else if (version2 && payload.size() >= 12) {
        read_rtp(payload, *flow);
    } else if (payload.size() >= 20 && payload[0] < 4 && get32(payload, 4) == 0x2112a442) {
        ++flow->stun;
    } else {
        ++flow->others;
    }
}

MediaFlow* FlowTable::flow_for(const Endpoint& source, const Endpoint& destination, std::int64_t time_ns) {
    const Key key{.source = source, .destination = destination};
    const auto found = current_.find(key);
    if (found != current_.end()) {
        MediaFlow& flow = flows_[found->second];
        if (time_ns - flow.last_ns < pause && time_ns >= flow.first_ns - second) return &flow;
    }
    if (flows_.size() >= most_flows) forget_old(time_ns);
    if (flows_.size() >= most_flows) return nullptr;
    flows_.push_back({.source = source, .destination = destination, .first_ns = time_ns, .last_ns = time_ns});
    const auto number = static_cast<std::uint32_t>(flows_.size() - 1);
    current_[key] = number;
    index(number);
    return &flows_.back();
}

void FlowTable::index(std::uint32_t number) {
    by_source_[flows_[number].source].push_back(number);
    by_destination_[flows_[number].destination].push_back(number);
}

void FlowTable::forget_old(std::int64_t now_ns) {
    std::erase_if(flows_,
                  [&](const MediaFlow& flow) { return flow.last_ns < now_ns - keep || flow.first_ns > now_ns + keep; });
    current_.clear();
    by_source_.clear();
    by_destination_.clear();
    for (std::uint32_t number = 0; number < flows_.size(); ++number) {
        current_[{.source = flows_[number].source, .destination = flows_[number].destination}] = number;
        index(number);
    }
}

std::vector<const MediaFlow*> FlowTable::to(const Endpoint& endpoint, std::int64_t first_ns,
                                            std::int64_t last_ns) const {
    return find(flows_, by_destination_, endpoint, first_ns, last_ns);
}

std::vector<const MediaFlow*> FlowTable::from(const Endpoint& endpoint, std::int64_t first_ns,
                                              std::int64_t last_ns) const {
    return find(flows_, by_source_, endpoint, first_ns, last_ns);
}

std::vector<const MediaFlow*> FlowTable::between(const IpAddress& source, const IpAddress& destination,
                                                 std::int64_t first_ns, std::int64_t last_ns) const {
    std::vector<const MediaFlow*> found;
    for (const MediaFlow& flow : flows_) {
        if (flow.source.address == source && flow.destination.address == destination && flow.first_ns <= last_ns &&
            flow.last_ns >= first_ns) {
            found.push_back(&flow);
        }
    }
    return found;
}

std::vector<const MediaFlow*> FlowTable::repeating(std::uint64_t least) const {
    std::vector<const MediaFlow*> found;
    for (const MediaFlow& flow : flows_) {
        if (flow.repeats >= least && flow.repeats * 2 >= flow.rtp) found.push_back(&flow);
    }
    return found;
}

}  // namespace natkit::explain
