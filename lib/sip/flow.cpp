#include "natkit/sip/flow.hpp"

#include <algorithm>
#include <vector>

#include "natkit/base/text.hpp"
#include "token_bytes.hpp"

namespace natkit::sip {
namespace {

/// A client's token is shorter, and a dialog's longer: neither is tried as the other.
constexpr std::size_t shortest_dialog_token = 64;
constexpr std::uint8_t old_dialog_token = 1;
constexpr std::uint8_t old_client_token = 2;
constexpr std::size_t old_mac_size = 12;
constexpr std::string_view dialog_kind = "dialog token";
constexpr std::string_view client_kind = "client token";

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

/// What a token of several active edges has behind its flows.
std::optional<EdgeMark> read_edge(std::span<const std::uint8_t>& in) {
    const auto node = take_number(in, 8);
    const auto epoch = node ? take_number(in, 8) : std::nullopt;
    const auto passes = epoch ? take_number(in, 1) : std::nullopt;
    if (!passes || *passes > 1 || *node == 0) return std::nullopt;
    const auto client = in.empty() ? std::optional(std::uint64_t{0}) : take_number(in, 8);
    if (!client) return std::nullopt;
    return EdgeMark{.node = *node, .epoch = *epoch, .passes = *passes == 1, .client = *client};
}

std::optional<DialogToken> read_dialog(std::span<const std::uint8_t> in) {
    const auto start = take_number(in, 4);
    const auto caller = start ? take_flow(in) : std::nullopt;
    const auto callee = caller ? take_flow(in) : std::nullopt;
    if (!callee) return std::nullopt;
    DialogToken token{.caller = *caller,
                      .callee = *callee,
                      .start = WallTime(std::chrono::seconds(static_cast<std::int64_t>(*start)))};
    if (in.empty()) return token;
    token.edge = read_edge(in);
    return token.edge && in.empty() ? std::optional(token) : std::nullopt;
}

std::optional<ClientToken> read_client(std::span<const std::uint8_t> in) {
    const auto binding = take_number(in, 8);
    const auto server = binding ? take_endpoint(in) : std::nullopt;
    if (!server || !in.empty()) return std::nullopt;
    return ClientToken{.binding = *binding, .server = server->address};
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
    if (token.edge) {
        put_number(content, token.edge->node, 8);
        put_number(content, token.edge->epoch, 8);
        put_number(content, token.edge->passes ? 1 : 0, 1);
        if (token.edge->client != 0) put_number(content, token.edge->client, 8);
    }
    return to_base64url(cipher.seal(content, context_of(dialog_kind, call_id)));
}

Result<DialogToken> decode_dialog_token(std::string_view text, std::string_view call_id, const Cipher& cipher) {
    const auto bytes = text.size() < shortest_dialog_token ? std::nullopt : token_bytes(text);
    const auto content = bytes ? cipher.open(*bytes, context_of(dialog_kind, call_id)) : std::nullopt;
    return or_refused(content ? read_dialog(*content) : std::nullopt);
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
