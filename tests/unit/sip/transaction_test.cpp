#include "natkit/sip/transaction.hpp"

#include <doctest/doctest.h>

#include "natkit/sip/message/serialize.hpp"

using namespace natkit;
using namespace natkit::sip;
using namespace std::chrono_literals;

namespace {

const Flow flow = parse_flow("udp:203.0.113.10:5060-198.51.100.7:40001").value();

std::string request_bytes(const std::string& method, const std::string& branch = "z9hG4bKa") {
    return method + " sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h:5060;branch=" + branch +
           "\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: 1\r\nCSeq: 1 " +
           (method == "ACK" || method == "CANCEL" ? method : method) + "\r\nContent-Length: 0\r\n\r\n";
}

Sent sent(const std::string& method, const std::string& branch = "z9hG4bKa") {
    return {.bytes = std::make_shared<const std::string>(request_bytes(method, branch)),
            .method = method,
            .branch = branch};
}

Message message(const std::string& bytes) {
    return Message::parse(bytes).value();
}

std::string response_bytes(const std::string& method, int status) {
    return make_response(message(request_bytes(method)), status, reason_of(status), "t2");
}

/// A layer with a clock of its own; every call answers what came out.
struct Bench {
    TransactionLayer layer;
    Instant now{};
    TransactionOutput out;

    void receive(const std::string& bytes, Asker asker = {}) {
        out = {};
        layer.on_message(message(bytes), flow, now, out, asker);
        // Nobody answers while an event is handled: the INVITE gets its 100.
        for (const auto events = out.events; const auto& event : events) {
            if (const auto* request = std::get_if<RequestEvent>(&event)) layer.trying(*request, now, out);
        }
    }
    void pass(std::chrono::milliseconds time) {
        out = {};
        const Instant end = now + time;
        while (layer.next_deadline() && *layer.next_deadline() <= end) {
            now = std::max(now, *layer.next_deadline());
            layer.on_time(now, out);
        }
        now = end;
    }
    TransactionId start(const std::string& method) {
        out = {};
        return layer.request(sent(method), flow, now, out).value();
    }
    bool answer(TransactionId id, const std::string& method, int status) {
        out = {};
        return layer.respond(id, status, response_bytes(method, status), now, out);
    }
    template <class Event>
    std::size_t count() const {
        return static_cast<std::size_t>(
            std::ranges::count_if(out.events, [](const auto& event) { return std::holds_alternative<Event>(event); }));
    }
    TransactionId server() const { return std::get<RequestEvent>(out.events.at(0)).server; }
};

}  // namespace

