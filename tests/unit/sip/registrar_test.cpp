#include "natkit/sip/registrar.hpp"

#include <doctest/doctest.h>

#include <ctime>

using namespace natkit;
using namespace natkit::sip;
using namespace std::chrono_literals;
using Kind = BindingChange::Kind;

namespace {

const WallTime start = WallTime(1'700'000'000s);

/// Good enough to tell ids apart; another key gives others.
std::array<std::uint8_t, 32> sum(std::span<const std::uint8_t> data, std::uint64_t key) {
    std::array<std::uint8_t, 32> code{};
    for (const std::uint8_t byte : data) key = (key ^ byte) * 0x100000001b3u;
    for (std::size_t i = 0; i < 8; ++i) code[i] = static_cast<std::uint8_t>(key >> (8 * i));
    return code;
}
const Mac mac = [](std::span<const std::uint8_t> data) { return sum(data, 1); };

Registration request(std::uint32_t cseq, std::vector<ContactRequest> contacts, const char* port = "40001") {
    return {.aor = "bob@example.com",
            .contacts = std::move(contacts),
            .remove_all = false,
            .call_id = "c1",
            .cseq = cseq,
            .flow = parse_flow(std::string("udp:203.0.113.10:5060-198.51.100.7:") + port).value(),
            .verdict = nat::classify_address(IpAddress::parse("198.51.100.7").value(), {}),
            .user_agent = "phone"};
}

ContactRequest contact(const char* uri, std::optional<std::chrono::seconds> expires = 600s) {
    return {.uri = uri, .expires = expires, .q = 1000, .instance = {}};
}

}  // namespace

TEST_CASE("Registrar: add, refresh, remove") {
    Registrar registrar({}, mac);
    auto outcome = registrar.register_contacts(request(1, {contact("sip:bob@10.0.0.1")}), start);
    REQUIRE(outcome.status == 200);
    CHECK(outcome.changes.at(0).kind == Kind::added);
    CHECK(registrar.on_flow(outcome.changes[0].binding.flow) != nullptr);
    outcome = registrar.register_contacts(request(2, {contact("sip:bob@10.0.0.1")}, "40002"), start + 300s);
    CHECK(outcome.changes.at(0).kind == Kind::updated);
    CHECK(registrar.lookup("bob@example.com", start + 301s).at(0).flow.remote.port == 40002);
    CHECK(registrar.on_flow(request(1, {}).flow) == nullptr);
    outcome = registrar.register_contacts(request(3, {contact("sip:bob@10.0.0.1", 0s)}), start + 302s);
    CHECK(outcome.changes.at(0).kind == Kind::removed);
    CHECK(registrar.size() == 0);
    CHECK_FALSE(registrar.knows("bob@example.com"));
}

namespace {

const char* const home_contact = "sip:bob@192.168.1.10:5060";

/// A phone behind a NAT, with the Contact that phones behind other NATs have as well.
Registration from_home(const char* visible, const char* port, const char* call_id, std::uint32_t cseq,
                       std::chrono::seconds expires = 600s, const nat::Networks& networks = {}) {
    auto result = request(cseq, {contact(home_contact, expires)});
    result.call_id = call_id;
    result.flow = parse_flow(std::string("udp:203.0.113.10:5060-") + visible + ":" + port).value();
    result.verdict = {.place = nat::Place::far_end,
                      .rule = nat::Rule::nated,
                      .site = nat::site_of(result.flow.remote.address, networks),
                      .claimed = {}};
    return result;
}

}  // namespace

TEST_CASE("Registrar: the same private Contact behind two NATs is two clients") {
    Registrar registrar({}, mac);
    const auto one = registrar.register_contacts(from_home("198.51.100.7", "5060", "one", 1), start);
    const auto two = registrar.register_contacts(from_home("198.51.100.8", "5060", "two", 1), start);
    REQUIRE(two.changes.size() == 1);
    CHECK(two.changes[0].kind == Kind::added);
    CHECK(one.changes.at(0).binding.id != two.changes[0].binding.id);
    CHECK(registrar.lookup("bob@example.com", start).size() == 2);

    // From another port of the same NAT, even after a reboot of the phone: its own binding.
    auto again = registrar.register_contacts(from_home("198.51.100.7", "61234", "rebooted", 1), start + 10s);
    REQUIRE(again.changes.size() == 1);
    CHECK(again.changes[0].kind == Kind::updated);
    CHECK(again.changes[0].binding.id == one.changes[0].binding.id);
    CHECK(registrar.by_id(one.changes[0].binding.id)->flow.remote.port == 61234);

    // By the same Call-ID it is the same phone, though its NAT has another address by now; what has its old one next is
    // not.
    again = registrar.register_contacts(from_home("198.51.100.99", "5060", "two", 2), start + 20s);
    REQUIRE(again.changes.size() == 1);
    CHECK(again.changes[0].binding.id == two.changes[0].binding.id);
    CHECK(registrar.size() == 2);
    again = registrar.register_contacts(from_home("198.51.100.8", "5060", "three", 1), start + 20s);
    CHECK(again.changes.at(0).kind == Kind::added);
    CHECK(again.changes.at(0).binding.id != two.changes[0].binding.id);
    CHECK(registrar.size() == 3);
    again = registrar.register_contacts(from_home("198.51.100.8", "5060", "three", 2, 0s), start + 20s);
    CHECK(registrar.size() == 2);

    // Each ends its own alone.
    again = registrar.register_contacts(from_home("198.51.100.99", "5060", "two", 3, 0s), start + 30s);
    REQUIRE(again.changes.size() == 1);
    CHECK(again.changes[0].binding.flow.remote.address == IpAddress::parse("198.51.100.99").value());
    CHECK(registrar.lookup("bob@example.com", start + 30s).at(0).call_id == "rebooted");
}

TEST_CASE("Registrar: one range of nat_servers is one site; the WAN and the LAN go by the Contact") {
    nat::Networks networks;
    networks.nat_servers.add(IpRange::parse("198.51.100.0/24").value());
    Registrar registrar({}, mac);
    REQUIRE(registrar.register_contacts(from_home("198.51.100.7", "5060", "one", 1, 600s, networks), start).status ==
            200);
    auto outcome = registrar.register_contacts(from_home("198.51.100.8", "5060", "two", 1, 600s, networks), start);
    CHECK(outcome.changes.at(0).kind == Kind::updated);
    for (const nat::Place place : {nat::Place::wan, nat::Place::lan}) {
        Registrar other({}, mac);
        for (const char* visible : {"203.0.113.50", "203.0.113.51"}) {
            auto plain = from_home(visible, "5060", visible, 1);
            plain.verdict.place = place;
            outcome = other.register_contacts(plain, start);
        }
        CHECK(outcome.changes.at(0).kind == Kind::updated);
        CHECK(other.size() == 1);
    }
}

TEST_CASE("Registrar: a client that turns out to be elsewhere keeps one binding") {
    Registrar registrar({}, mac);
    const auto one = registrar.register_contacts(from_home("198.51.100.7", "5060", "one", 1), start);
    auto moved = from_home("198.51.100.7", "5060", "rebooted", 1);
    moved.verdict.place = nat::Place::wan;
    CHECK(registrar.set_verdict(one.changes.at(0).binding.id, moved.verdict).size() == 1);
    const auto again = registrar.register_contacts(moved, start + 10s);
    REQUIRE(again.changes.size() == 1);
    CHECK(again.changes[0].binding.id == one.changes[0].binding.id);
    CHECK(registrar.size() == 1);
    CHECK(registrar.all().at(0).call_id == "rebooted");
}

TEST_CASE("Registrar: expiry, and what is left of it") {
    Registrar registrar({}, mac);
    REQUIRE(registrar.register_contacts(request(1, {contact("sip:a@h"), contact("sip:b@h", 60s)}), start).status ==
            200);
    CHECK(registrar.next_expiry() == start + 60s);
    CHECK(registrar.lookup("bob@example.com", start + 61s).size() == 1);
    CHECK(registrar.expire(start + 61s).size() == 1);
    CHECK(registrar.expire(start + 601s).size() == 1);
    CHECK(registrar.size() == 0);
    CHECK_FALSE(registrar.next_expiry());
}

TEST_CASE("Registrar: what is refused changes nothing") {
    Registrar registrar({.min_expires = 60s, .max_expires = 3600s, .contacts_per_aor = 2, .bindings = 3}, mac);
    REQUIRE(registrar.register_contacts(request(5, {contact("sip:a@h")}), start).status == 200);
    CHECK(registrar.register_contacts(request(5, {contact("sip:a@h")}), start).status == 500);
    CHECK(registrar.register_contacts(request(6, {contact("sip:b@h", 30s)}), start).status == 423);
    CHECK(registrar.register_contacts(request(7, {contact("sip:b@h"), contact("sip:c@h")}), start).status == 503);
    CHECK(registrar.size() == 1);
    auto everything = request(8, {});
    everything.remove_all = true;
    CHECK(registrar.register_contacts(everything, start).changes.size() == 1);
}

TEST_CASE("Registrar: too long is shortened, q orders, one device has one binding") {
    Registrar registrar({}, mac);
    auto low = contact("sip:low@h", 99'999s);
    low.q = 100;
    REQUIRE(registrar.register_contacts(request(1, {low, contact("sip:high@h")}), start).status == 200);
    const auto found = registrar.lookup("bob@example.com", start);
    CHECK(found.at(0).contact == "sip:high@h");
    CHECK(found.at(1).expires == start + 3600s);
    auto device = contact("sip:x@10.0.0.1");
    device.instance = "<urn:uuid:1>";
    REQUIRE(registrar.register_contacts(request(2, {device}), start).status == 200);
    device.uri = "sip:x@10.0.0.2";
    const auto outcome = registrar.register_contacts(request(3, {device}), start);
    CHECK(outcome.changes.size() == 2);
    CHECK(registrar.size() == 3);
}

TEST_CASE("Registrar: restored bindings, dead ones left out; removal by id") {
    Registrar first({}, mac);
    const auto outcome = first.register_contacts(request(1, {contact("sip:a@h")}), start);
    Registrar second({}, mac);
    second.restore(outcome.changes.at(0).binding, start + 10s);
    CHECK(second.size() == 1);
    CHECK(second.lookup("bob@example.com", start + 10s).size() == 1);
    CHECK(second.remove(outcome.changes[0].binding.id).size() == 1);
    CHECK(second.remove("nothing").empty());
    second.restore(outcome.changes[0].binding, start + 700s);
    CHECK(second.size() == 0);
}

TEST_CASE("Registrar: what another node has takes the place of its id alone, beyond limits; an expired one is gone") {
    Registrar registrar({.contacts_per_aor = 1, .bindings = 1}, mac);
    const auto outcome = registrar.register_contacts(request(1, {contact("sip:a@h")}), start);
    const Binding first = outcome.changes.at(0).binding;
    Binding other = first;  // the same client, as a moment between two changes may show it
    other.id = "0123456789abcdef";
    other.flow.remote.port = 40002;
    CHECK(registrar.replace(other, start));
    CHECK(registrar.size() == 2);
    CHECK(registrar.on_flow(first.flow) != nullptr);
    CHECK(registrar.lookup("bob@example.com", start).at(0).id == other.id);
    Binding moved = other;
    moved.aor = "bert@example.com";
    moved.expires = start + 700s;
    CHECK(registrar.replace(moved, start));
    CHECK(registrar.size() == 2);
    CHECK(registrar.lookup("bob@example.com", start).size() == 1);
    CHECK(registrar.by_id(other.id)->aor == "bert@example.com");
    CHECK(registrar.ids_if([](const Binding& one) { return one.flow.remote.port == 40002; }) == std::vector{other.id});
    CHECK(registrar.expire(start + 650s).size() == 1);
    moved.expires = start;
    CHECK_FALSE(registrar.replace(moved, start));
    CHECK(registrar.size() == 0);
    CHECK_FALSE(registrar.knows("bert@example.com"));
}

TEST_CASE("Registrar: who unregisters here what is registered elsewhere") {
    struct Case {
        const char* why;
        const char* call_id;
        std::uint32_t cseq;
        bool all;
        const char* contact;
        bool ends;
    };
    constexpr Case cases[] = {
        {"its Contact", "c1", 3, false, "sip:bob@10.0.0.1", true},
        {"all", "c1", 3, true, "", true},
        {"with another Call-ID, as after the phone's restart", "c2", 1, true, "", true},
        {"an older request", "c1", 2, false, "sip:bob@10.0.0.1", false},
        {"another Contact", "c1", 3, false, "sip:bob@10.0.0.9", false},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Registrar elsewhere({}, mac);
        const auto there = elsewhere.register_contacts(request(2, {contact("sip:bob@10.0.0.1")}), start);
        Registrar here({}, mac);
        here.set_elsewhere(elsewhere);
        Registration end = request(c.cseq, {}, "40002");
        end.call_id = c.call_id;
        end.remove_all = c.all;
        if (!c.all) end.contacts = {contact(c.contact, 0s)};
        const auto outcome = here.register_contacts(end, start + 5s);
        CHECK(outcome.status == 200);
        REQUIRE(outcome.changes.size() == (c.ends ? 1 : 0));
        if (!c.ends) continue;
        const BindingChange& change = outcome.changes[0];
        CHECK((change.kind == Kind::removed && change.elsewhere));
        CHECK(change.binding.id == there.changes.at(0).binding.id);
        CHECK(change.binding.flow == end.flow);
        CHECK(change.binding.expires == start + 5s);
        CHECK(change.binding.registered == start + 5s);
        CHECK(change.binding.cseq == c.cseq);
    }
}

TEST_CASE("Registrar: an id depends on the key, and is never two users'") {
    const auto other = [](std::span<const std::uint8_t> data) { return sum(data, 2); };
    CHECK(binding_id("a@h", "sip:a@h", "", mac) == binding_id("a@h", "sip:a@h", "", mac));
    CHECK(binding_id("a@h", "sip:a@h", "", mac) != binding_id("a@h", "sip:a@h", "", other));
    CHECK(binding_id("a@h", "sip:a@h", "", mac) != binding_id("a@h", "sip:b@h", "", mac));
    CHECK(binding_id("a@h", "sip:a@h", "", mac) != binding_id("a@h", "sip:a@h", "198.51.100.7", mac));
    Registrar registrar({}, [](std::span<const std::uint8_t>) { return std::array<std::uint8_t, 32>{7}; });
    auto outcome = registrar.register_contacts(request(1, {contact("sip:bob@10.0.0.1")}), start);
    REQUIRE(outcome.status == 200);
    const Binding bob = outcome.changes.at(0).binding;
    auto eve = request(1, {contact("sip:eve@10.0.0.2")});
    eve.aor = "eve@example.com";
    CHECK(registrar.register_contacts(eve, start).status == 403);
    Binding learned = bob;
    learned.aor = "eve@example.com";
    CHECK(registrar.learn(learned).empty());
    registrar.restore(learned, start);
    REQUIRE(registrar.by_id(bob.id) != nullptr);
    CHECK(registrar.by_id(bob.id)->aor == "bob@example.com");
    CHECK(registrar.size() == 1);
    CHECK(registrar.set_verdict(bob.id, bob.verdict).size() == 1);
    CHECK(registrar.remove(bob.id).size() == 1);
}

namespace {

/// CPU time of registering so many users and renewing them, on one flow or each on one of his own.
double time_of(int users, bool one_flow) {
    Registrar registrar({}, mac);
    const auto began = std::clock();
    for (std::uint32_t cseq = 1; cseq <= 2; ++cseq) {
        for (int user = 0; user < users; ++user) {
            auto renewal = request(cseq, {contact("sip:line@198.51.100.7")});
            renewal.aor = "user" + std::to_string(user) + "@example.com";
            if (!one_flow) renewal.flow.remote.port = static_cast<std::uint16_t>(1024 + user);
            REQUIRE(registrar.register_contacts(renewal, start).status == 200);
            REQUIRE(registrar.on_flow(renewal.flow, renewal.aor)->aor == renewal.aor);
        }
    }
    CHECK(registrar.size() == static_cast<std::size_t>(users));
    return static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
}

}  // namespace

TEST_CASE("Registrar: a user costs no more where thousands are registered by his flow") {
    constexpr int users = 5000;
    const double apart = time_of(users, false);
    const double together = time_of(users, true);
    MESSAGE(users << " users, registered and renewed: " << 1000 * together << " ms by one flow, " << 1000 * apart
                  << " ms by one each");
    CHECK(together < 5 * apart);
}

TEST_CASE("Registrar: who is registered by a flow, with several users and several bindings of one") {
    Registrar registrar({}, mac);
    const auto first = request(1, {contact("sip:a@h"), contact("sip:b@h")});
    auto other = request(1, {contact("sip:c@h")});
    other.aor = "carol@example.com";
    REQUIRE(registrar.register_contacts(first, start).status == 200);
    REQUIRE(registrar.register_contacts(other, start).status == 200);
    CHECK(registrar.on_flow(first.flow, "carol@example.com")->contact == "sip:c@h");
    CHECK(registrar.on_flow(first.flow, "dora@example.com") == nullptr);
    // One of bob's two goes: he is there still by the other one.
    CHECK(registrar.register_contacts(request(2, {contact("sip:a@h", 0s)}), start).changes.size() == 1);
    REQUIRE(registrar.on_flow(first.flow, "bob@example.com") != nullptr);
    CHECK(registrar.on_flow(first.flow, "bob@example.com")->contact == "sip:b@h");
    const auto to = request(1, {}, "40009").flow;
    CHECK(registrar.move(first.flow, to, "c1", 1).size() == 2);
    CHECK(registrar.on_flow(first.flow) == nullptr);
    CHECK(registrar.on_flow(to, "bob@example.com") != nullptr);
    REQUIRE(registrar.register_contacts(request(3, {contact("sip:a@h")}, "40009"), start).status == 200);
    CHECK(registrar.remove_flow(to).size() == 3);
    CHECK(registrar.size() == 0);
    CHECK(registrar.on_flow(to) == nullptr);
}
