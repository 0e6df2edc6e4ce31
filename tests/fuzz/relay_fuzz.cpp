// RTP and RTCP headers, and the relay's packet path behind them: whatever comes in, nothing reads past its end, and
// only accepted packets leave.
#include <cassert>
#include <cstdint>
#include <span>

#include "natkit/relay/relay.hpp"
#include "natkit/rtp/packet.hpp"

using namespace natkit;
using namespace natkit::relay;

namespace {

/// One packet of the input: a source of four, a component, a time step, a length, bytes.
struct Reader {
    std::span<const std::uint8_t> left;
    std::uint8_t byte() {
        if (left.empty()) return 0;
        const std::uint8_t value = left.front();
        left = left.subspan(1);
        return value;
    }
    std::span<const std::uint8_t> bytes(std::size_t count) {
        const auto taken = left.first(std::min(count, left.size()));
        left = left.subspan(taken.size());
        return taken;
    }
};

void check_headers(std::span<const std::uint8_t> bytes) {
    const auto kind = rtp::kind_of(bytes);
    const auto header = rtp::read_rtp(bytes);
    assert(!header || (kind == rtp::Kind::rtp && header->payload_offset + header->payload_size <= bytes.size()));
    const auto control = rtp::read_rtcp(bytes);
    assert(!control || kind == rtp::Kind::rtcp);
    assert(!(header && control));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Reader reader{{data, size}};
    check_headers(reader.left);
    Relay relay({});
    Instant now{std::chrono::seconds(1000)};
    const std::uint8_t shape = reader.byte();
    UdpLeg& a = relay.udp.add(1, Stream::rtp, (shape & 1) != 0, now);
    UdpLeg& b = relay.udp.add(2, (shape & 2) != 0 ? Stream::udp : Stream::rtp, (shape & 4) != 0, now);
    const IpAddress visible = IpAddress::v4(0xc6336407U);
    const Endpoint sources[] = {
        {visible, 1000}, {visible, 2000}, {IpAddress::v4(0xc6336408U), 1000}, {IpAddress::v4(0xcb007109U), 4000}};
    relay.signal(a, {.place = nat::Place::far_end, .visible = visible}, SourcePolicy::latch, now);
    relay.signal(b, {.place = nat::Place::wan, .endpoint = sources[3]}, SourcePolicy::exact, now);
    relay.join(a, b, now);
    std::uint64_t forwarded = 0;
    while (!reader.left.empty()) {
        const std::uint8_t control = reader.byte();
        now += std::chrono::milliseconds(20 * reader.byte());
        const auto bytes = reader.bytes(reader.byte());
        check_headers(bytes);
        UdpLeg& leg = (control & 8) != 0 ? b : a;
        const auto component = (control & 16) != 0 && leg.stream == Stream::rtp ? Component::rtcp : Component::rtp;
        const Endpoint& source = sources[control & 3];
        const auto outcome = relay.udp.on_packet(leg, component, source, bytes, now);
        if (outcome.leg != nullptr) {
            ++forwarded;
            assert(outcome.leg != &leg && outcome.endpoint != nullptr && outcome.endpoint->port != 0);
            assert(source.address == (&leg == &a ? visible : sources[3].address));
        }
        relay.on_time(now);
        (void)relay.legs.take_events();
    }
    std::uint64_t sent = 0;
    for (const UdpLeg* leg : {&a, &b}) {
        for (const auto& part : leg->parts) sent += part.counters.sent_packets;
    }
    assert(sent == forwarded);
    return 0;
}
