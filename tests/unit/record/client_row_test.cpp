#include "natkit/record/client_row.hpp"

#include <doctest/doctest.h>

using namespace natkit;

TEST_CASE("record::parse_client_row: what of a registration decides whose client it is") {
    record::ObjectReader reader;
    const auto read = record::parse_client_row(
        R"({"id":"1","flow":"udp:192.0.2.1:5060-198.51.100.7:40001","place":"far-end","call_id":"a@b","cseq":7,"expires_ms":5000,"registered_ms":4000})",
        300, reader);
    REQUIRE(read);
    CHECK(*read == cluster::ClientRow{.transport = Transport::udp,
                                      .local = IpAddress::parse("192.0.2.1").value(),
                                      .anywhere = false,
                                      .call_id = "a@b",
                                      .cseq = 7,
                                      .expires_ms = 4700,
                                      .registered_ms = 3700});
    CHECK_FALSE(read->over());
    const auto other = record::parse_client_row(
        R"({"flow":"tls:[2001:db8::1]:5061-[2001:db8::2]:4000#17","place":"wan","expires_ms":0})", -5, reader);
    REQUIRE(other);
    CHECK(other->transport == Transport::tls);
    CHECK(other->local == IpAddress::parse("2001:db8::1").value());
    CHECK(other->anywhere);
    CHECK(other->expires_ms == 5);
    CHECK(other->registered_ms == 5 - 3'600'000);  // not written: as if it had been for an hour
    const auto over = record::parse_client_row(
        R"({"flow":"udp:192.0.2.1:5060-198.51.100.7:1","expires_ms":4000,"registered_ms":4000})", 300, reader);
    REQUIRE(over);
    CHECK(over->over());

    struct Case {
        const char* why;
        const char* text;
        const char* where;
    };
    constexpr Case cases[] = {
        {"no object", "7", ""},
        {"no flow", R"({"expires_ms":1})", "flow"},
        {"another transport", R"({"flow":"sctp:192.0.2.1:5060-198.51.100.7:1","expires_ms":1})", "flow"},
        {"no address", R"({"flow":"udp:edge:5060-198.51.100.7:1","expires_ms":1})", "flow"},
        {"nothing before the colon", R"({"flow":"192.0.2.1-198.51.100.7:1","expires_ms":1})", "flow"},
        {"no time", R"({"flow":"udp:192.0.2.1:5060-198.51.100.7:1"})", "expires_ms"},
        {"a time that cannot be reckoned with",
         R"({"flow":"udp:192.0.2.1:5060-198.51.100.7:1","expires_ms":9223372036854775807})", "expires_ms"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto bad = record::parse_client_row(c.text, 0, reader);
        REQUIRE_FALSE(bad);
        CHECK(bad.error().where == c.where);
    }
}
