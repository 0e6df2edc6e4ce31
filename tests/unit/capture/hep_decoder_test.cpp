#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "../hep/chunks.hpp"
#include "natkit/capture/decoder.hpp"

using namespace natkit;
using namespace natkit::capture;
using namespace natkit::test;

TEST_CASE("capture::Decoder: HEP in a datagram, and by itself") {
    const auto of = [](unsigned protocol, unsigned content, std::string_view payload) {
        return packet(chunk(2, {static_cast<std::uint8_t>(protocol)}) + addresses() + ports() +
                      chunk(9, number(1'700'000'000, 4)) + chunk(11, {static_cast<std::uint8_t>(content)}) +
                      chunk(12, number(7, 4)) + chunk(15, text(payload)));
    };
    const auto squeezed = [](const Octets& payload) {
        return packet(chunk(2, {17}) + addresses() + ports() + chunk(9, number(1'700'000'000, 4)) + chunk(11, {1}) +
                      chunk(12, number(7, 4)) + chunk(16, payload));
    };
    const Octets invite = {0x78, 0x9c, 0xf3, 0xf4, 0x0b, 0xf3, 0x0c, 0x71, 0x05, 0x00, 0x06, 0x62, 0x01, 0xd0};  // zlib
    const auto in_udp = [](const Octets& content) {
        return Octets{0x45, 0} + number(28 + content.size(), 2) +
               Octets{0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2} + number(40'000, 2) + number(9060, 2) +
               number(8 + content.size(), 2) + Octets{0, 0} + content;
    };
    struct Case {
        const char* why;
        Octets bytes;
        int link_type;
        std::string want;
    };
    const std::vector<Case> cases = {
        {"SIP over UDP", of(17, 1, "INVITE"), link_type_hep, "udp INVITE"},
        {"SIP over TCP is a message by itself", in_udp(of(6, 1, "INVITE")), 101, "tcp INVITE"},
        {"RTCP", in_udp(of(17, 5, "\x80\xc8")), 101, "udp \x80\xc8"},
        {"an account of RTCP in JSON", in_udp(of(17, 5, "{}")), 101, "nothing"},
        {"compressed", squeezed(invite), link_type_hep, "udp INVITE"},
        {"compressed, and not whole", squeezed({invite.begin(), invite.end() - 5}), link_type_hep, "nothing"},
        {"said to be compressed", squeezed(text("INVITE")), link_type_hep, "nothing"},
        {"a log line", in_udp(of(17, 100, "x")), 101, "nothing"},
        {"broken", in_udp(text("HEP3 is broken")), 101, "nothing"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Decoder decoder;
        const auto datagram =
            decoder.decode({.frame = 4, .time_ns = 5, .link_type = c.link_type, .interface = 3, .bytes = c.bytes});
        if (!datagram) {
            CHECK(c.want == "nothing");
            continue;
        }
        CHECK(std::string(datagram->protocol == Datagram::Protocol::tcp ? "tcp " : "udp ") +
                  std::string(datagram->payload.begin(), datagram->payload.end()) ==
              c.want);
        CHECK(datagram->whole);
        CHECK(datagram->source == *Endpoint::parse("192.0.2.1:5060"));
        CHECK(datagram->seen == Sighting{.frame = 4, .time_ns = 1'700'000'000'000'000'000, .interface = 7});
    }
}
