#include "natkit/relay/traffic.hpp"

#include <cmath>

#include "natkit/relay/tcp.hpp"
#include "natkit/relay/udp.hpp"

namespace natkit::relay {
namespace {

using namespace std::chrono_literals;

constexpr Duration shortest = 500ms;
constexpr Duration longest = 3s;

void add(Traffic& traffic, const Counters& counters) noexcept {
    traffic += {.received_packets = counters.received_packets,
                .received_bytes = counters.received_bytes,
                .sent_packets = counters.sent_packets,
                .sent_bytes = counters.sent_bytes};
}

}  // namespace

Traffic& Traffic::operator+=(const Traffic& other) noexcept {
    received_packets += other.received_packets;
    received_bytes += other.received_bytes;
    sent_packets += other.sent_packets;
    sent_bytes += other.sent_bytes;
    return *this;
}

Traffic& Traffic::operator-=(const Traffic& other) noexcept {
    received_packets -= other.received_packets;
    received_bytes -= other.received_bytes;
    sent_packets -= other.sent_packets;
    sent_bytes -= other.sent_bytes;
    return *this;
}

Traffic traffic_of(const Leg& leg) noexcept {
    Traffic traffic;
    if (is_tcp(leg.stream)) {
        add(traffic, static_cast<const TcpLeg&>(leg).counters);
    } else {
        for (const UdpLeg::Part& part : static_cast<const UdpLeg&>(leg).parts) add(traffic, part.counters);
    }
    return traffic;
}

void TrafficMeter::tell(const Traffic& total, Instant now) noexcept {
    total_ = total;
    const Duration since = now - told_;
    if (since < shortest) return;
    const double seconds = std::chrono::duration<double>(since).count();
    const auto more = static_cast<double>(total.received_packets - packets_before_);
    rate_ = since > longest ? 0 : static_cast<std::uint64_t>(std::llround(more / seconds));
    packets_before_ = total.received_packets;
    told_ = now;
}

std::uint64_t TrafficMeter::packets_a_second(Instant now) const noexcept {
    return now - told_ > longest ? 0 : rate_;
}

}  // namespace natkit::relay