TEST_CASE("INVITE server: 100 at once, failure repeated until ACK (timers G, H, I)") {
    Bench bench;
    bench.receive(request_bytes("INVITE"));
    REQUIRE(bench.count<RequestEvent>() == 1);
    CHECK(bench.out.packets.at(0).bytes->starts_with("SIP/2.0 100 Trying"));
    const TransactionId id = bench.server();
    bench.receive(request_bytes("INVITE"));
    CHECK(bench.out.events.empty());
    CHECK(bench.out.packets.size() == 1);
    CHECK(bench.answer(id, "INVITE", 486));
    const std::string busy = *bench.out.packets.at(0).bytes;
    bench.pass(3'600ms);  // 0.5, 1.5, 3.5 s
    CHECK(bench.out.packets.size() == 3);
    bench.receive(request_bytes("INVITE"));
    CHECK(*bench.out.packets.at(0).bytes == busy);
    bench.receive(request_bytes("ACK"));
    CHECK(bench.out.events.empty());
    bench.pass(4s);
    CHECK(bench.out.packets.empty());
    bench.pass(2s);
    CHECK(bench.layer.server_count() == 0);
}

TEST_CASE("INVITE server: failure never acknowledged ends after 64*T1") {
    Bench bench;
    bench.receive(request_bytes("INVITE"));
    CHECK(bench.answer(bench.server(), "INVITE", 486));
    bench.pass(33s);
    CHECK(bench.out.packets.size() == 10);  // 0.5, 1.5, 3.5, then every 4 s up to 31.5
    CHECK(bench.layer.server_count() == 0);
}

TEST_CASE("INVITE server: 2xx is end to end (RFC 6026)") {
    Bench bench;
    bench.receive(request_bytes("INVITE"));
    const TransactionId id = bench.server();
    CHECK(bench.answer(id, "INVITE", 180));
    CHECK(bench.answer(id, "INVITE", 200));
    bench.receive(request_bytes("INVITE"));
    CHECK(bench.out.packets.empty());
    CHECK(bench.answer(id, "INVITE", 200));  // the UAS repeats its 2xx, or another branch answers late
    CHECK_FALSE(bench.answer(id, "INVITE", 486));
    bench.receive(request_bytes("ACK", "z9hG4bKother"));
    CHECK(bench.count<AckEvent>() == 1);
    bench.pass(33s);
    CHECK(bench.out.packets.empty());
    CHECK(bench.layer.server_count() == 0);
}

TEST_CASE("server: answer repeated to a retransmission, then forgotten (timer J)") {
    Bench bench;
    bench.receive(request_bytes("OPTIONS"));
    const TransactionId id = bench.server();
    CHECK(bench.out.packets.empty());
    CHECK(bench.answer(id, "OPTIONS", 200));
    bench.receive(request_bytes("OPTIONS"));
    CHECK(bench.out.packets.size() == 1);
    CHECK(bench.out.events.empty());
    bench.pass(33s);
    CHECK(bench.layer.server_count() == 0);
    CHECK_FALSE(bench.layer.alive(id));
}

TEST_CASE("INVITE client: repeated with doubling, timed out (timers A, B)") {
    Bench bench;
    bench.start("INVITE");
    CHECK(bench.out.packets.size() == 1);
    bench.pass(31'900ms);
    CHECK(bench.out.packets.size() == 6);  // 0.5, 1.5, 3.5, 7.5, 15.5, 31.5
    bench.pass(200ms);
    CHECK(bench.count<TimeoutEvent>() == 1);
    CHECK(bench.layer.client_count() == 0);
}

TEST_CASE("INVITE client: provisional stops repeating, timer C ends a phone that rings for ever") {
    Bench bench;
    bench.start("INVITE");
    bench.receive(response_bytes("INVITE", 180));
    CHECK(bench.count<ResponseEvent>() == 1);
    bench.pass(170s);
    CHECK(bench.out.packets.empty());
    bench.receive(response_bytes("INVITE", 180));  // starts timer C anew
    bench.pass(170s);
    CHECK(bench.count<TimeoutEvent>() == 0);
    bench.pass(20s);
    REQUIRE(bench.count<TimeoutEvent>() == 1);
    // It is to be cancelled now; what comes of that is waited for, and a 180 gives no more time.
    CHECK(bench.layer.client_count() == 1);
    bench.receive(response_bytes("INVITE", 180));
    SUBCASE("487: acknowledged") {
        bench.receive(response_bytes("INVITE", 487));
        CHECK(bench.count<ResponseEvent>() == 1);
        REQUIRE(bench.out.packets.size() == 1);
        CHECK(bench.out.packets.at(0).bytes->starts_with("ACK "));
    }
    SUBCASE("a 200 that crosses the CANCEL: told") {
        bench.receive(response_bytes("INVITE", 200));
        CHECK(bench.count<ResponseEvent>() == 1);
    }
    SUBCASE("nothing: over after 64 T1") {
        bench.pass(33s);
        CHECK(bench.count<TimeoutEvent>() == 1);
        CHECK(bench.layer.client_count() == 0);
    }
}

TEST_CASE("INVITE client: failure is acknowledged every time and told once (timer D)") {
    Bench bench;
    bench.start("INVITE");
    bench.receive(response_bytes("INVITE", 180));
    for (int i = 0; i < 3; ++i) {
        bench.receive(response_bytes("INVITE", 486));
        CHECK(bench.out.packets.size() == 1);
        CHECK(bench.out.packets.at(0).bytes->starts_with("ACK sip:bob@example.com SIP/2.0\r\n"));
        CHECK(bench.count<ResponseEvent>() == (i == 0 ? 1 : 0));
    }
    bench.pass(33s);
    CHECK(bench.layer.client_count() == 0);
}

TEST_CASE("INVITE client: every 2xx is told, for 64*T1 (timer M)") {
    Bench bench;
    bench.start("INVITE");
    const std::weak_ptr<const std::string> sent = bench.out.packets.at(0).bytes;
    bench.receive(response_bytes("INVITE", 200));
    CHECK(bench.count<ResponseEvent>() == 1);
    CHECK(bench.out.packets.empty());
    CHECK(sent.expired());  // its memory is another call's
    bench.pass(20s);
    bench.receive(response_bytes("INVITE", 200));
    CHECK(bench.count<ResponseEvent>() == 1);
    bench.receive(response_bytes("INVITE", 486));
    CHECK(bench.out.events.empty());
    bench.pass(13s);
    CHECK(bench.layer.client_count() == 0);
    CHECK(bench.count<TimeoutEvent>() == 0);
}

TEST_CASE("client: repeated up to T2, one final answer (timers E, F, K)") {
    Bench bench;
    bench.start("BYE");
    bench.pass(7'600ms);  // 0.5, 1.5, 3.5, 7.5
    CHECK(bench.out.packets.size() == 4);
    bench.receive(response_bytes("BYE", 200));
    CHECK(bench.count<ResponseEvent>() == 1);
    bench.receive(response_bytes("BYE", 200));
    CHECK(bench.out.events.empty());
    bench.pass(6s);
    CHECK(bench.layer.client_count() == 0);
}

TEST_CASE("a CANCEL finds its INVITE; strangers do not") {
    Bench bench;
    bench.receive(request_bytes("INVITE"));
    const TransactionId id = bench.server();
    CHECK(bench.layer.find_cancelled(message(request_bytes("CANCEL"))) == id);
    CHECK_FALSE(bench.layer.find_cancelled(message(request_bytes("CANCEL", "z9hG4bKother"))));
}

TEST_CASE("responses that belong to nothing are dropped, a full layer refuses") {
    Bench bench;
    bench.receive(response_bytes("INVITE", 200));
    CHECK(bench.out.events.empty());
    CHECK(bench.out.packets.empty());
    TransactionLayer small({}, {.most = 1});
    TransactionOutput out;
    CHECK(small.request(sent("OPTIONS", "z9hG4bK1"), flow, {}, out).has_value());
    CHECK(small.request(sent("OPTIONS", "z9hG4bK2"), flow, {}, out).error().code == Errc::exhausted);
}

TEST_CASE("each fills the layer up to its mark, and leaves the rest to the others") {
    struct Case {
        const char* why;
        Share share;
        std::size_t most;
    };
    constexpr Case cases[] = {
        {"strangers", Share::stranger, 50},
        {"servers and parties of dialogs", Share::party, 70},
        {"who is registered", Share::user, 85},
        {"the LAN", Share::lan, 100},
    };
    Bench bench;
    bench.layer.set_limits({.most = 100});
    int branch = 0;
    for (const Case& c : cases) {
        CAPTURE(c.why);
        for (int n = 0; n < 200; ++n) {
            bench.receive(request_bytes("OPTIONS", "z9hG4bK" + std::to_string(++branch)), {.share = c.share});
        }
        CHECK(bench.layer.server_count() == c.most);
    }
    branch = 0;
    for (const Case& c : cases) {
        CAPTURE(c.why);
        for (int n = 0; n < 200; ++n) {
            Sent one = sent("OPTIONS", "z9hG4bK" + std::to_string(++branch));
            one.share = c.share;
            TransactionOutput out;
            (void)bench.layer.request(one, flow, bench.now, out);
        }
        CHECK(bench.layer.client_count() == c.most);
    }
    bench.pass(40s);
    CHECK(bench.layer.bytes() == 0);
}

TEST_CASE("the bytes of transactions are bounded, with what the user keeps for them") {
    Bench bench;
    bench.layer.set_limits({.most = 1'000, .bytes = 100'000});
    for (int n = 0; n < 1'000; ++n) {
        bench.receive(request_bytes("OPTIONS", "z9hG4bK" + std::to_string(n)), {.share = Share::stranger});
    }
    CHECK(bench.layer.bytes() >= 50'000);
    CHECK(bench.layer.bytes() < 52'000);
    bench.receive(request_bytes("OPTIONS", "z9hG4bKuser"), {.share = Share::user});
    CHECK(bench.count<RequestEvent>() == 1);
    bench.layer.count_kept(60'000);
    bench.receive(request_bytes("OPTIONS", "z9hG4bKlan"), {.share = Share::lan});
    CHECK(bench.count<RequestEvent>() == 0);
    bench.layer.count_kept(-60'000);
    bench.pass(33s);
    CHECK(bench.layer.bytes() == 0);
}

TEST_CASE("an own failure to who may be spoofed is stateless, unless a provisional was sent") {
    Bench bench;
    const Asker asker{.share = Share::stranger, .spoofable = true};
    const auto begin = [&] {
        bench.out = {};
        bench.layer.on_message(message(request_bytes("INVITE")), flow, bench.now, bench.out, asker);
        return std::get<RequestEvent>(bench.out.events.at(0));
    };
    for (int copy = 0; copy < 3; ++copy) {
        const RequestEvent event = begin();
        CHECK(bench.out.packets.empty());
        CHECK(bench.layer.refuse(event.server, response_bytes("INVITE", 407), bench.out));
        bench.layer.trying(event, bench.now, bench.out);
        REQUIRE(bench.out.packets.size() == 1);
        CHECK(bench.layer.server_count() == 0);
    }
    bench.receive(request_bytes("ACK"));
    CHECK(bench.count<AckEvent>() == 1);
    bench.pass(40s);
    CHECK(bench.out.packets.empty());
    const RequestEvent event = begin();
    bench.layer.trying(event, bench.now, bench.out);
    CHECK_FALSE(bench.layer.refuse(event.server, response_bytes("INVITE", 503), bench.out));
}

TEST_CASE("an address that has proved nothing gets at most four copies a second of all its failures") {
    for (const bool proven : {false, true}) {
        CAPTURE(proven);
        Bench bench;
        const Asker asker{.share = Share::stranger, .spoofable = true, .proven = proven};
        for (int n = 0; n < 100; ++n) {
            bench.receive(request_bytes("INVITE", "z9hG4bK" + std::to_string(n)), asker);
            CHECK(bench.answer(bench.server(), "INVITE", 486));
        }
        std::size_t most = 0;
        std::size_t all = 0;
        for (int second = 0; second < 33; ++second) {
            bench.pass(1s);
            most = std::max(most, bench.out.packets.size());
            all += bench.out.packets.size();
        }
        CHECK(most == (proven ? 100 : 4));
        CHECK(all <= (proven ? 1'000 : 4 * 33 + 4));
        CHECK(bench.layer.server_count() == 0);
    }
}

TEST_CASE("copies are counted for an address, for IPv6 its /64; a request to who may be another gets few, too") {
    struct Case {
        const char* why;
        const char* other;  ///< where every other request goes
        bool requests;      ///< of ours; else failures are sent
        std::size_t most;   ///< copies in the first second
    };
    constexpr Case cases[] = {
        {"one /64", "[2001:db8:1:2:9::7]:5062", false, 4},
        {"two of them", "[2001:db8:1:3::7]:5060", false, 8},
        {"one /64, asked by us", "[2001:db8:1:2:9::7]:5062", true, 4},
        {"two of them, asked by us", "[2001:db8:1:3::7]:5060", true, 8},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Bench bench;
        for (int n = 0; n < 40; ++n) {
            const std::string remote = n % 2 == 0 ? "[2001:db8:1:2::7]:5060" : c.other;
            const Flow there = parse_flow("udp:[2001:db8::10]:5060-" + remote).value();
            const std::string branch = "z9hG4bK" + std::to_string(n);
            if (c.requests) {
                const auto bytes = std::make_shared<const std::string>(request_bytes("OPTIONS", branch));
                const Sent sent{.bytes = bytes, .method = "OPTIONS", .branch = branch, .unproven = true};
                CHECK(bench.layer.request(sent, there, bench.now, bench.out));
            } else {
                bench.out = {};
                bench.layer.on_message(message(request_bytes("INVITE", branch)), there, bench.now, bench.out,
                                       {.share = Share::stranger, .spoofable = true});
                CHECK(bench.answer(std::get<RequestEvent>(bench.out.events.at(0)).server, "INVITE", 486));
            }
        }
        bench.pass(900ms);
        CHECK(bench.out.packets.size() == c.most);
    }
}
