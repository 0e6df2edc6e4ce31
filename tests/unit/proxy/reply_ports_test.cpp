#include "natkit/proxy/reply_ports.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using namespace std::chrono_literals;

namespace {

constexpr std::uint16_t via_port = 5060;

struct Client {
    proxy::ReplyPorts ports{4};
    Endpoint source = Endpoint::parse("203.0.113.9:40001").value();
    Instant now{};

    /// "5060", "40001", or both, the first one first; "!" where it has changed by this.
    std::string answered(std::uint64_t request, std::chrono::milliseconds later = 0ms) {
        now += later;
        const auto where = ports.on_request(source, via_port, request, now);
        std::string text = std::to_string(where.to.port);
        if (where.also) text += " " + std::to_string(where.also->port);
        return text + (where.was ? "!" : "");
    }
};

}  // namespace

TEST_CASE("proxy::ReplyPorts: the Via's port until a repetition says that nobody listens there") {
    Client client;
    CHECK(client.ports.known(client.source, via_port).port == 5060);
    CHECK(client.answered(1) == "5060");
    SUBCASE("it listens there: answers go there for good") {
        for (std::uint64_t request = 2; request < 9; ++request) CHECK(client.answered(request, 10s) == "5060");
    }
    SUBCASE("it does not: the repetition is answered at both, what comes later at the source, for good") {
        CHECK(client.answered(1, 500ms) == "40001 5060!");
        CHECK(client.answered(1, 1s) == "40001 5060");
        CHECK(client.ports.known(client.source, via_port).port == 40001);
        for (std::uint64_t request = 2; request < 9; ++request) CHECK(client.answered(request, 10s) == "40001");
        client.source.port = 40777;  // its NAT has another port for it
        CHECK(client.answered(9, 10s) == "40777");
    }
    SUBCASE("an answer was lost: the next repetition brings it back") {
        CHECK(client.answered(1, 500ms) == "40001 5060!");
        CHECK(client.answered(2, 10s) == "40001");
        CHECK(client.answered(2, 500ms) == "5060 40001!");
        CHECK(client.answered(3, 10s) == "5060");
    }
    SUBCASE("who has heard answers has not moved because one is lost") {
        CHECK(client.answered(2, 10s) == "5060");
        CHECK(client.answered(2, 500ms) == "5060 40001");
        CHECK(client.answered(3, 10s) == "5060");
        CHECK(client.answered(4, 10s) == "5060");
        CHECK(client.answered(4, 500ms) == "5060 40001");
        CHECK(client.answered(4, 1s) == "40001 5060!");
    }
    SUBCASE("two at once, as at a phone's start, prove nothing") {
        CHECK(client.answered(2, 10ms) == "5060");
        CHECK(client.answered(1, 490ms) == "40001 5060!");
        CHECK(client.answered(2, 10ms) == "40001 5060");
        CHECK(client.answered(3, 10s) == "40001");
    }
}

TEST_CASE("proxy::ReplyPorts: clients are told apart by address and port, and bounded") {
    Client client;
    CHECK(client.answered(1) == "5060");
    CHECK(client.answered(1, 500ms) == "40001 5060!");
    const Endpoint other = Endpoint::parse("[2001:db8::9]:40001").value();
    CHECK(client.ports.on_request(other, via_port, 1, client.now).to.port == 5060);
    CHECK(client.ports.on_request(client.source, 5061, 1, client.now).to.port == 5061);
    for (std::uint16_t port = 6000; port < 6004; ++port)
        CHECK(client.ports.on_request(client.source, port, 1, client.now).to.port == port);
    CHECK(client.ports.known(client.source, via_port).port == 5060);
}
