// Kinds of input behind public advisories against SIP software of 2025 and 2026: what is very long, and numbers that do
// not fit. The same are seeds of the fuzzers, and thrown at the running edge by tests/e2e/hostile_test.py.
#include <doctest/doctest.h>

#include "natkit/sip/message/framing.hpp"
#include "natkit/sip/message/message.hpp"
#include "natkit/sip/message/serialize.hpp"

using namespace natkit;
using sip::Message;
using sip::Name;

namespace {

std::string options(const std::string& more, const std::string& uri = "sip:b@h") {
    return "OPTIONS " + uri +
           " SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: 1\r\n"
           "CSeq: 1 OPTIONS\r\n" +
           more + "\r\n";
}

}  // namespace

TEST_CASE("header names of great length are fields like others, up to the size of a header section") {
    for (const std::size_t size : {255U, 256U, 4'096U, 65'000U}) {
        CAPTURE(size);
        const std::string name(size, 'n');
        const auto message = Message::parse(options(name + ": v\r\n"));
        REQUIRE(message.has_value());
        CHECK(sip::check(*message).has_value());
        CHECK(message->headers().back().name == Name::other);
        CHECK(message->headers().back().name_text.size() == size);
        const std::string sent = sip::Edit(*message).finish();
        CHECK(sent.find("\r\n" + name + ": v\r\n") != std::string::npos);
    }
    CHECK_FALSE(Message::parse(options(std::string(70'000, 'n') + ": v\r\n")).has_value());
    CHECK_FALSE(Message::parse(options(std::string(300, 'n') + "\r\n")).has_value());
    std::vector<sip::Framed> out;
    CHECK_FALSE(sip::Framer().feed(options(std::string(sip::Framer::max_header, 'n') + ": v\r\n"), out).has_value());
    CHECK(out.empty());
}

TEST_CASE("ports of great length: never another number than is written") {
    for (const std::string port :
         {"65536", "131072", "4294972356", "18446744073709556676", "-5060", "0x13c4", "5060.1"}) {
        CAPTURE(port);
        const auto uri = sip::Uri::parse("sip:a@203.0.113.9:" + port);
        CHECK_FALSE((uri && uri->port));
        const auto via = sip::Via::parse("SIP/2.0/UDP 203.0.113.9:" + port + ";branch=z9hG4bKa");
        CHECK_FALSE((via && via->port));
        const auto rport = sip::Via::parse("SIP/2.0/UDP 203.0.113.9;rport=" + port + ";branch=z9hG4bKa");
        CHECK_FALSE((rport && rport->rport));
        // alias (Kamailio), maddr, received: text that nobody reads as an endpoint.
        const auto alias = sip::Uri::parse("sip:a@h;alias=203.0.113.9~" + port + "~1;maddr=h:" + port);
        if (alias) CHECK(alias->port.value_or(0) == 0);
    }
    const std::string digits(5'000, '9');
    CHECK_FALSE(sip::Uri::parse("sip:a@h:" + digits).has_value());
    CHECK_FALSE(sip::Via::parse("SIP/2.0/UDP h:" + digits).has_value());
    const auto alias = sip::Uri::parse("sip:a@h;alias=203.0.113.9~" + digits + "~1");
    REQUIRE(alias.has_value());
    CHECK(alias->params.get("alias")->size() == 12 + digits.size() + 2);
    CHECK_FALSE(sip::Uri::parse("sip:a@h;alias=" + std::string(20'000, '9')).has_value());
    const auto contact = sip::NameAddr::parse("<sip:a@h;alias=203.0.113.9~" + digits + "~1>;expires=" + digits);
    REQUIRE(contact.has_value());
    CHECK(contact->params.get("expires") == digits);
}

TEST_CASE("Content-Length is no size to reserve, and does not wrap") {
    for (const std::string length : {"4294967296", "4294967297", "18446744073709551616", "18446744073709551617", "-1",
                                     "+0", "0x0", "1e1", "", "0 0", "0,0", "99999999999999999999999999999999"}) {
        CAPTURE(length);
        const auto message = Message::parse(options("Content-Length: " + length + "\r\n"));
        REQUIRE(message.has_value());
        CHECK_FALSE(sip::check(*message).has_value());
        CHECK(message->body().empty());
        std::vector<sip::Framed> out;
        sip::Framer framer;
        CHECK_FALSE(framer.feed(options("Content-Length: " + length + "\r\n"), out).has_value());
        CHECK(out.empty());
    }
    const auto large = Message::parse(options("Content-Length: 2147483647\r\n"));
    REQUIRE(large.has_value());
    CHECK_FALSE(sip::check(*large).has_value());
    // Waited for, and nothing is kept but what has come.
    sip::Framer framer;
    std::vector<sip::Framed> out;
    CHECK(framer.feed(options("Content-Length: 65536\r\n"), out).has_value());
    CHECK(framer.incomplete());
    CHECK(out.empty());
}
