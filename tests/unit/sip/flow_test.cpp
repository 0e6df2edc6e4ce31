#include "natkit/sip/flow.hpp"

#include <doctest/doctest.h>

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
                            .callee = flow("tcp:[2001:db8::10]:5060-[2001:db8::9]:4000#4711")};
    const std::string text = encode(token, "call-1", fake_mac(1));
    CHECK(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == text.npos);
    CHECK(decode_dialog_token(text, "call-1", fake_mac(1)).value() == token);
    CHECK_FALSE(decode_dialog_token(text, "call-2", fake_mac(1)).has_value());
    CHECK_FALSE(decode_dialog_token(text, "call-1", fake_mac(2)).has_value());
    CHECK_FALSE(decode_dialog_token("", "call-1", fake_mac(1)).has_value());
    CHECK_FALSE(decode_dialog_token("alice", "call-1", fake_mac(1)).has_value());
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string forged = text;
        forged[i] = forged[i] == 'A' ? 'B' : 'A';
        CHECK_FALSE(decode_dialog_token(forged, "call-1", fake_mac(1)).has_value());
    }
}

TEST_CASE("Flow: another connection between the same two is another flow") {
    const Flow first = flow("tcp:203.0.113.10:5060-198.51.100.7:40001#1");
    const Flow second = flow("tcp:203.0.113.10:5060-198.51.100.7:40001#2");
    CHECK(first != second);
    const auto token = [](const Flow& to) { return encode(DialogToken{.caller = to, .callee = to}, "c", fake_mac(1)); };
    CHECK(token(first) != token(second));
    CHECK(decode_dialog_token(token(second), "c", fake_mac(1)).value().callee.connection == 2);
}
