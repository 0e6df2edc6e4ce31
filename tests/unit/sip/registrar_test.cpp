#include "natkit/sip/registrar.hpp"

#include <doctest/doctest.h>

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
            .party = nat::classify_address(IpAddress::parse("198.51.100.7").value(), {}),
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

TEST_CASE("Registrar: an id depends on the key, and is never two users'") {
    const auto other = [](std::span<const std::uint8_t> data) { return sum(data, 2); };
    CHECK(binding_id("a@h", "sip:a@h", mac) == binding_id("a@h", "sip:a@h", mac));
    CHECK(binding_id("a@h", "sip:a@h", mac) != binding_id("a@h", "sip:a@h", other));
    CHECK(binding_id("a@h", "sip:a@h", mac) != binding_id("a@h", "sip:b@h", mac));
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
    CHECK(registrar.set_party(bob.id, bob.party).size() == 1);
    CHECK(registrar.remove(bob.id).size() == 1);
}
