#include "natkit/ng/request.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <string>

using namespace natkit;
using namespace natkit::ng;

namespace {

using namespace std::chrono_literals;

Dictionary offer(Dictionary more) {
    Dictionary message{{"command", "offer"}, {"call-id", "c"}, {"from-tag", "f"}, {"sdp", "v=0\r\n"}};
    message.insert(message.end(), more.begin(), more.end());
    return message;
}

Dictionary answer(Dictionary more) {
    Dictionary message = offer(std::move(more));
    message[0].value = "answer";
    message.push_back({"to-tag", "t"});
    return message;
}

Request read(const Dictionary& message) {
    const auto request = read_request(message);
    REQUIRE_MESSAGE(request.has_value(), request.error().message);
    return *request;
}

IpAddress ip(std::string_view text) {
    return *IpAddress::parse(text);
}

std::string joined(const std::vector<std::string>& texts) {
    std::string all;
    for (const std::string& text : texts) all += (all.empty() ? "" : "|") + text;
    return all;
}

}  // namespace

TEST_CASE("ng::read_request: commands, and what each must have") {
    struct Case {
        const char* why;
        Dictionary message;
        const char* reason;  ///< null: it is taken
    };
    const Case cases[] = {
        {"a ping needs nothing", {{"command", "ping"}}, nullptr},
        {"nor does a list", {{"command", "list"}, {"limit", "32"}}, nullptr},
        {"nor do statistics", {{"command", "statistics"}}, nullptr},
        {"an offer as Kamailio sends it", offer({}), nullptr},
        {"an answer", answer({}), nullptr},
        {"a delete of the whole call", {{"command", "delete"}, {"call-id", "c"}}, nullptr},
        {"a query", {{"command", "query"}, {"call-id", "c"}}, nullptr},
        {"no command", {{"call-id", "c"}}, "Dictionary contains no key \"command\""},
        {"a command that is no text", {{"command", List{"ping"}}}, "Dictionary contains no key \"command\""},
        {"nobody's command", {{"command", "dance"}}, "Unrecognized command"},
        {"one of rtpengine's",
         {{"command", "play media"}},
         "Command 'play media' is not supported: natkit relays media between the parties and does nothing else with "
         "them"},
        {"no description", {{"command", "offer"}, {"call-id", "c"}, {"from-tag", "f"}}, "No SDP body in message"},
        {"no call", {{"command", "offer"}, {"from-tag", "f"}, {"sdp", "v=0"}}, "No call-id in message"},
        {"no party", {{"command", "offer"}, {"call-id", "c"}, {"sdp", "v=0"}}, "No from-tag in message"},
        {"no answerer",
         {{"command", "answer"}, {"call-id", "c"}, {"from-tag", "f"}, {"sdp", "v=0"}},
         "No to-tag in message"},
        {"a Call-ID that nobody writes",
         {{"command", "query"}, {"call-id", std::string(513, 'x')}},
         "call-id is longer than 512 bytes"},
        {"a tag that nobody writes",
         {{"command", "delete"}, {"call-id", "c"}, {"from-tag", std::string(513, 'x')}},
         "a tag, via-branch or label is longer than 512 bytes"},
        {"a delete of no call", {{"command", "delete"}}, "No call-id in message"},
        {"a query of no call", {{"command", "query"}}, "No call-id in message"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto request = read_request(c.message);
        CHECK(request.has_value() == (c.reason == nullptr));
        if (!request && c.reason != nullptr) CHECK(request.error().message == c.reason);
    }
}

TEST_CASE("ng::read_request: an INVITE from Kamailio 5.6") {
    const Request request = read({{"supports", List{"load limit"}},
                                  {"sdp", "v=0\r\n"},
                                  {"received-from", "unused"},
                                  {"ICE", "remove"},
                                  {"direction", List{"priv", "pub"}},
                                  {"flags", List{"trust-address", "symmetric"}},
                                  {"replace", List{"origin", "session-connection"}},
                                  {"received-from", List{"IP4", "203.0.113.9"}},
                                  {"delete delay", std::int64_t{5}},
                                  {"TOS", std::int64_t{184}},
                                  {"call-id", "a@b"},
                                  {"via-branch", "z9hG4bK1"},
                                  {"label", "caller"},
                                  {"sip-message-type", "request"},
                                  {"from-tag", "f"},
                                  {"command", "offer"}});
    CHECK(request.command == Command::offer);
    CHECK(request.call_id == "a@b");
    CHECK(request.via_branch == "z9hG4bK1");
    CHECK(request.label == "caller");
    CHECK(request.from_tag == "f");
    CHECK(request.to_tag.empty());
    CHECK(request.received_from == ip("203.0.113.9"));
    CHECK(request.delete_delay == 5s);
    CHECK(request.load_limit);
    CHECK(request.refusal.empty());
    CHECK(request.wishes == Wishes{.replace_origin = true, .direction = {"priv", "pub"}, .tos = std::uint8_t{184}});
    CHECK(joined(request.warnings) == "received-from: not an address: 'unused'; ignored");
}

TEST_CASE("ng::read_request: what flags and keys ask for") {
    struct Case {
        const char* why;
        Dictionary keys;
        Wishes want;
    };
    const Case cases[] = {
        {"nothing", {}, {}},
        {"the source of the message", {{"flags", List{"SIP-source-address"}}}, {.trust = Trust::source}},
        {"spaces are hyphens", {{"flags", List{"SIP source address"}}}, {.trust = Trust::source}},
        {"case does not matter", {{"flags", List{"sip-Source-address"}}}, {.trust = Trust::source}},
        {"the last one counts",
         {{"flags", List{"SIP-source-address", "trust-address"}}},
         {.trust = Trust::description}},
        {"flags in one text", {{"flags", "asymmetric,reset"}}, {.asymmetric = true, .reset = true}},
        {"no learning at all", {{"endpoint-learning", "off"}}, {.asymmetric = true}},
        {"one source",
         {{"flags", List{"strict source", "loop-protect"}}},
         {.strict_source = true, .loop_protect = true}},
        {"replace as flags",
         {{"flags", List{"replace-origin", "replace-SDP-version"}}},
         {.replace_origin = true, .keeps = {.version = true}}},
        {"what stays of o= and s=",
         {{"replace", List{"SDP version", "username", "session name", "zero address", "force-increment-sdp-ver"}}},
         {.replace_zero_address = true,
          .keeps = {.user_name = true, .session_name = true, .version = true, .increment = true}}},
        {"all of o=",
         {{"replace", List{"origin-full"}}},
         {.replace_origin = true, .keeps = {.user_name = true, .session_id = true, .version = true}}},
        {"replace as a text", {{"replace", "origin"}}, {.replace_origin = true}},
        {"mux as a list", {{"rtcp-mux", List{"demux", "accept"}}}, {.mux = {.demux = true, .accept = true}}},
        {"mux as flags", {{"flags", List{"rtcp-mux-require"}}}, {.mux = {.offer = true, .require = true}}},
        {"a family", {{"address family", "IP6"}}, {.family = Family::ipv6}},
        {"an address", {{"media-address", "203.0.113.1"}}, {.media_address = ip("203.0.113.1")}},
        {"TOS that says nothing", {{"TOS", std::int64_t{256}}}, {}},
        {"a protocol", {{"transport-protocol", "rtp/savp"}}, {.protocol = "RTP/SAVP"}},
        {"the protocol as it comes", {{"transport-protocol", "accept"}}, {}},
        {"interfaces one by one", {{"to-interface", "b"}, {"from-interface", "a"}}, {.direction = {"a", "b"}}},
        {"one interface alone", {{"direction", List{"a"}}}, {.direction = {"a", ""}}},
        {"ICE as ever", {{"ICE", List{"remove"}}}, {}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const Request request = read(offer(c.keys));
        CHECK(request.wishes == c.want);
        CHECK(joined(request.warnings) == "");
        CHECK(request.refusal.empty());
    }
}

TEST_CASE("ng::read_request: rtpp-flags, in the words of a configuration") {
    struct Case {
        const char* why;
        const char* flags;
        Wishes want;
    };
    const Case cases[] = {
        {"a usual string",
         "trust-address replace-origin replace-session-connection ICE=remove",
         {.replace_origin = true}},
        {"spaces around", "  reset  ", {.reset = true}},
        {"replace with =", "replace=origin", {.replace_origin = true}},
        {"OpenSIPS' brackets",
         "replace=[origin session-connection] rtcp-mux=[offer]",
         {.replace_origin = true, .mux = {.offer = true}}},
        {"both sides", "direction=priv direction=pub", {.direction = {"priv", "pub"}}},
        {"both sides in brackets", "direction=[priv pub]", {.direction = {"priv", "pub"}}},
        {"both sides in short", "internal external", {.direction = {"internal", "external"}}},
        {"OpenSIPS' sides", "in-iface=a out-iface=b", {.direction = {"a", "b"}}},
        {"a protocol", "RTP/AVP", {.protocol = "RTP/AVP"}},
        {"a protocol in parts", "SRTP AVPF", {.protocol = "RTP/SAVPF"}},
        {"DTLS", "DTLS AVPF", {.protocol = "UDP/TLS/RTP/SAVPF"}},
        {"the whole name", "UDP/TLS/RTP/SAVP", {.protocol = "UDP/TLS/RTP/SAVP"}},
        {"an address in brackets", "media-address=[2001:db8::1]", {.media_address = ip("2001:db8::1")}},
        {"a key without its value is a flag", "to-tag=", {}},
        {"the proxy's own words", "via-branch=auto-next to-tag", {}},
        {"a bracket that is not closed", "replace=[origin", {.replace_origin = true}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const Request request = read(offer({{"rtpp-flags", c.flags}}));
        CHECK(request.wishes == c.want);
        CHECK(joined(request.warnings) == "");
        CHECK(request.refusal.empty());
        CHECK(request.via_branch.empty());
    }
    const Request named = read(offer({{"rtpp_flags", "received-from=192.0.2.1 label=b via-branch=x delete-delay=0"}}));
    CHECK(named.received_from == ip("192.0.2.1"));
    CHECK(named.label == "b");
    CHECK(named.via_branch == "x");
    CHECK(named.delete_delay == 0s);
}

TEST_CASE("ng::read_request: TOS as a number, as a text, within a string") {
    CHECK(read(offer({{"TOS", std::int64_t{184}}})).wishes.tos == 184);
    CHECK(read(offer({{"tos", "0"}})).wishes.tos == 0);
    CHECK(read(offer({{"rtpp-flags", "TOS=96"}})).wishes.tos == 96);
}

TEST_CASE("ng::read_request: what is refused, and why") {
    struct Case {
        const char* why;
        Dictionary keys;
        const char* reason;
    };
    const char* const ice =
        "'ICE=force' is not supported: natkit is no ICE agent, candidates are removed where it relays; write "
        "ICE=remove";
    const char* const codecs =
        "'codec-transcode-PCMA' is not supported: codecs pass unchanged, nothing is transcoded; leave it out";
    const Case cases[] = {
        {"ICE", {{"ICE", "force"}}, ice},
        {"ICE in a string", {{"rtpp-flags", "ICE=force"}}, ice},
        {"codecs as Kamailio sends them", {{"codec", Dictionary{{"transcode", List{"PCMA", "G722"}}}}}, codecs},
        {"codecs as flags", {{"flags", List{"codec-transcode-PCMA"}}}, codecs},
        {"codecs with =", {{"rtpp-flags", "codec-transcode=PCMA"}}, codecs},
        {"codecs in OpenSIPS' brackets", {{"rtpp-flags", "codec=[transcode=[PCMA] strip=[all]]"}}, codecs},
        {"the first of several", {{"flags", List{"codec-transcode-PCMA", "record-call"}}, {"ICE", "force"}}, codecs},
        {"a packet time",
         {{"ptime", std::int64_t{20}}},
         "'ptime=20' is not supported: packets pass as they are; leave it out"},
        {"recording",
         {{"record call", "yes"}},
         "'record call=yes' is not supported: nothing is recorded; leave it out, or record elsewhere"},
        {"a fax gateway",
         {{"T.38", List{"decode"}}},
         "'T.38-decode' is not supported: T.38 passes unchanged, there is no fax gateway; leave it out"},
        {"the same, written T38",
         {{"flags", List{"T38-force"}}},
         "'T38-force' is not supported: T.38 passes unchanged, there is no fax gateway; leave it out"},
        {"made RTCP",
         {{"generate RTCP", "on"}},
         "'generate RTCP=on' is not supported: RTCP passes between the parties, none is made; leave it out"},
        {"echo",
         {{"media echo", "blackhole"}},
         "'media echo=blackhole' is not supported: media pass between the parties and nowhere else; leave it out"},
        {"attributes",
         {{"sdp-attr", Dictionary{{"audio", Dictionary{{"add", List{"x"}}}}}}},
         "'sdp-attr=...' is not supported: other lines of the description stay as they are; change them in the proxy"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(read(offer(c.keys)).refusal == c.reason);
    }
    CHECK(read(answer({{"ICE", "force"}})).refusal == ice);
    CHECK_MESSAGE(read(answer(cases[2].keys)).refusal.empty(), "codecs of an answer mean nothing to rtpengine either");
    CHECK_MESSAGE(read({{"command", "delete"}, {"call-id", "c"}, {"ICE", "force"}}).refusal.empty(),
                  "a delete is never refused for flags that rtpengine_manage() sends with everything");
}

TEST_CASE("ng::read_request: what is ignored, and when it is said") {
    struct Case {
        const char* why;
        Dictionary keys;
        const char* warnings;
    };
    const Case cases[] = {
        {"a misspelt flag",
         {{"flags", List{"trust-addres"}}},
         "unknown flag 'trust-addres': ignored; did you mean 'trust-address'?"},
        {"others that are seen in the wild",
         {{"flags", List{"sreplace-origin"}}, {"rtcp-mux", List{"dmux"}}},
         "unknown flag 'sreplace-origin': ignored; did you mean 'replace-origin'?|unknown flag 'rtcp-mux-dmux': "
         "ignored; did you mean 'rtcp-mux-demux'?"},
        {"nothing is near", {{"flags", List{"xyzzy-plugh-42"}}}, "unknown flag 'xyzzy-plugh-42': ignored"},
        {"a misspelt key",
         {{"media-adress", "192.0.2.1"}},
         "unknown key 'media-adress': ignored; did you mean 'media-address'?"},
        {"the same in a string",
         {{"rtpp-flags", "adress-family=IP4"}},
         "unknown key 'adress-family': ignored; did you mean 'address-family'?"},
        {"once only", {{"flags", List{"foo-bar-baz-x", "foo-bar-baz-x"}}}, "unknown flag 'foo-bar-baz-x': ignored"},
        {"SDES", {{"SDES", List{"off"}}}, "'SDES-off' is ignored: a=crypto lines pass unchanged, SRTP is end to end"},
        {"DTLS",
         {{"DTLS", "passive"}},
         "'DTLS=passive' is ignored: fingerprints and DTLS pass unchanged, SRTP is end to end"},
        {"quietly", {{"flags", List{"no-redis-update"}}, {"metadata", "x"}, {"xyz", List{}}}, ""},
        {"a family that is none", {{"address-family", "IPX"}}, "address-family: neither IP4 nor IP6: 'IPX'; ignored"},
        {"an address that is none", {{"media-address", "pub"}}, "media-address: not an address: 'pub'; ignored"},
        {"TOS out of range", {{"TOS", "300"}}, "TOS: not a number from 0 to 255: '300'; ignored"},
        {"bytes that are no text", {{"flags", List{"\xff"}}}, "unknown flag '\\xff': ignored"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(joined(read(offer(c.keys)).warnings) == c.warnings);
    }
    List many;
    for (int i = 0; i < 1000; ++i) many.emplace_back("qqqqqqqqqqq" + std::to_string(i));
    const Request request = read(offer({{"flags", many}}));
    CHECK(request.warnings.size() == 17);
    CHECK(request.warnings.back() == "more flags and keys are ignored");
}

TEST_CASE("ng::read_request: a string of flags that has no end") {
    std::string deep = "a=";
    for (int i = 0; i < 20; ++i) deep += '[';
    const auto request = read_request(offer({{"rtpp-flags", deep}}));
    REQUIRE_FALSE(request.has_value());
    CHECK(request.error().message == "rtpp-flags: byte 18: brackets nested too deep");
}
