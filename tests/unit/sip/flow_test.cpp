#include "natkit/sip/flow.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "natkit/sip/peer_token.hpp"

using namespace natkit;
using namespace natkit::sip;

namespace {

/// No cryptography: only something that depends on every byte, as a test needs.
Mac fake_mac(std::uint8_t key) {
    return [key](std::span<const std::uint8_t> data) {
        std::array<std::uint8_t, 32> code{};
        std::uint64_t hash = key + 0xcbf29ce484222325u;
        for (const std::uint8_t byte : data) hash = (hash ^ byte) * 0x100000001b3u;
        for (std::size_t i = 0; i < code.size(); ++i) code[i] = static_cast<std::uint8_t>(hash >> (i % 8 * 8));
        return code;
    };
}

/// No cryptography either: nothing is hidden, only bound to context and key.
Cipher fake_cipher(std::uint8_t key) {
    const auto tag = [mac = fake_mac(key)](std::span<const std::uint8_t> plain, std::span<const std::uint8_t> context) {
        Cipher::Bytes all(context.begin(), context.end());
        all.insert(all.end(), plain.begin(), plain.end());
        const auto code = mac(all);
        return Cipher::Bytes(code.begin(), code.begin() + 16);
    };
    return {.seal =
                [tag](auto plain, auto context) {
                    Cipher::Bytes sealed = tag(plain, context);
                    sealed.insert(sealed.end(), plain.begin(), plain.end());
                    return sealed;
                },
            .open = [tag](auto sealed, auto context) -> std::optional<Cipher::Bytes> {
                if (sealed.size() < 16 || !std::ranges::equal(tag(sealed.subspan(16), context), sealed.first(16)))
                    return std::nullopt;
                return Cipher::Bytes(sealed.begin() + 16, sealed.end());
            }};
}

/// As tokens were made once: the content as it is, and 12 bytes of a keyed hash.
std::string old_token(Cipher::Bytes content, std::string_view call_id, const Mac& mac) {
    Cipher::Bytes sealed = content;
    sealed.insert(sealed.end(), call_id.begin(), call_id.end());
    const auto code = mac(sealed);
    content.insert(content.end(), code.begin(), code.begin() + 12);
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string text;
    for (std::size_t bit = 0; bit < content.size() * 8; bit += 6) {
        unsigned digit = 0;
        for (std::size_t i = bit; i < bit + 6; ++i)
            digit = digit << 1 | (i / 8 < content.size() ? content[i / 8] >> (7 - i % 8) & 1U : 0U);
        text += letters[digit];
    }
    return text;
}

Flow flow(const char* text) {
    return parse_flow(text).value();
}

}  // namespace

TEST_CASE("Flow: text and back") {
    for (const char* text :
         {"udp:203.0.113.10:5060-198.51.100.7:40001", "tls:[2001:db8::10]:5061-[2001:db8::9]:4000",
          "tcp:203.0.113.10:5060-198.51.100.7:40001#17", "tls:[::1]:1-[::1]:2#18446744073709551615"}) {
        CHECK(to_string(flow(text)) == text);
    }
    for (const char* bad :
         {"", "udp", "udp:1.2.3.4:5", "udp-1:2", "sctp:1.2.3.4:5-1.2.3.4:6", "udp:1.2.3.4:5-1.2.3.4:6#1",
          "tcp:1.2.3.4:5-1.2.3.4:6#", "tcp:1.2.3.4:5-1.2.3.4:6#0", "tcp:1.2.3.4:5-1.2.3.4:6#x"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_flow(bad).has_value());
    }
}

