#include "natkit/ping/pinger.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace natkit;
using namespace std::chrono_literals;
using ping::Client;
using ping::Event;
using ping::Pinger;

namespace {

const Instant start{Duration(3h)};

Client client(const std::string& name, const char* remote = "198.51.100.7:40001") {
    return {.id = name,
            .aor = "sip:" + name + "@example.com",
            .local = Endpoint::parse("203.0.113.10:5060").value(),
            .remote = Endpoint::parse(remote).value()};
}

ping::Options every(Duration interval, ping::Method method = ping::Method::crlf, std::size_t limit = 100) {
    return {.udp_interval = interval, .tcp_interval = interval, .method = method, .clients_limit = limit};
}

/// Runs time from `now` to `until`, all packets sent; `answer` decides about each request. Who falls silent is silent:
/// whoever receives the answers says so at once.
template <class Answer>
std::vector<Event> run(Pinger& pinger, Instant now, Instant until, Answer answer) {
    std::vector<Event> all;
    while (pinger.next_deadline() && *pinger.next_deadline() < until) {
        now = std::max(now, *pinger.next_deadline());
        for (Event& event : pinger.on_time(now)) {
            if (event.kind == Event::Kind::send) {
                for (Event& more : pinger.on_sent(event.client.id, ping::SendOutcome::sent, "", now))
                    all.push_back(more);
                answer(event, pinger);
            } else if (event.kind == Event::Kind::silent) {
                for (Event& more : pinger.confirm_silence(event.client.id, now)) all.push_back(more);
                continue;
            }
            all.push_back(std::move(event));
        }
    }
    return all;
}

std::string branch_of(const std::string& request) {
    const auto from = request.find("branch=") + 7;
    return request.substr(from, request.find(';', from) - from);
}

auto no_answer = [](const Event&, Pinger&) {};
auto answers = [](const Event& event, Pinger& pinger) {
    static_cast<void>(pinger.on_answer(branch_of(event.text), event.client.remote));
};

long count(const std::vector<Event>& events, Event::Kind kind) {
    return std::ranges::count(events, kind, &Event::kind);
}

}  // namespace

TEST_CASE("Pinger: who has not shown that it receives what is sent to it is not pinged, until it has") {
    Pinger pinger(every(10s), 1);
    Client victim = client("victim");
    victim.reached = false;
    CHECK(pinger.on_client(victim, start).empty());
    CHECK(pinger.clients() == 0);
    victim.reached = true;
    CHECK(pinger.on_client(victim, start).empty());
    CHECK(pinger.pinged() == 1);
    victim.reached = false;  // it has moved, and not shown it there
    CHECK(pinger.on_client(victim, start).empty());
    CHECK(pinger.pinged() == 0);
}

TEST_CASE("ping::Pinger: far-end clients only, and a silent phone is not dead to CRLF") {
    Pinger pinger(every(25s), 1);
    static_cast<void>(pinger.on_client(client("bob"), start));
    Client lan = client("anna");
    lan.place = nat::Place::lan;
    static_cast<void>(pinger.on_client(lan, start));
    CHECK(pinger.pinged() == 1);
    const auto events = run(pinger, start, start + 1h, no_answer);
    CHECK(count(events, Event::Kind::send) >= 144);
    CHECK(count(events, Event::Kind::dead) == 0);
    CHECK(events.front().text == "\r\n\r\n");
}

TEST_CASE("ping::Pinger: a client that moves to another place is let go") {
    Pinger pinger(every(25s), 1);
    static_cast<void>(pinger.on_client(client("bob"), start));
    Client moved = client("bob");
    moved.place = nat::Place::wan;
    static_cast<void>(pinger.on_client(moved, start + 1s));
    CHECK(pinger.clients() == 0);
    CHECK(run(pinger, start, start + 60s, no_answer).empty());
}

