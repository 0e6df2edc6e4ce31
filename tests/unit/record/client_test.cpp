#include "natkit/record/client.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace natkit;
using Json = nlohmann::ordered_json;
using Event = record::ClientChange::Event;

namespace {

const Instant now{std::chrono::hours(1)};

}  // namespace

TEST_CASE("record: a client record") {
    const auto change = record::parse_client(
        Json::parse(
            R"({"type":"client","event":"updated","id":"7","aor":"sip:bob@example.com","flow":{"transport":"udp",
            "local":"203.0.113.10:5060","remote":"[2001:db8::7]:40001"},"place":"far-end","expires_ms":60000,"more":[1]})"),
        now);
    REQUIRE(change);
    CHECK(change->event == Event::updated);
    CHECK(change->client.id == "7");
    CHECK(to_string(change->client.local) == "203.0.113.10:5060");
    CHECK(to_string(change->client.remote) == "[2001:db8::7]:40001");
    CHECK(change->client.place == nat::Place::far_end);
    CHECK(change->client.expires == now + std::chrono::minutes(1));
    const auto record = record::ping_record(change->client, ping::Method::crlf, "sent", "");
    CHECK(
        record.dump() ==
        R"({"type":"ping","id":"7","aor":"sip:bob@example.com","flow":{"transport":"udp","local":"203.0.113.10:5060",)"
        R"("remote":"[2001:db8::7]:40001"},"method":"crlf","result":"sent"})");
}

TEST_CASE("record: what a client record may leave out, and what it may not") {
    struct Case {
        const char* why;
        const char* json;
        const char* want;  ///< the id, or the error
    };
    constexpr Case cases[] = {
        {"the flow names the client", R"({"type":"client","flow":{"remote":"198.51.100.7:5060"}})",
         "udp:0.0.0.0:0-198.51.100.7:5060"},
        {"a removal needs no flow", R"({"type":"client","event":"removed","id":"x"})", "x"},
        {"as natkit lists it", R"({"type":"client","event":"present","id":"y","flow":{"remote":"198.51.100.7:5060"}})",
         "y"},
        {"not an object", R"([1])", "not a JSON object"},
        {"another type", R"({"type":"sip"})", "not a client record"},
        {"no flow", R"({"type":"client","id":"x"})", "no flow"},
        {"an odd event", R"({"type":"client","event":"born"})", "event: 'born'"},
        {"no port", R"({"type":"client","flow":{"remote":"198.51.100.7"}})", "flow.remote: '198.51.100.7'"},
        {"an odd transport", R"({"type":"client","flow":{"transport":"sctp","remote":"198.51.100.7:1"}})",
         "flow.transport: 'sctp'"},
        {"an odd place", R"({"type":"client","place":"moon","flow":{"remote":"198.51.100.7:1"}})", "place: 'moon'"},
        {"an odd time", R"({"type":"client","flow":{"remote":"198.51.100.7:1"},"expires_ms":"1"})",
         "expires_ms: not a whole number"},
        {"taken, or half so", R"({"type":"client","flow":{"remote":"198.51.100.7:1"},"taken":1})",
         "taken: not true or false"},
        {"keys of other types", R"({"type":"client","id":7,"flow":{"transport":1,"remote":2}})", "flow.remote: ''"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto change = record::parse_client(Json::parse(c.json), now);
        CHECK((change ? change->client.id : change.error().message) == c.want);
    }
}