TEST_CASE("DialogToken: only what we made, for this Call-ID, with this key") {
    const DialogToken token{.caller = flow("udp:192.168.10.1:5060-192.168.10.20:5060"),
                            .callee = flow("tcp:[2001:db8::10]:5060-[2001:db8::9]:4000#4711"),
                            .start = WallTime(std::chrono::seconds(1'700'000'000))};
    const std::string text = encode(token, "call-1", fake_cipher(1));
    CHECK(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == text.npos);
    CHECK(decode_dialog_token(text, "call-1", fake_cipher(1)).value() == token);
    CHECK(decode_dialog_token(text, "call-1", fake_cipher(1))->start == token.start);
    CHECK_FALSE(decode_dialog_token(text, "call-2", fake_cipher(1)).has_value());
    CHECK_FALSE(decode_dialog_token(text, "call-1", fake_cipher(2)).has_value());
    CHECK_FALSE(decode_dialog_token("", "call-1", fake_cipher(1)).has_value());
    CHECK_FALSE(decode_dialog_token("alice", "call-1", fake_cipher(1)).has_value());
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string forged = text;
        forged[i] = forged[i] == 'A' ? 'B' : 'A';
        CHECK_FALSE(decode_dialog_token(forged, "call-1", fake_cipher(1)).has_value());
    }
}

TEST_CASE("DialogToken: of several active edges it names the one that made it") {
    DialogToken token{.caller = flow("tcp:[2001:db8::10]:5060-[2001:db8::9]:4000#4711"),
                      .callee = flow("tls:[2001:db8::10]:5061-[2001:db8::8]:4000#18446744073709551615"),
                      .start = WallTime(std::chrono::seconds(1'700'000'000)),
                      .edge = EdgeMark{.node = node_number("edge-a"), .epoch = ~std::uint64_t{0}, .passes = true}};
    const std::string text = encode(token, "call-1", fake_cipher(1));
    const auto read = decode_dialog_token(text, "call-1", fake_cipher(1));
    REQUIRE(read.has_value());
    CHECK(*read == token);
    CHECK(read->edge == token.edge);
    token.edge->client = 0x0123456789abcdef;
    CHECK(decode_dialog_token(encode(token, "call-1", fake_cipher(1)), "call-1", fake_cipher(1))->edge == token.edge);
    token.edge->client = 0;
    token.edge->passes = false;
    CHECK(decode_dialog_token(encode(token, "call-1", fake_cipher(1)), "call-1", fake_cipher(1))->edge == token.edge);
    token.edge.reset();
    CHECK_FALSE(decode_dialog_token(encode(token, "call-1", fake_cipher(1)), "call-1", fake_cipher(1))->edge);
    CHECK(node_number("edge-a") != node_number("edge-b"));
}

TEST_CASE("PeerToken: for one request between two nodes") {
    PeerToken token{.from = node_number("edge-a"),
                    .to = node_number("edge-b"),
                    .epoch = 7,
                    .binding = 0x0123456789abcdef,
                    .source = Endpoint::parse("[2001:db8::9]:40001").value(),
                    .sender = proxy::Sender::user,
                    .place = nat::Place::far_end,
                    .rule = nat::Rule::nated,
                    .claimed = IpAddress::parse("192.168.1.10").value()};
    const PeerContext invite{.call_id = "call-1", .cseq = 1, .method = "INVITE"};
    const std::string text = encode(token, invite, fake_cipher(1));
    CHECK(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == text.npos);
    CHECK(decode_peer_token(text, invite, fake_cipher(1)).value() == token);
    for (const PeerContext& other : {PeerContext{.call_id = "call-2", .cseq = 1, .method = "INVITE"},
                                     PeerContext{.call_id = "call-1", .cseq = 2, .method = "INVITE"},
                                     PeerContext{.call_id = "call-1", .cseq = 1, .method = "BYE"}})
        CHECK_FALSE(decode_peer_token(text, other, fake_cipher(1)).has_value());
    CHECK_FALSE(decode_peer_token(text, invite, fake_cipher(2)).has_value());
    CHECK_FALSE(decode_peer_token("", invite, fake_cipher(1)).has_value());
    CHECK_FALSE(decode_dialog_token(text, "call-1", fake_cipher(1)).has_value());
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string forged = text;
        forged[i] = forged[i] == 'A' ? 'B' : 'A';
        CHECK_FALSE(decode_peer_token(forged, invite, fake_cipher(1)).has_value());
    }
    token.claimed.reset();
    CHECK(decode_peer_token(encode(token, invite, fake_cipher(1)), invite, fake_cipher(1)).value() == token);
}

TEST_CASE("ClientToken: the same text each time, and no dialog's token") {
    const ClientToken token{.binding = 0x0123456789abcdef, .server = IpAddress::parse("2001:db8::50").value()};
    const std::string text = encode(token, fake_cipher(1));
    CHECK(encode(token, fake_cipher(1)) == text);
    CHECK(decode_client_token(text, fake_cipher(1)).value() == token);
    CHECK_FALSE(decode_client_token(text, fake_cipher(2)).has_value());
    CHECK_FALSE(decode_client_token(text + "A", fake_cipher(1)).has_value());
    CHECK_FALSE(decode_dialog_token(text, "", fake_cipher(1)).has_value());
    const Flow shortest = flow("udp:192.0.2.1:1-192.0.2.2:2");
    const std::string dialog = encode(DialogToken{.caller = shortest, .callee = shortest}, "c", fake_cipher(1));
    CHECK(decode_dialog_token(dialog, "c", fake_cipher(1)).has_value());
    CHECK_FALSE(decode_client_token(dialog, fake_cipher(1)).has_value());
}

TEST_CASE("tokens of the version before are read, each as its own kind") {
    const Cipher::Bytes flow_bytes = {0, 4, 192, 0, 2, 1, 0x13, 0xc4, 4, 192, 0, 2, 9, 0x9c, 0x41};
    Cipher::Bytes dialog = {1};
    for (int i = 0; i < 2; ++i) dialog.insert(dialog.end(), flow_bytes.begin(), flow_bytes.end());
    const std::string text = old_token(dialog, "call-1", fake_mac(1));
    const auto token = decode_old_dialog_token(text, "call-1", fake_mac(1)).value();
    CHECK(to_string(token.caller) == "udp:192.0.2.1:5060-192.0.2.9:40001");
    CHECK(token.callee == token.caller);
    CHECK_FALSE(decode_old_dialog_token(text, "call-2", fake_mac(1)).has_value());
    CHECK_FALSE(decode_old_dialog_token(text, "call-1", fake_mac(2)).has_value());
    CHECK_FALSE(decode_old_client_token(text, fake_mac(1)).has_value());
    const std::string client = old_token({2, 0, 0, 0, 0, 0, 0, 0, 7, 4, 192, 0, 2, 50, 0, 0}, "", fake_mac(1));
    CHECK(decode_old_client_token(client, fake_mac(1)).value() ==
          ClientToken{.binding = 7, .server = IpAddress::parse("192.0.2.50").value()});
    CHECK_FALSE(decode_old_dialog_token(client, "", fake_mac(1)).has_value());
}

TEST_CASE("Flow: another connection between the same two is another flow") {
    const Flow first = flow("tcp:203.0.113.10:5060-198.51.100.7:40001#1");
    const Flow second = flow("tcp:203.0.113.10:5060-198.51.100.7:40001#2");
    CHECK(first != second);
    const auto token = [](const Flow& to) {
        return encode(DialogToken{.caller = to, .callee = to}, "c", fake_cipher(1));
    };
    CHECK(token(first) != token(second));
    CHECK(decode_dialog_token(token(second), "c", fake_cipher(1)).value().callee.connection == 2);
}
