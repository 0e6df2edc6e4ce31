// What mediarelay is told of a party besides where it is: whether it sends, its SSRCs, and whether a stranger's
// endpoint is known to be its own.
#include <nlohmann/json.hpp>

#include "media/media.hpp"
#include "records/state.hpp"
#include "world.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

namespace {

/// A WAN caller and a LAN callee, and what is asked for the caller's leg.
struct Call {
    Settings chosen = settings();
    Media media;
    Instant now{};
    SessionId id;
    std::optional<relay::Party> told;  ///< of the caller, last
    std::vector<bool> can_wait;        ///< by update of the caller's leg
    std::optional<SessionState> kept;
    int next_port = 20000;

    explicit Call(proxy::Sender sender, const char* caller_flow = "udp:203.0.113.10:5060-203.0.113.20:5060")
        : media((chosen.open_registrar = false, chosen)), id(0) {
        const auto end = [&](const sip::Flow& by, const char* tag) {
            return EndInfo{
                .flow = by, .verdict = nat::classify_address(by.remote.address, chosen.networks), .tag = tag};
        };
        id = media.create("c", end(flow(caller_flow), "a"), end(lan_phone.flow, "b"), now);
        media.set_payer(id, {.sender = sender, .name = "203.0.113.20"});
    }

    void take(Output& out) {
        const Output done = std::exchange(out, {});
        for (const MediaRequest& request : done.media) {
            if (const auto* open = std::get_if<OpenLeg>(&request)) {
                const std::string port = std::to_string(next_port += 2);
                const bool lan = open->side == Side::lan;
                if (!lan) told = open->party;
                const RelayLeg leg{.id = lan ? "lan" : "wan",
                                   .local = endpoint((lan ? "192.168.10.1:" : "203.0.113.10:") + port),
                                   .rtcp = {}};
                if (const auto ready = media.on_leg_opened(open->ticket, leg, now, out)) REQUIRE(ready->body);
            } else if (const auto* update = std::get_if<UpdateLeg>(&request); update && update->leg == "wan") {
                told = update->party;
                can_wait.push_back(update->can_wait);
            } else if (const auto* keep = std::get_if<KeepState>(&request)) {
                kept = keep->state;
            }
        }
        if (!out.media.empty()) take(out);
    }
    static std::string sdp(const char* host, const char* attributes) {
        return std::string("v=0\r\no=- 1 1 IN IP4 ") + host + "\r\ns=-\r\nc=IN IP4 " + host +
               "\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n" + attributes;
    }
    void exchange(const char* host, const char* offered = "", const char* answered = "") {
        Output out;
        const dialog::Offer opened{.offerer = End::caller, .owner = 1, .cseq = 1};
        if (const auto ready = media.offer(id, opened, sdp(host, offered), 1, now, out)) REQUIRE(*ready);
        take(out);
        REQUIRE(media.answer(id, End::callee, sdp("192.168.10.20", answered), now, out));
        media.close_exchange(id, now, out);
        take(out);
        REQUIRE(told);
    }
    void establish() {
        Output out;
        media.set_callee_tag(id, "b");
        media.set_established(id, now, out);
        take(out);
    }
    void prove() {
        Output out;
        media.prove_caller(id, out);
        take(out);
    }
};

}  // namespace

TEST_CASE("Media: a stranger's endpoint is unproven until its own signalling address has answered for it") {
    struct Case {
        const char* why;
        proxy::Sender sender;
        const char* flow;
        const char* host;  ///< of its SDP
        bool before;
        bool after;  ///< its ACK with the dialog's token
    };
    const char* const udp = "udp:203.0.113.10:5060-203.0.113.20:5060";
    const char* const tcp = "tcp:203.0.113.10:5060-203.0.113.20:5060#1";
    using enum proxy::Sender;
    const Case cases[] = {
        {"a stranger, media where its signalling is", stranger, udp, "203.0.113.20", true, false},
        {"a victim's address in the SDP", stranger, udp, "203.0.113.99", true, true},
        {"TCP shows that the signalling address is its own", stranger, tcp, "203.0.113.20", false, false},
        {"and no other", stranger, tcp, "203.0.113.99", true, true},
        {"a user has proved a password", user, udp, "203.0.113.99", false, false},
        {"a server is known", server, udp, "203.0.113.99", false, false},
        {"behind a NAT nothing is sent before it sends", stranger, udp, "192.168.1.10", false, false},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Call call(c.sender, c.flow);
        call.exchange(c.host);
        CHECK(call.told->unproven == c.before);
        const std::size_t updates = call.can_wait.size();
        call.prove();
        CHECK(call.told->unproven == c.after);
        // What does not change is not told, and what lifts a limit of seconds wakes nobody.
        REQUIRE(call.can_wait.size() == updates + (c.before != c.after ? 1 : 0));
        if (c.before != c.after) CHECK(call.can_wait.back());
    }
}

