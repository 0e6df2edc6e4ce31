#include "natkit/sip/flow.hpp"

#include <algorithm>
#include <vector>

#include "natkit/base/text.hpp"

namespace natkit::sip {
namespace {

constexpr std::size_t longest_token = 240;
/// A client's token is shorter, and a dialog's longer: neither is tried as the other.
constexpr std::size_t shortest_dialog_token = 64;
constexpr std::uint8_t old_dialog_token = 1;
constexpr std::uint8_t old_client_token = 2;
constexpr std::size_t old_mac_size = 12;
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

using Bytes = std::vector<std::uint8_t>;

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

/// What a token is sealed for. A line break is in no Call-ID.
Bytes context_of(std::string_view kind, std::string_view call_id = {}) {
    Bytes context(kind.begin(), kind.end());
    context.push_back('\n');
    context.insert(context.end(), call_id.begin(), call_id.end());
    return context;
}

constexpr std::string_view dialog_kind = "dialog token";
constexpr std::string_view client_kind = "client token";

std::optional<Bytes> token_bytes(std::string_view text) {
    return text.size() > longest_token ? std::nullopt : from_base64url(text);
}

/// The content of an old token of that kind, without the byte that says so.
std::optional<Bytes> old_content(std::string_view text, std::uint8_t kind, std::string_view call_id, const Mac& mac) {
    const auto bytes = token_bytes(text);
    if (!bytes || bytes->size() <= old_mac_size) return std::nullopt;
    const std::size_t size = bytes->size() - old_mac_size;
    Bytes sealed(bytes->begin(), bytes->begin() + static_cast<std::ptrdiff_t>(size));
    sealed.insert(sealed.end(), call_id.begin(), call_id.end());
    const auto code = mac(sealed);
    std::uint8_t difference = 0;  // every byte is looked at, so that the time tells nothing
    for (std::size_t i = 0; i < old_mac_size; ++i) {
        difference = static_cast<std::uint8_t>(difference | (code[i] ^ (*bytes)[size + i]));
    }
    if (difference != 0 || bytes->front() != kind) return std::nullopt;
    return Bytes(bytes->begin() + 1, bytes->begin() + static_cast<std::ptrdiff_t>(size));
}

std::optional<DialogToken> read_flows(std::span<const std::uint8_t> in) {
    const auto caller = take_flow(in);
    const auto callee = caller ? take_flow(in) : std::nullopt;
    if (!callee || !in.empty()) return std::nullopt;
    return DialogToken{.caller = *caller, .callee = *callee};
}

std::optional<ClientToken> read_client(std::span<const std::uint8_t> in) {
    const auto binding = take_number(in, 8);
    const auto server = binding ? take_endpoint(in) : std::nullopt;
    if (!server || !in.empty()) return std::nullopt;
    return ClientToken{.binding = *binding, .server = server->address};
}

template <class Token>
Result<Token> or_refused(const std::optional<Token>& token) {
    if (!token) return fail(Errc::refused, "not a token of ours");
    return *token;
}

}  // namespace

std::string to_string(const Flow& flow) {
    std::string text =
        std::string(to_string(flow.transport)) + ":" + to_string(flow.local) + "-" + to_string(flow.remote);
    if (flow.connection != 0) text += "#" + std::to_string(flow.connection);
    return text;
}

Result<Flow> parse_flow(std::string_view text) {
    const std::size_t colon = text.find(':');
    const std::size_t dash = text.find('-');
    if (colon == std::string_view::npos || dash == std::string_view::npos || dash < colon) {
        return fail(Errc::bad_input, "not a flow: '" + text::printable(text, 100) + "'");
    }
    const auto transport = parse_transport(text.substr(0, colon));
    if (!transport) return std::unexpected(transport.error());
    const auto local = Endpoint::parse(text.substr(colon + 1, dash - colon - 1));
    if (!local) return std::unexpected(local.error());
    const std::size_t hash = std::min(text.find('#', dash), text.size());
    const auto remote = Endpoint::parse(text.substr(dash + 1, hash - dash - 1));
    if (!remote) return std::unexpected(remote.error());
    Flow flow{.transport = *transport, .local = *local, .remote = *remote, .connection = 0};
    if (hash == text.size()) return flow;
    const auto connection = text::parse_number(text.substr(hash + 1), ~std::uint64_t{0});
    if (!connection || *connection == 0 || flow.transport == Transport::udp) {
        return fail(Errc::bad_input, "not a connection's number: '" + text::printable(text.substr(hash), 30) + "'");
    }
    flow.connection = *connection;
    return flow;
}

std::string encode(const DialogToken& token, std::string_view call_id, const Cipher& cipher) {
    Bytes content;
    const auto start = std::chrono::duration_cast<std::chrono::seconds>(token.start.time_since_epoch());
    put_number(content, static_cast<std::uint64_t>(start.count()), 4);
    put(content, token.caller);
    put(content, token.callee);
    return to_base64url(cipher.seal(content, context_of(dialog_kind, call_id)));
}

Result<DialogToken> decode_dialog_token(std::string_view text, std::string_view call_id, const Cipher& cipher) {
    const auto bytes = text.size() < shortest_dialog_token ? std::nullopt : token_bytes(text);
    const auto content = bytes ? cipher.open(*bytes, context_of(dialog_kind, call_id)) : std::nullopt;
    if (!content) return or_refused<DialogToken>(std::nullopt);
    std::span<const std::uint8_t> in = *content;
    const auto start = take_number(in, 4);
    auto token = start ? read_flows(in) : std::nullopt;
    if (token) token->start = WallTime(std::chrono::seconds(static_cast<std::int64_t>(*start)));
    return or_refused(token);
}

std::string encode(const ClientToken& token, const Cipher& cipher) {
    Bytes content;
    put_number(content, token.binding, 8);
    put(content, Endpoint{.address = token.server, .port = 0});
    return to_base64url(cipher.seal(content, context_of(client_kind)));
}

Result<ClientToken> decode_client_token(std::string_view text, const Cipher& cipher) {
    const auto bytes = text.size() >= shortest_dialog_token ? std::nullopt : token_bytes(text);
    const auto content = bytes ? cipher.open(*bytes, context_of(client_kind)) : std::nullopt;
    return or_refused(content ? read_client(*content) : std::nullopt);
}

Result<DialogToken> decode_old_dialog_token(std::string_view text, std::string_view call_id, const Mac& mac) {
    const auto content = old_content(text, old_dialog_token, call_id, mac);
    return or_refused(content ? read_flows(*content) : std::nullopt);
}

Result<ClientToken> decode_old_client_token(std::string_view text, const Mac& mac) {
    const auto content = old_content(text, old_client_token, {}, mac);
    return or_refused(content ? read_client(*content) : std::nullopt);
}

}  // namespace natkit::sip
