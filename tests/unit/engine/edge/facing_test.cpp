// What mediarelay is told of a party besides where it is: whether it sends, its SSRCs, and whether a stranger's
// endpoint is known to be its own.
#include "natkit/engine/edge/media.hpp"
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
    std::optional<MediaParty> told;  ///< of the caller, last
    std::vector<bool> can_wait;      ///< by update of the caller's leg
    int next_port = 20000;

    explicit Call(proxy::Sender sender, const char* caller_flow = "udp:203.0.113.10:5060-203.0.113.20:5060")
        : media((chosen.open_registrar = false, chosen)), id(0) {
        const auto end = [&](const sip::Flow& by, const char* tag) {
            return EndInfo{.flow = by, .party = nat::classify_address(by.remote.address, chosen.networks), .tag = tag};
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
                media.on_leg_opened(open->ticket,
                                    Leg{.id = lan ? "lan" : "wan",
                                        .local = endpoint((lan ? "192.168.10.1:" : "203.0.113.10:") + port),
                                        .rtcp = {}},
                                    now, out);
            } else if (const auto* update = std::get_if<UpdateLeg>(&request); update && update->leg == "wan") {
                told = update->party;
                can_wait.push_back(update->can_wait);
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
        media.offer(id, {.offerer = End::caller, .owner = 1, .cseq = 1}, sdp(host, offered), now, out,
                    [](const Result<std::string>& after, Instant, Output&) { REQUIRE(after); });
        take(out);
        REQUIRE(media.answer(id, End::callee, sdp("192.168.10.20", answered), now, out));
        media.close_exchange(id, now, out);
        take(out);
        REQUIRE(told);
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