TEST_CASE("Media: what both ends have agreed on says who sends (RFC 3264 section 6.1)") {
    struct Case {
        const char* offered;
        const char* answered;
        sdp::Direction caller;
    };
    constexpr Case cases[] = {
        {"", "", sdp::Direction::sendrecv},
        {"a=sendonly\r\n", "a=recvonly\r\n", sdp::Direction::sendonly},
        {"a=sendonly\r\n", "", sdp::Direction::sendonly},  // an answer that should have said recvonly
        {"", "a=sendonly\r\n", sdp::Direction::recvonly},
        {"", "a=recvonly\r\n", sdp::Direction::sendonly},
        {"a=sendonly\r\n", "a=inactive\r\n", sdp::Direction::inactive},
        {"a=recvonly\r\n", "a=sendonly\r\n", sdp::Direction::recvonly},
    };
    for (const Case& c : cases) {
        CAPTURE(c.offered);
        CAPTURE(c.answered);
        Call call(proxy::Sender::user);
        call.exchange("203.0.113.20", c.offered, c.answered);
        CHECK(call.told->direction == c.caller);
    }
}

TEST_CASE("Media: announced SSRCs are told, four at most, whatever else their lines say") {
    Call call(proxy::Sender::user);
    call.exchange("203.0.113.20",
                  "a=ssrc:4294967295 cname:x\r\na=ssrc:4294967295 msid:y\r\na=ssrc:7\r\na=ssrc:4294967296 cname:z\r\n"
                  "a=ssrc:\r\na=ssrc:-1 a\r\na=ssrc:8 a\r\na=ssrc:9 a\r\na=ssrc:10 a\r\n");
    CHECK(call.told->ssrcs.count == 4);
    for (const std::uint32_t ssrc : {4294967295U, 7U, 8U, 9U}) CHECK(call.told->ssrcs.contains(ssrc));
}

TEST_CASE("Media: what ends have agreed on, and the SSRCs that they announced, outlive a restart of the edge") {
    Call before(proxy::Sender::user);
    before.exchange("203.0.113.20", "a=sendonly\r\na=ssrc:7 cname:x\r\n",
                    "a=recvonly\r\na=ssrc:4294967295 cname:y\r\n");
    before.establish();
    REQUIRE(before.kept);
    auto json = nlohmann::ordered_json::parse(state_text(*before.kept).value());
    bool as_before = true;
    SUBCASE("as it was kept") {}
    SUBCASE("kept by the version before") {
        as_before = false;
        for (const char* end : {"caller", "callee"}) {
            json["streams"][0][end].erase("direction");
            json["streams"][0][end].erase("ssrc");
        }
    }
    Media after(before.chosen);
    after.remember(read_state(json).value());
    REQUIRE(after.restore(before.now).size() == 2);
    const SessionId id = after.find("c", "a", "b").value();
    Output out;  // both have other addresses now: mediarelay is told of its parties anew
    for (const auto& [end, by] : {std::pair(End::caller, flow("udp:203.0.113.10:5060-203.0.113.21:5060")),
                                  std::pair(End::callee, flow("udp:192.168.10.1:5060-192.168.10.21:5060"))})
        after.set_flow(id, end, by, nat::classify_address(by.remote.address, before.chosen.networks), before.now, out);
    std::map<std::string, relay::Party> told;
    for (const MediaRequest& request : out.media) {
        if (const auto* update = std::get_if<UpdateLeg>(&request)) told[update->leg] = update->party;
        if (const auto* keep = std::get_if<KeepState>(&request); keep && as_before)
            CHECK(keep->state->streams[0].sides[0].direction == sdp::Direction::sendonly);
    }
    REQUIRE(told.size() == 2);
    CHECK(told["wan"].direction == (as_before ? sdp::Direction::sendonly : sdp::Direction::sendrecv));
    CHECK(told["lan"].direction == (as_before ? sdp::Direction::recvonly : sdp::Direction::sendrecv));
    CHECK(told["wan"].ssrcs.contains(7) == as_before);
    CHECK(told["lan"].ssrcs.contains(4294967295U) == as_before);
}

TEST_CASE("the state of a call is never larger than what mediarelay keeps") {
    Call call(proxy::Sender::user);
    call.exchange("203.0.113.20");
    call.establish();
    SessionState state = *call.kept;
    const auto fill = [&](std::size_t streams, const char* address) {
        state.streams.resize(streams);
        for (auto& stream : state.streams) {
            for (auto& side : stream.sides) {
                const Endpoint where = endpoint(std::string(address) + ":30000");
                side = {.leg = RelayLeg{.id = "123456-7", .local = where, .rtcp = where},
                        .said = where,
                        .rtcp = where,
                        .direction = sdp::Direction::sendonly};
                for (const std::uint32_t ssrc : {4294967291U, 4294967292U, 4294967293U, 4294967294U})
                    side.ssrcs.add(ssrc);
            }
        }
    };
    const auto ssrcs_after = [&]() -> std::optional<std::size_t> {
        const auto text = state_text(state);
        if (!text) return std::nullopt;
        CHECK(text->size() <= largest_state);
        const auto read = read_state(nlohmann::ordered_json::parse(*text)).value();
        CHECK(read.streams.size() == state.streams.size());
        CHECK(read.streams.back().sides[1].direction == sdp::Direction::sendonly);
        return read.streams.back().sides[1].ssrcs.count;
    };
    fill(1, "203.0.113.200");
    CHECK(ssrcs_after() == 4);
    fill(16, "203.0.113.200");
    CHECK(ssrcs_after() == 0);
    fill(16, "[2001:db8:1111:2222:3333:4444:5555:6666]");
    CHECK(ssrcs_after() == std::nullopt);
}
