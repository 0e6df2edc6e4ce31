#include "token_bytes.hpp"

#include <algorithm>
#include <array>

namespace natkit::sip {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::uint8_t no_digit = 64;

/// What a letter stands for.
constexpr std::array<std::uint8_t, 256> make_digits() {
    std::array<std::uint8_t, 256> digits{};
    digits.fill(no_digit);
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
        digits[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
    }
    return digits;
}

/// The bytes that exactly this text stands for.
std::optional<Bytes> from_base64url(std::string_view text) {
    static constexpr auto digits = make_digits();
    Bytes bytes;
    bytes.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : text) {
        const std::uint8_t digit = digits[static_cast<unsigned char>(c)];
        if (digit == no_digit) return std::nullopt;
        bits = (bits << 6 | digit) & 0xffffff;
        count += 6;
        if (count < 8) continue;
        count -= 8;
        bytes.push_back(static_cast<std::uint8_t>(bits >> count & 255));
    }
    const bool exact = count < 6 && (bits & ((1U << count) - 1)) == 0;  // no letter too many, and no bit
    return exact ? std::optional(std::move(bytes)) : std::nullopt;
}

}  // namespace

std::string to_base64url(const Bytes& bytes) {
    std::string text;
    text.reserve((bytes.size() * 4 + 2) / 3);
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const std::uint8_t byte : bytes) {
        bits = (bits << 8 | byte) & 0xffffff;
        for (count += 8; count >= 6; count -= 6) text += alphabet[bits >> (count - 6) & 63];
    }
    if (count > 0) text += alphabet[bits << (6 - count) & 63];
    return text;
}

std::optional<Bytes> token_bytes(std::string_view text) {
    return text.size() > longest_token ? std::nullopt : from_base64url(text);
}

void put(Bytes& out, const Endpoint& endpoint) {
    const auto address = endpoint.address.bytes();
    out.push_back(static_cast<std::uint8_t>(address.size()));
    out.insert(out.end(), address.begin(), address.end());
    out.push_back(static_cast<std::uint8_t>(endpoint.port >> 8));
    out.push_back(static_cast<std::uint8_t>(endpoint.port & 255));
}

void put(Bytes& out, const Flow& flow) {
    out.push_back(static_cast<std::uint8_t>(flow.transport));
    put(out, flow.local);
    put(out, flow.remote);
    if (flow.transport == Transport::udp) return;
    for (unsigned shift = 64; shift > 0; shift -= 8) {
        out.push_back(static_cast<std::uint8_t>(flow.connection >> (shift - 8) & 255));
    }
}

std::optional<Endpoint> take_endpoint(std::span<const std::uint8_t>& in) {
    if (in.empty()) return std::nullopt;
    const std::size_t size = in[0];
    if ((size != 4 && size != 16) || in.size() < 1 + size + 2) return std::nullopt;
    Endpoint endpoint;
    if (size == 4) {
        endpoint.address =
            IpAddress::v4(static_cast<std::uint32_t>(in[1]) << 24 | static_cast<std::uint32_t>(in[2]) << 16 |
                          static_cast<std::uint32_t>(in[3]) << 8 | in[4]);
    } else {
        std::array<std::uint8_t, 16> bytes{};
        std::copy_n(in.begin() + 1, 16, bytes.begin());
        endpoint.address = IpAddress::v6(bytes);
    }
    endpoint.port = static_cast<std::uint16_t>(in[1 + size] << 8 | in[2 + size]);
    in = in.subspan(1 + size + 2);
    return endpoint;
}

std::optional<Flow> take_flow(std::span<const std::uint8_t>& in) {
    if (in.empty() || in[0] > static_cast<std::uint8_t>(Transport::tls)) return std::nullopt;
    Flow flow{.transport = static_cast<Transport>(in[0]), .local = {}, .remote = {}, .connection = 0};
    in = in.subspan(1);
    const auto local = take_endpoint(in);
    const auto remote = local ? take_endpoint(in) : std::nullopt;
    if (!remote) return std::nullopt;
    flow.local = *local;
    flow.remote = *remote;
    if (flow.transport == Transport::udp) return flow;
    if (in.size() < 8) return std::nullopt;
    for (std::size_t i = 0; i < 8; ++i) flow.connection = flow.connection << 8 | in[i];
    in = in.subspan(8);
    return flow;
}

void put_number(Bytes& out, std::uint64_t number, unsigned bytes) {
    for (unsigned shift = 8 * bytes; shift > 0; shift -= 8) {
        out.push_back(static_cast<std::uint8_t>(number >> (shift - 8) & 255));
    }
}

std::optional<std::uint64_t> take_number(std::span<const std::uint8_t>& in, std::size_t bytes) {
    if (in.size() < bytes) return std::nullopt;
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < bytes; ++i) number = number << 8 | in[i];
    in = in.subspan(bytes);
    return number;
}

Bytes context_of(std::string_view kind, std::string_view call_id) {
    Bytes context(kind.begin(), kind.end());
    context.push_back('\n');
    context.insert(context.end(), call_id.begin(), call_id.end());
    return context;
}

}  // namespace natkit::sip
