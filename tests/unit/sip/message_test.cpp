#include "natkit/sip/message/message.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using sip::Message;
using sip::Name;

namespace {

const std::string invite =
    "INVITE sip:bob@example.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 192.168.1.5:5060;branch=z9hG4bKa;rport, SIP/2.0/TCP old.example.com;branch=z9hG4bKb\r\n"
    "v: SIP/2.0/UDP [2001:db8::5]:5062;branch=z9hG4bKc\r\n"
    "Max-Forwards: 70\r\n"
    "f: \"A, <lice>\" <sip:alice@example.com>;tag=1\r\n"
    "To:\r\n <sip:bob@example.com>\r\n"
    "i: 1@h\r\n"
    "CSeq: 1 INVITE\r\n"
    "Contact: <sip:alice@192.168.1.5;transport=udp>;expires=60, <sip:alice@192.168.1.6>\r\n"
    "Content-Type: Application/SDP ; x=y\r\n"
    "l: 4\r\n"
    "\r\n"
    "v=0\nrubbish";

}  // namespace

TEST_CASE("Message::parse: a request, its header fields and its body") {
    const Message message = Message::parse("\r\n\r\n" + invite).value();
    CHECK(message.is_request());
    CHECK(message.method() == "INVITE");
    CHECK(message.request_uri() == "sip:bob@example.com");
    CHECK(message.values(Name::via).size() == 3);
    CHECK(message.call_id() == "1@h");
    CHECK(message.from_tag() == "1");
    CHECK(message.to_tag().empty());
    CHECK(message.content_type() == "application/sdp");
    CHECK(message.body() == "v=0\n");
    CHECK(message.rest() == "rubbish");
    CHECK(message.values(Name::contact).size() == 2);
    CHECK(message.find(Name::to)->line == "To:\r\n <sip:bob@example.com>");
    CHECK(sip::check(message).has_value());
    const sip::Via via = message.top_via().value();
    CHECK(via.transport == "UDP");
    CHECK(via.host == "192.168.1.5");
    CHECK(via.port == 5060);
    CHECK(via.rport_asked);
    CHECK_FALSE(via.rport);
    CHECK(via.branch == "z9hG4bKa");
}

TEST_CASE("Message::with_value: what parse() makes of those bytes") {
    const std::string before =
        "\r\nINVITE sip:bob@example.com SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bKa;rport , SIP/2.0/UDP "
        "g\r\nSubject:\r\n"
        "From: <sip:a@h>;tag=1\r\nTo:\r\n <sip:b@h>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nl: 4\r\n\r\nv=0\nrubbish";
    const Message message = Message::parse(before).value();
    REQUIRE(message.from_tag() == "1");  // read, and kept
    for (const std::size_t index : {0U, 2U, 3U, 6U}) {
        for (const char* value :
             {"1", "SIP/2.0/UDP h;branch=z9hG4bKa;rport=5060;received=198.51.100.7, SIP/2.0/UDP g"}) {
            CAPTURE(index);
            CAPTURE(value);
            const sip::Header& header = message.headers()[index];
            const Message changed = message.with_value(header, value);
            std::string bytes = before;
            bytes.replace(static_cast<std::size_t>(header.value.data() - message.bytes().data()), header.value.size(),
                          value);
            const Message parsed = Message::parse(bytes).value();
            CHECK(changed.bytes() == bytes);
            CHECK(changed.start_line() == parsed.start_line());
            CHECK(changed.method() == parsed.method());
            CHECK(changed.request_uri() == parsed.request_uri());
            REQUIRE(changed.headers().size() == parsed.headers().size());
            for (std::size_t i = 0; i < parsed.headers().size(); ++i) {
                CHECK(changed.headers()[i].name == parsed.headers()[i].name);
                CHECK(changed.headers()[i].name_text == parsed.headers()[i].name_text);
                CHECK(changed.headers()[i].value == parsed.headers()[i].value);
                CHECK(changed.headers()[i].line == parsed.headers()[i].line);
            }
            CHECK(changed.from_tag() == parsed.from_tag());
            CHECK(changed.to_tag() == parsed.to_tag());
            CHECK(changed.top_via().has_value() == parsed.top_via().has_value());
            if (index != 6) CHECK(changed.body() == parsed.body());
        }
    }
}

TEST_CASE("Message::parse: a response, bare LF") {
    const Message message = Message::parse("SIP/2.0 200 All is well\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\n\n").value();
    CHECK(message.status() == 200);
    CHECK(message.reason() == "All is well");
    CHECK(message.body().empty());
}

TEST_CASE("Message::parse: what is no message says where") {
    struct Case {
        const char* why;
        std::string bytes;
        const char* where;
    };
    const Case cases[] = {
        {"nothing", "", "line 1"},
        {"keep-alive", "\r\n\r\n", "line 1"},
        {"HTTP", "GET / HTTP/1.1\r\n\r\n", "line 1"},
        {"status out of range", "SIP/2.0 999 x\r\n\r\n", "line 1"},
        {"no end of header", "OPTIONS sip:a SIP/2.0\r\nVia: x\r\n", "line 2"},
        {"no colon", "OPTIONS sip:a SIP/2.0\r\nVia: x\r\nnonsense\r\n\r\n", "line 3"},
        {"NUL in a header", std::string("OPTIONS sip:a SIP/2.0\r\nVia: \0x\r\n\r\n", 33), "line 2"},
        {"folded line never ends", "OPTIONS sip:a SIP/2.0\r\nVia: x\r\n y", "line 2"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto message = Message::parse(c.bytes);
        REQUIRE_FALSE(message.has_value());
        CHECK(message.error().where == c.where);
    }
}

TEST_CASE("sip::check: what a proxy may act on") {
    struct Case {
        const char* why;
        const char* cut;
        const char* with;
        const char* want;  ///< message; null: fine
    };
    constexpr Case cases[] = {
        {"as it is", "", "", nullptr},
        {"no Call-ID", "i: 1@h\r\n", "", "missing Call-ID"},
        {"two Call-IDs", "i: 1@h\r\n", "i: 1@h\r\nCall-ID: 2@h\r\n", "duplicate Call-ID"},
        {"two Max-Forwards", "Max-Forwards: 70\r\n", "Max-Forwards: 70\r\nMax-Forwards: 1\r\n",
         "duplicate Max-Forwards"},
        {"wrong method", "1 INVITE", "1 BYE", "CSeq names another method: 'BYE'"},
        {"body cut off", "l: 4", "l: 400", "Content-Length exceeds the message"},
        {"length no number", "l: 4", "l: -4", "Content-Length is not a number"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        std::string bytes = invite;
        if (*c.cut != '\0') bytes.replace(bytes.find(c.cut), std::string(c.cut).size(), c.with);
        const auto checked = sip::check(Message::parse(bytes).value());
        CHECK(checked.has_value() == (c.want == nullptr));
        if (!checked && c.want != nullptr) CHECK(checked.error().message == c.want);
    }
}