TEST_CASE("ping::Pinger: OPTIONS unanswered by a client that answered before means dead, else nothing") {
    Pinger pinger(every(25s, ping::Method::options), 7);
    static_cast<void>(pinger.on_client(client("bob"), start));
    SUBCASE("never answered") {
        CHECK(count(run(pinger, start, start + 10min, no_answer), Event::Kind::dead) == 0);
        CHECK(pinger.pinged() == 1);
    }
    SUBCASE("answers each") {
        const auto events = run(pinger, start, start + 10min, answers);
        CHECK(count(events, Event::Kind::dead) == 0);
        CHECK(count(events, Event::Kind::send) <= 28);
        CHECK(pinger.counters().answers == pinger.counters().sent);
    }
    SUBCASE("answered, then fell silent: three tries, then dead, once") {
        static_cast<void>(run(pinger, start, start + 60s, answers));
        const auto events = run(pinger, start + 60s, start + 10min, no_answer);
        CHECK(count(events, Event::Kind::send) == 3);
        REQUIRE(count(events, Event::Kind::dead) == 1);
        CHECK(events.back().client.id == "bob");
        CHECK(pinger.clients() == 0);
    }
    SUBCASE("one lost packet is made up for by the repetition") {
        static_cast<void>(run(pinger, start, start + 60s, answers));
        int asked = 0;
        const auto events = run(pinger, start + 60s, start + 5min, [&](const Event& event, Pinger& p) {
            if (++asked % 2 == 0) answers(event, p);
        });
        CHECK(count(events, Event::Kind::dead) == 0);
    }
}

TEST_CASE("ping::Pinger: the successor of another node pings at once whom it gets to know late") {
    const auto first_ping = [](bool successor) {
        Pinger pinger(every(10s), 1, start - 10s);
        if (successor) pinger.make_up_until(start + 10s);
        pinger.begin_snapshot();  // of an owner that does not know its clients yet
        pinger.end_snapshot(start);
        static_cast<void>(pinger.on_client(client("bob"), start + 1s));
        return pinger.next_deadline().value();
    };
    CHECK(first_ping(true) <= start + 1s);
    CHECK(first_ping(false) > start + 1s);
    Pinger later(every(10s), 1, start - 10s);
    later.make_up_until(start + 10s);
    static_cast<void>(later.on_client(client("bob"), start + 10s));
    CHECK(later.next_deadline().value() > start + 10s);
}

TEST_CASE("ping::Pinger: answers of strangers do nothing") {
    Pinger pinger(every(25s, ping::Method::options), 7);
    static_cast<void>(pinger.on_client(client("bob"), start));
    std::string branch;
    static_cast<void>(run(pinger, start, start + 30s, [&](const Event& e, Pinger&) { branch = branch_of(e.text); }));
    const Endpoint stranger = Endpoint::parse("192.0.2.66:5060").value();
    const Endpoint bob = client("bob").remote;
    std::string guessed = branch;
    guessed.back() = guessed.back() == '0' ? '1' : '0';
    CHECK(pinger.on_answer(branch, stranger).empty());
    CHECK(pinger.on_answer(guessed, bob).empty());
    CHECK(pinger.on_answer("z9hG4bK-natkit-ping-zz", bob).empty());
    CHECK(pinger.on_answer("", bob).empty());
    CHECK(pinger.counters().strangers == 4);
    CHECK(pinger.counters().answers == 0);
    CHECK(pinger.on_answer(branch, bob).size() == 1);
}

TEST_CASE("ping::Pinger: limit 1 with two clients pings one and tells of the other, which gets the place later") {
    Pinger pinger(every(25s, ping::Method::crlf, 1), 1);
    CHECK(pinger.on_client(client("a"), start).empty());
    const auto refused = pinger.on_client(client("b"), start);
    REQUIRE(refused.size() == 1);
    CHECK(refused[0].kind == Event::Kind::refused);
    CHECK(pinger.on_client(client("b"), start).empty());
    for (const Event& event : run(pinger, start, start + 5min, no_answer)) CHECK(event.client.id == "a");
    pinger.on_removed("a", start + 5min);
    CHECK(pinger.pinged() == 1);
    for (const Event& event : run(pinger, start + 5min, start + 10min, no_answer)) CHECK(event.client.id == "b");
}

TEST_CASE("ping::Pinger: a socket that is busy is tried again, one that refuses three times means dead") {
    Pinger pinger(every(25s), 1);
    static_cast<void>(pinger.on_client(client("bob"), start));
    Instant now = pinger.next_deadline().value();
    REQUIRE(pinger.on_time(now).size() == 1);
    CHECK(pinger.on_sent("bob", ping::SendOutcome::later, "try again", now).empty());
    now = pinger.next_deadline().value();
    CHECK(now - start < 30s);
    REQUIRE(pinger.on_time(now).size() == 1);
    static_cast<void>(pinger.on_sent("bob", ping::SendOutcome::sent, "", now));
    std::vector<Event> dead;
    for (int i = 0; i < 3; ++i) {
        CHECK(dead.empty());
        now = pinger.next_deadline().value();
        REQUIRE(pinger.on_time(now).size() == 1);
        dead = pinger.on_sent("bob", ping::SendOutcome::failed, "no route to host", now);
    }
    REQUIRE(dead.size() == 1);
    CHECK(dead[0].text == "no route to host");
}

