// Transactions over TCP and TLS: nothing is repeated, nothing lingers, and a connection that is over fails what waits.
#include <doctest/doctest.h>

#include <algorithm>

#include "natkit/sip/message/serialize.hpp"
#include "natkit/sip/transaction.hpp"

using namespace natkit;
using namespace natkit::sip;
using namespace std::chrono_literals;

namespace {

const Flow client_flow = parse_flow("tcp:203.0.113.10:5060-198.51.100.7:40001#17").value();
const Flow other_flow = parse_flow("tcp:203.0.113.10:5060-198.51.100.7:40002#18").value();
const Flow server_flow = parse_flow("tcp:203.0.113.10:5060-198.51.100.9:5060").value();

std::string request_bytes(const std::string& method, const std::string& branch) {
    return method + " sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TCP h:5060;branch=z9hG4bK" + branch +
           "\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: 1\r\nCSeq: 1 " + method +
           "\r\nContent-Length: 0\r\n\r\n";
}

Sent sent(const std::string& method, const std::string& branch) {
    return {.bytes = std::make_shared<const std::string>(request_bytes(method, branch)),
            .method = method,
            .branch = "z9hG4bK" + branch};
}

struct Bench {
    TransactionLayer layer;
    Instant now{};
    TransactionOutput out;

    TransactionId start(const std::string& method, const Flow& flow, const std::string& branch) {
        return layer.request(sent(method, branch), flow, now, out).value();
    }
    void answer(const std::string& method, const std::string& branch, int status) {
        const Message request = Message::parse(request_bytes(method, branch)).value();
        layer.on_message(Message::parse(make_response(request, status, reason_of(status), "t")).value(), client_flow,
                         now, out);
    }
    /// The transactions that were said to have failed for want of their flow.
    std::vector<TransactionId> failed() const {
        std::vector<TransactionId> list;
        for (const auto& event : out.events) {
            const auto* timeout = std::get_if<TimeoutEvent>(&event);
            if (timeout != nullptr && timeout->unreachable) list.push_back(timeout->client);
        }
        return list;
    }
    void pass(std::chrono::milliseconds time) {
        const Instant end = now + time;
        while (layer.next_deadline() && *layer.next_deadline() <= end) {
            now = std::max(now, *layer.next_deadline());
            layer.on_time(now, out);
        }
        now = end;
    }
};

}  // namespace

TEST_CASE("over a connection a request is sent once, and its timer still ends it (timers B, F)") {
    for (const char* method : {"INVITE", "OPTIONS"}) {
        CAPTURE(method);
        Bench bench;
        (void)bench.start(method, client_flow, "a");
        bench.pass(31s);
        CHECK(bench.out.packets.size() == 1);
        CHECK(bench.out.events.empty());
        bench.pass(2s);
        CHECK(bench.out.events.size() == 1);
        CHECK(bench.failed().empty());
        CHECK(bench.layer.client_count() == 0);
    }
}

TEST_CASE("a connection is needed until the answer, after an INVITE's failure until its ACK") {
    const auto needed = [](const Bench& bench) {
        std::unordered_set<std::uint64_t> connections;
        bench.layer.add_connections(connections);
        return connections.contains(17);
    };
    for (const char* method : {"INVITE", "OPTIONS"}) {
        CAPTURE(method);
        Bench asking;
        (void)asking.start(method, client_flow, "a");
        CHECK(needed(asking));
        asking.answer(method, "a", 486);
        CHECK_FALSE(needed(asking));

        Bench asked;
        const Message request = Message::parse(request_bytes(method, "b")).value();
        asked.layer.on_message(request, client_flow, asked.now, asked.out);
        const TransactionId id = asked.layer.find(request).value();
        CHECK(needed(asked));
        const std::string refusal = make_response(request, 486, reason_of(486), "t");
        CHECK(asked.layer.respond(id, 486, refusal, asked.now, asked.out));
        const bool invite = std::string_view(method) == "INVITE";
        CHECK(needed(asked) == invite);
        if (!invite) continue;
        const std::string ack = make_ack(request, Message::parse(refusal).value());
        asked.layer.on_message(Message::parse(ack).value(), client_flow, asked.now, asked.out);
        CHECK_FALSE(needed(asked));
    }
}

TEST_CASE("over a connection nothing waits for retransmissions (timers D, I, J, K)") {
    Bench bench;
    (void)bench.start("INVITE", client_flow, "a");
    (void)bench.start("OPTIONS", client_flow, "b");
    bench.answer("INVITE", "a", 486);
    bench.answer("OPTIONS", "b", 200);
    bench.pass(1ms);
    CHECK(bench.layer.client_count() == 0);
    bench.layer.on_message(Message::parse(request_bytes("OPTIONS", "c")).value(), client_flow, bench.now, bench.out);
    const auto server = std::get<RequestEvent>(bench.out.events.back()).server;
    CHECK(bench.layer.respond(server, 200, "x", bench.now, bench.out));
    bench.pass(1ms);
    CHECK(bench.layer.server_count() == 0);
    bench.layer.on_message(Message::parse(request_bytes("INVITE", "d")).value(), client_flow, bench.now, bench.out);
    const auto invite = std::get<RequestEvent>(bench.out.events.back()).server;
    bench.out = {};
    CHECK(bench.layer.respond(invite, 486, "x", bench.now, bench.out));
    bench.pass(31s);
    CHECK(bench.out.packets.size() == 1);  // timer G does not run
}

TEST_CASE("a client's connection that is over fails what waits on it, and only that") {
    Bench bench;
    const auto trying = bench.start("INVITE", client_flow, "a");
    const auto ringing = bench.start("INVITE", client_flow, "b");
    const auto other = bench.start("INVITE", other_flow, "c");
    bench.answer("INVITE", "b", 180);
    bench.layer.on_flow_failed(client_flow, bench.out);
    auto failed = bench.failed();
    std::ranges::sort(failed);
    CHECK(failed == std::vector<TransactionId>{trying, ringing});
    CHECK(bench.layer.alive(other));
    CHECK(bench.layer.client_count() == 1);
}

TEST_CASE("a server that has answered provisionally may answer by another connection") {
    Bench bench;
    const auto trying = bench.start("INVITE", server_flow, "a");
    const auto ringing = bench.start("INVITE", server_flow, "b");
    bench.answer("INVITE", "b", 180);
    bench.layer.on_flow_failed(server_flow, bench.out);
    CHECK(bench.failed() == std::vector<TransactionId>{trying});
    bench.answer("INVITE", "b", 200);
    CHECK(std::get<ResponseEvent>(bench.out.events.back()).client == ringing);
}
