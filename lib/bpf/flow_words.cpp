#include "flow_words.hpp"

#include <array>
#include <bit>
#include <cstring>

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

FlowKey from_words(const flow_key& words) noexcept {
    return {.interface = words.ifindex,
            .source = {read_address(words.source, words.family), network(words.source_port)},
            .destination = {read_address(words.destination, words.family), network(words.destination_port)}};
}

flow_rule to_words(const FlowRule& rule, FlowTable::Slot slot) noexcept {
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
    words.slot = slot;
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