TEST_CASE("ping::Pinger: a snapshot replaces what was known") {
    Pinger pinger(every(25s), 1);
    for (const char* name : {"a", "b"}) static_cast<void>(pinger.on_client(client(name), start));
    pinger.begin_snapshot();
    static_cast<void>(pinger.on_client(client("b"), start + 1s));
    static_cast<void>(pinger.on_client(client("c"), start + 1s));
    pinger.end_snapshot(start + 1s);
    CHECK(pinger.find("a") == nullptr);
    CHECK(pinger.find("b") != nullptr);
    CHECK(pinger.pinged() == 2);
}

TEST_CASE("ping::Pinger: off, TCP by its owner, and expiry") {
    ping::Options options = every(25s);
    options.udp_interval.reset();
    Pinger pinger(options, 1);
    static_cast<void>(pinger.on_client(client("udp"), start));
    Client tcp = client("tcp");
    tcp.transport = ping::Transport::tcp;
    tcp.expires = start + 100s;
    static_cast<void>(pinger.on_client(tcp, start));
    const auto events = run(pinger, start, start + 200s, no_answer);
    CHECK(count(events, Event::Kind::send) == 0);
    CHECK(count(events, Event::Kind::connection) >= 4);
    CHECK(count(events, Event::Kind::expired) == 1);
    SUBCASE("switched on again by a reload") {
        static_cast<void>(pinger.reload(every(10s), start + 200s));
        CHECK(count(run(pinger, start + 200s, start + 300s, no_answer), Event::Kind::send) >= 9);
    }
}

TEST_CASE("ping::Pinger: a host that cannot send at present ends no registration, and pings again soon") {
    for (const auto method : {ping::Method::crlf, ping::Method::options}) {
        Pinger pinger(every(25s, method), 1);
        static_cast<void>(pinger.on_client(client("bob"), start));
        const bool ask = method == ping::Method::options;
        const auto answer = [ask](const Event& event, Pinger& p) {
            if (ask) answers(event, p);
        };
        static_cast<void>(run(pinger, start, start + 60s, answer));
        Instant now = start + 60s;
        std::vector<Instant> tries;
        while (now < start + 10min) {
            now = std::max(now, pinger.next_deadline().value());
            for (const Event& event : pinger.on_time(now)) {
                REQUIRE(event.kind == Event::Kind::send);
                tries.push_back(now);
                CHECK(pinger.on_sent("bob", ping::SendOutcome::unable, "network is unreachable", now).empty());
            }
        }
        CHECK(pinger.pinged() == 1);
        REQUIRE(tries.size() > 2);
        for (std::size_t i = 1; i < tries.size(); ++i) CHECK(tries[i] - tries[i - 1] <= 5s);
        CHECK(count(run(pinger, now, now + 5min, answer), Event::Kind::dead) == 0);
    }
}

TEST_CASE("ping::Pinger: silence counts only while somebody hears the answers") {
    Pinger pinger(every(25s, ping::Method::options), 7);
    static_cast<void>(pinger.on_client(client("bob"), start));
    static_cast<void>(run(pinger, start, start + 60s, answers));
    SUBCASE("away") {
        pinger.set_answers_arrive(false);
        CHECK(count(run(pinger, start + 60s, start + 10min, no_answer), Event::Kind::send) >= 20);
        CHECK(pinger.pinged() == 1);
        pinger.set_answers_arrive(true);
        CHECK(count(run(pinger, start + 10min, start + 11min, no_answer), Event::Kind::send) >= 3);
        CHECK(pinger.clients() == 0);
    }
    SUBCASE("back in the middle of a silence") {
        Instant now = start + 60s;
        for (int i = 0; i < 2; ++i) {
            now = pinger.next_deadline().value();
            CHECK(pinger.on_time(now).front().kind == Event::Kind::send);
        }
        pinger.set_answers_arrive(true);
        CHECK(count(run(pinger, now, now + 10min, answers), Event::Kind::dead) == 0);
    }
    SUBCASE("forgiven, or answered before it is confirmed") {
        Instant now = start + 60s;
        std::vector<Event> events;
        std::string branch;
        do {
            now = std::max(now, pinger.next_deadline().value());
            events = pinger.on_time(now);
            if (!events.empty() && events[0].kind == Event::Kind::send) branch = branch_of(events[0].text);
        } while (events.empty() || events[0].kind != Event::Kind::silent);
        SUBCASE("forgiven") {
            pinger.ignore_silence("bob");
        }
        SUBCASE("answered") {
            static_cast<void>(pinger.on_answer(branch, client("bob").remote));
        }
        CHECK(pinger.confirm_silence("bob", now).empty());
        CHECK(count(run(pinger, now, now + 10min, answers), Event::Kind::dead) == 0);
    }
}

