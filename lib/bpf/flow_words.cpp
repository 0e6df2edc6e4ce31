#include "flow_words.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <iterator>
#include <numeric>

namespace natkit::bpf {

namespace {

constexpr unsigned char af_inet = 2;  // the kernel's numbers, which are Linux's everywhere
constexpr unsigned char af_inet6 = 10;

template <class T>
T network(T value) noexcept {
    return std::endian::native == std::endian::little ? std::byteswap(value) : value;
}

void write_address(unsigned int (&words)[4], const IpAddress& address) noexcept {
    const auto bytes = address.bytes();
    std::memcpy(words, bytes.data(), bytes.size());
}

IpAddress read_address(const unsigned int (&words)[4], unsigned char family) noexcept {
    if (family == af_inet) return IpAddress::v4(network(words[0]));
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), words, bytes.size());
    return IpAddress::v6(bytes);
}

unsigned char family_of(const IpAddress& address) noexcept {
    return address.is_v4() ? af_inet : af_inet6;
}

/// Sums of words as they lie in the packet. What an IPv4 address lacks is zero, and adds nothing.
template <class Words>
std::uint64_t addresses(const Words& words) noexcept {
    return std::accumulate(std::begin(words.source), std::end(words.source), std::uint64_t{0}) +
           std::accumulate(std::begin(words.destination), std::end(words.destination), std::uint64_t{0});
}
template <class Words>
std::uint64_t ports(const Words& words) noexcept {
    return std::uint64_t{words.source_port} + words.destination_port;
}

std::uint32_t fold(std::uint64_t sum) noexcept {
    sum = (sum & 0xffffffffU) + (sum >> 32U);
    return static_cast<std::uint32_t>((sum & 0xffffffffU) + (sum >> 32U));
}

/// In ones' complement (RFC 1624).
std::uint32_t change(std::uint64_t before, std::uint64_t after) noexcept {
    return fold(std::uint64_t{~fold(before)} + after);
}

}  // namespace

unsigned priority_of(std::uint8_t tos) noexcept {
    constexpr std::array<unsigned, 4> priorities{0, 2, 6, 4};  // best effort, bulk, interactive, interactive bulk
    return priorities[(tos & 0x1eU) >> 3U];
}

flow_key to_words(const FlowKey& key) noexcept {
    flow_key words{};
    words.ifindex = key.interface;
    words.source_port = network(key.source.port);
    words.destination_port = network(key.destination.port);
    write_address(words.source, key.source.address);
    write_address(words.destination, key.destination.address);
    words.family = family_of(key.source.address);
    return words;
}

std::uint16_t port_of(const flow_key& words) noexcept {
    return network(words.destination_port);
}

FlowKey from_words(const flow_key& words) noexcept {
    return {.interface = words.ifindex,
            .source = {read_address(words.source, words.family), network(words.source_port)},
            .destination = {read_address(words.destination, words.family), network(words.destination_port)}};
}

flow_rule to_words(const FlowRule& rule, const FlowKey& key) noexcept {
    flow_rule words{};
    write_address(words.source, rule.source.address);
    write_address(words.destination, rule.destination.address);
    words.source_port = network(rule.source.port);
    words.destination_port = network(rule.destination.port);
    words.family = family_of(rule.source.address);
    words.tos = rule.tos;
    words.kind = static_cast<unsigned char>(rule.kind);
    words.ssrc = network(rule.ssrc);
    words.clock_rate = rule.clock_rate;
    words.priority = priority_of(rule.tos);
    const flow_key before = to_words(key);
    words.address_change = change(addresses(before), addresses(words));
    words.port_change = change(ports(before), ports(words));
    return words;
}

FlowRule from_words(const flow_rule& words) noexcept {
    return {.source = {read_address(words.source, words.family), network(words.source_port)},
            .destination = {read_address(words.destination, words.family), network(words.destination_port)},
            .tos = words.tos,
            .kind = static_cast<FlowKind>(words.kind),
            .ssrc = network(words.ssrc),
            .clock_rate = words.clock_rate};
}

}  // namespace natkit::bpf
