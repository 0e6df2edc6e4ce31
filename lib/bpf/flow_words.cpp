#include "flow_words.hpp"

#include <algorithm>
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

using Words = std::array<unsigned int, 4>;

Words words_of(const IpAddress& address) noexcept {
    Words words{};
    const auto bytes = address.bytes();
    std::memcpy(words.data(), bytes.data(), bytes.size());
    return words;
}

void split(const Words& words, unsigned int& first, unsigned int (&rest)[3]) noexcept {
    first = words[0];
    std::copy(words.begin() + 1, words.end(), std::begin(rest));
}

IpAddress joined(unsigned int first, const unsigned int (&rest)[3], unsigned char family) noexcept {
    if (family == af_inet) return IpAddress::v4(network(first));
    const Words words{first, rest[0], rest[1], rest[2]};
    return IpAddress::v6(std::bit_cast<std::array<std::uint8_t, 16>>(words));
}

unsigned char family_of(const IpAddress& address) noexcept {
    return address.is_v4() ? af_inet : af_inet6;
}

/// Sums of words as they lie in the packet. What an IPv4 address lacks is zero, and adds nothing.
std::uint64_t sum(const Words& a, const Words& b) noexcept {
    return std::accumulate(b.begin(), b.end(), std::accumulate(a.begin(), a.end(), std::uint64_t{0}));
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

std::uint8_t priority_of(std::uint8_t tos) noexcept {
    constexpr std::array<std::uint8_t, 4> priorities{0, 2, 6, 4};  // best effort, bulk, interactive, interactive bulk
    return priorities[(tos & 0x1eU) >> 3U];
}

flow_key to_words(const FlowKey& key) noexcept {
    flow_key words{};
    words.ifindex = key.interface;
    words.source_port = network(key.source.port);
    words.destination_port = network(key.destination.port);
    std::ranges::copy(words_of(key.source.address), std::begin(words.source));
    std::ranges::copy(words_of(key.destination.address), std::begin(words.destination));
    words.family = family_of(key.source.address);
    return words;
}

std::uint16_t port_of(const flow_key& words) noexcept {
    return network(words.destination_port);
}

FlowWords to_words(const FlowKey& key, const FlowRule& rule) noexcept {
    const Words source = words_of(key.source.address);
    const Words destination = words_of(key.destination.address);
    const Words new_source = words_of(rule.source.address);
    const Words new_destination = words_of(rule.destination.address);
    FlowWords words{};
    flow& first = words.first;
    first.ifindex = key.interface;
    first.source_port = network(key.source.port);
    first.destination_port = network(key.destination.port);
    split(source, first.source, words.rest.source);
    split(destination, first.destination, words.rest.destination);
    first.family = family_of(key.source.address);
    first.kind = static_cast<unsigned char>(rule.kind);
    first.priority = priority_of(rule.tos);
    first.ssrc = network(rule.ssrc);
    first.clock_rate = rule.clock_rate;
    first.address_change = change(sum(source, destination), sum(new_source, new_destination));
    split(new_source, first.new_source, words.rest.new_source);
    split(new_destination, first.new_destination, words.rest.new_destination);
    first.new_source_port = network(rule.source.port);
    first.new_destination_port = network(rule.destination.port);
    first.port_change = change(std::uint64_t{first.source_port} + first.destination_port,
                               std::uint64_t{first.new_source_port} + first.new_destination_port);
    first.new_family = family_of(rule.source.address);
    first.tos = rule.tos;
    return words;
}

FlowKey key_of(const flow& first, const flow_rest& rest) noexcept {
    return {
        .interface = first.ifindex,
        .source = {joined(first.source, rest.source, first.family), network(first.source_port)},
        .destination = {joined(first.destination, rest.destination, first.family), network(first.destination_port)}};
}

FlowRule rule_of(const flow& first, const flow_rest& rest) noexcept {
    return {.source = {joined(first.new_source, rest.new_source, first.new_family), network(first.new_source_port)},
            .destination = {joined(first.new_destination, rest.new_destination, first.new_family),
                            network(first.new_destination_port)},
            .tos = first.tos,
            .kind = static_cast<FlowKind>(first.kind),
            .ssrc = network(first.ssrc),
            .clock_rate = first.clock_rate};
}

}  // namespace natkit::bpf