TEST_CASE("ping::Pinger: a busy socket is no refusal, and a TCP ping that went well forgives the ones before") {
    Pinger pinger(every(25s), 1);
    Client tcp = client("tcp");
    tcp.transport = ping::Transport::tcp;
    static_cast<void>(pinger.on_client(tcp, start));
    static_cast<void>(pinger.on_client(client("udp"), start));
    using enum ping::SendOutcome;
    for (const ping::SendOutcome outcome : {failed, failed, sent, failed, failed, sent}) {
        CHECK(pinger.on_sent("tcp", outcome, "no such connection", start).empty());
    }
    for (int i = 0; i < 100; ++i) CHECK(pinger.on_sent("udp", later, "", start).empty());
    for (int i = 0; i < 2; ++i) CHECK(pinger.on_sent("udp", failed, "no route to host", start).empty());
    CHECK(pinger.on_sent("udp", failed, "no route to host", start).size() == 1);
    CHECK(pinger.counters().sent == 2);
}

TEST_CASE("ping::Pinger: a smaller limit for 50,000 clients takes no time, and its waiting list stays bounded") {
    Pinger pinger(every(25s, ping::Method::crlf, 50'000), 1);
    for (int i = 0; i < 50'000; ++i) static_cast<void>(pinger.on_client(client("c" + std::to_string(i)), start));
    const auto began = std::chrono::steady_clock::now();
    const auto events = pinger.reload(every(25s, ping::Method::crlf, 1000), start);
    CHECK(std::chrono::steady_clock::now() - began < 5s);
    CHECK(count(events, Event::Kind::refused) == 49'000);
    CHECK(pinger.pinged() == 1000);
    CHECK(pinger.clients() == 11'000);  // 10,000 wait for room
    static_cast<void>(pinger.reload(every(25s, ping::Method::crlf, 50'000), start));
    CHECK(pinger.pinged() == 11'000);
}

TEST_CASE("ping::Pinger: who waits and goes leaves its place to others") {
    Pinger pinger(every(25s, ping::Method::crlf, 1), 1);
    static_cast<void>(pinger.on_client(client("first"), start));
    for (int i = 0; i < 30'000; ++i) {
        const std::string name = "c" + std::to_string(i);
        static_cast<void>(pinger.on_client(client(name), start));
        pinger.on_removed(name, start);
    }
    static_cast<void>(pinger.on_client(client("last"), start));
    pinger.on_removed("first", start);
    CHECK(pinger.pinged() == 1);
    CHECK(pinger.find("last") != nullptr);
}

TEST_CASE("ping::Pinger: a reload to OPTIONS finds the answers of those known before") {
    Pinger pinger(every(25s), 1);
    static_cast<void>(pinger.on_client(client("bob"), start));
    static_cast<void>(pinger.reload(every(25s, ping::Method::options), start));
    static_cast<void>(run(pinger, start, start + 60s, answers));
    CHECK(pinger.counters().answers >= 2);
    CHECK(pinger.counters().strangers == 0);
}

TEST_CASE("ping::Pinger: a client that another node has pinged until now is pinged at once") {
    Pinger pinger(every(25s), 1);
    Client taken = client("bob");
    taken.taken = true;
    static_cast<void>(pinger.on_client(taken, start));
    CHECK(count(run(pinger, start, start + 1s, no_answer), Event::Kind::send) == 1);
    static_cast<void>(pinger.on_client(taken, start + 1s));
    CHECK(count(run(pinger, start + 1s, start + 20s, no_answer), Event::Kind::send) <= 1);
}
