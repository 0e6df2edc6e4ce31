#include "self_test.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <string>

#include "natkit/base/inet_checksum.hpp"

namespace natkit::bpf {

namespace {

constexpr std::size_t ethernet_header = 14;
constexpr std::size_t rtp_bytes = 172;  // 20 ms of G.711
constexpr std::uint8_t hops = 64;
constexpr int route_forwarding_disabled = 5;  // BPF_FIB_LKUP_RET_FWD_DISABLED

using Bytes = std::vector<std::uint8_t>;

void put16(Bytes& bytes, std::size_t value) {
    bytes.push_back(static_cast<std::uint8_t>(value >> 8U));
    bytes.push_back(static_cast<std::uint8_t>(value));
}

void put(Bytes& bytes, std::span<const std::uint8_t> more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
}

/// As put16() writes it.
std::size_t value_of(const InetChecksum& checksum) {
    const auto bytes = std::bit_cast<std::array<std::uint8_t, 2>>(checksum.value());
    return static_cast<std::size_t>(bytes[0] << 8U | bytes[1]);
}

Bytes udp_of(const Endpoint& source, const Endpoint& destination, std::uint32_t ssrc) {
    const auto build = [&](std::size_t check) {
        Bytes udp;
        put16(udp, source.port);
        put16(udp, destination.port);
        put16(udp, 8 + rtp_bytes);
        put16(udp, check);
        put(udp, std::array<std::uint8_t, 8>{0x80, 0, 0x12, 0x34, 0, 0, 0, 1});
        put16(udp, ssrc >> 16U);
        put16(udp, ssrc & 0xffffU);
        while (udp.size() < 8 + rtp_bytes) udp.push_back(static_cast<std::uint8_t>(udp.size() * 7));
        return udp;
    };
    const Bytes bare = build(0);
    InetChecksum sum;
    sum.add(bare);
    sum.add(source.address.bytes());
    sum.add(destination.address.bytes());
    sum.add_word(17);
    sum.add_word(static_cast<std::uint16_t>(bare.size()));
    const std::size_t check = value_of(sum);
    return build(check == 0 ? 0xffff : check);
}

Bytes packet(const Endpoint& source, const Endpoint& destination, std::uint8_t tos, std::uint8_t hop_limit,
             std::uint32_t ssrc) {
    const Bytes udp = udp_of(source, destination, ssrc);
    Bytes ip;
    if (source.address.is_v4()) {
        const auto build = [&](std::size_t check) {
            Bytes header{0x45, tos};
            put16(header, 20 + udp.size());
            put(header, std::array<std::uint8_t, 6>{0, 0, 0x40, 0, hop_limit, 17});
            put16(header, check);
            put(header, source.address.bytes());
            put(header, destination.address.bytes());
            return header;
        };
        InetChecksum sum;
        sum.add(build(0));
        ip = build(value_of(sum));
    } else {
        ip = {static_cast<std::uint8_t>(0x60U | tos >> 4U), static_cast<std::uint8_t>((tos & 15U) << 4U), 0, 0};
        put16(ip, udp.size());
        put(ip, std::array<std::uint8_t, 2>{17, hop_limit});
        put(ip, source.address.bytes());
        put(ip, destination.address.bytes());
    }
    put(ip, udp);
    return ip;
}

Endpoint test_endpoint(Family family, std::uint8_t host, std::uint16_t port) {
    if (family == Family::ipv4) return {IpAddress::v4(0xc0000200U + host), port};
    return {IpAddress::v6({0x20, 0x01, 0x0d, 0xb8, 0x6e, 0x6b, 0, 0, 0, 0, 0, 0, 0, 0, 0, host}), port};
}

}  // namespace

TestFlow test_flow(unsigned interface, Family from, Family to) {
    return {
        .key = {.interface = interface, .source = test_endpoint(from, 1, 9), .destination = test_endpoint(from, 2, 9)},
        .rule = {.source = test_endpoint(to, 3, 19),
                 .destination = test_endpoint(to, 4, 19),
                 .tos = 184,
                 .kind = FlowKind::rtp,
                 .ssrc = 0x6e61746b}};
}

Bytes frame_before(const TestFlow& flow, const FlowInterface& interface) {
    Bytes frame(interface.hardware_address.begin(), interface.hardware_address.end());
    frame.resize(12);
    put16(frame, flow.key.source.address.is_v4() ? 0x0800 : 0x86dd);
    put(frame, packet(flow.key.source, flow.key.destination, 0, hops, flow.rule.ssrc));
    return frame;
}

Bytes packet_after(const TestFlow& flow) {
    return packet(flow.rule.source, flow.rule.destination, flow.rule.tos, hops - 1, flow.rule.ssrc);
}

Result<void> judge(const TestFlow& flow, const flow_proof& proof) {
    const bool v4 = flow.rule.source.address.is_v4();
    if (proof.route == route_forwarding_disabled) {
        return fail(Errc::refused, std::string("net.") + (v4 ? "ipv4" : "ipv6") + ".conf.lo.forwarding is 0");
    }
    const Bytes want = packet_after(flow);
    if (proof.length != ethernet_header + want.size())
        return fail(Errc::system, "the test's packet has changed its length");
    const std::span shown(std::begin(proof.bytes) + ethernet_header, std::end(proof.bytes));
    if (!std::ranges::equal(shown, std::span(want).first(shown.size()))) {
        return fail(Errc::system, "the test's packet was not rewritten as it should be");
    }
    if (proof.mark != 0 || proof.queue != 0 || proof.has_timestamp != 0) {
        return fail(Errc::system, "the test's packet has kept a mark");
    }
    return {};
}

}  // namespace natkit::bpf
