#include "natkit/cluster/clients.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace natkit;
using namespace natkit::cluster;

namespace {

using Whose = Clients::Whose;

const std::vector<std::string> nodes = {"a", "b", "c"};

IpAddress ip(const char* text) {
    return IpAddress::parse(text).value();
}

/// Each node's own address.
IpAddress address_of(const std::string& node) {
    return ip(node == "a" ? "192.0.2.1" : node == "b" ? "192.0.2.2" : "192.0.2.3");
}

struct Given {
    const char* node;
    const char* call_id = "x";
    std::uint32_t cseq = 1;
    std::int64_t registered_ms = 1000;
    bool anywhere = true;
    Transport transport = Transport::udp;
    std::int64_t lasts_ms = 100;
};

ClientRow row(const Given& given) {
    return {.transport = given.transport,
            .local = address_of(given.node),
            .anywhere = given.anywhere,
            .call_id = given.call_id,
            .cseq = given.cseq,
            .expires_ms = given.registered_ms + given.lasts_ms,
            .registered_ms = given.registered_ms};
}

/// Those that live, with their own addresses.
Clients::LiveNodes living(const std::string& names) {
    Clients::LiveNodes live;
    for (const char name : names) live[std::string(1, name)] = {address_of(std::string(1, name))};
    return live;
}

bool put(Clients& clients, const Given& given, std::string_view id = "id") {
    return clients.put(clients.find(given.node).value(), id, row(given));
}

/// "b by a": b owns the client by a's row.
std::string owner(const Clients& clients, std::string_view id = "id") {
    const auto verdict = clients.verdict(id);
    if (verdict.owner == Clients::nobody) return "nobody";
    return clients.name(verdict.owner) + " by " + clients.name(verdict.row) +
           (verdict.row == clients.former() ? " before" : "");
}

}  // namespace

TEST_CASE("cluster::compare: which registration is newer") {
    struct Case {
        const char* why;
        ClientRow one;
        ClientRow other;
        int want;
    };
    const Case cases[] = {
        {"refreshed", row({"a", "x", 2, 1000}), row({"b", "x", 1, 9000}), 1},
        {"the same request", row({"a", "x", 2, 1000}), row({"b", "x", 2, 1000}), 0},
        {"the same request, by clocks that differ", row({"a", "x", 2, 1001}), row({"b", "x", 2, 1000}), 0},
        {"no Call-ID is known", row({"a", "", 2, 1000}), row({"b", "", 3, 900}), 1},
        {"another Call-ID: CSeq says nothing", row({"a", "x", 7, 1000}), row({"b", "y", 1, 1001}), -1},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK((compare(c.one, c.other) > 0) == (c.want > 0));
        CHECK((compare(c.one, c.other) < 0) == (c.want < 0));
        CHECK((compare(c.other, c.one) > 0) == (c.want < 0));
    }
}

TEST_CASE("cluster::Clients: who owns a client") {
    constexpr Transport udp = Transport::udp;
    struct Case {
        const char* why;
        std::vector<Given> rows;
        std::string live;
        std::string want;
    };
    const Case cases[] = {
        {"where it is registered", {{"b"}}, "abc", "b by b"},
        {"a newer registration at another node", {{"b", "x", 1}, {"c", "x", 2}}, "abc", "c by c"},
        {"a newer one of another dialog", {{"b", "x", 9, 1000}, {"c", "y", 1, 2000}}, "abc", "c by c"},
        {"the newer one is a dead node's, behind a NAT", {{"b", "x", 1}, {"c", "x", 2, 1000, false}}, "ab", "b by b"},
        {"behind a NAT, at a dead node", {{"b", "x", 1, 1000, false}}, "ac", "nobody"},
        {"over a connection, at a dead node", {{"b", "x", 1, 1000, true, Transport::tcp}}, "ac", "nobody"},
        {"over TLS, at a live node", {{"b", "x", 1, 1000, false, Transport::tls}}, "abc", "b by b"},
        {"behind a NAT, at a live node", {{"b", "x", 1, 1000, false, udp}}, "abc", "b by b"},
        {"nobody lives", {{"b"}}, "", "nobody"},
        {"replaced within its dialog, however long it was to be, and so no newer than a third one",
         {{"a", "x", 1, 3000}, {"b", "x", 2, 1000}, {"c", "y", 1, 2000}},
         "abc",
         "c by c"},
        {"the same row at two: its own node's", {{"a", "x", 2}, {"b", "x", 2}}, "bc", "b by b"},
        {"the same, by clocks that differ", {{"a", "x", 2, 1020}, {"b", "x", 2, 1000}}, "bc", "b by b"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        for (const std::string& me : nodes) {
            CAPTURE(me);
            Clients clients(me, nodes);
            (void)clients.set_live(living(c.live));
            for (const Given& given : c.rows) put(clients, given);
            CHECK(owner(clients) == c.want);
            // In another order.
            Clients others(me, nodes);
            for (auto given = c.rows.rbegin(); given != c.rows.rend(); ++given) put(others, *given);
            (void)others.set_live(living(c.live));
            CHECK(owner(others) == c.want);
        }
    }
}

TEST_CASE("cluster::Clients: an address moves to another node, and back") {
    for (const bool anywhere : {false, true}) {
        CAPTURE(anywhere);
        Clients clients("c", nodes);
        (void)clients.set_live(living("abc"));
        put(clients, {"a", "x", 1, 1000, anywhere});
        CHECK(owner(clients) == "a by a");
        // It moves while its node lives: whoever has it can reach the client.
        CHECK(clients.set_live({{"a", {}}, {"b", {address_of("b"), address_of("a")}}, {"c", {}}}) ==
              Clients::Ids{"id"});
        CHECK(owner(clients) == "b by a");
        // Both have it.
        CHECK(clients.set_live({{"a", {address_of("a")}}, {"b", {address_of("a")}}, {"c", {}}}) == Clients::Ids{"id"});
        CHECK(owner(clients) == "a by a");
        // With its node dead.
        CHECK(clients.set_live({{"b", {address_of("a")}}, {"c", {}}}) == Clients::Ids{"id"});
        CHECK(owner(clients) == "b by a");
        CHECK(clients.set_live({{"a", {address_of("a")}}, {"b", {}}, {"c", {}}}) == Clients::Ids{"id"});
        CHECK(owner(clients) == "a by a");
        CHECK(clients.set_live({{"a", {address_of("a")}}, {"b", {}}, {"c", {}}}).empty());
    }
    Clients clients("c", nodes);
    (void)clients.set_live({{"b", {address_of("a")}}});
    put(clients, {"a", "x", 1, 1000, true, Transport::tcp});
    CHECK(owner(clients) == "nobody");
}

TEST_CASE("cluster::Clients: heirs are the same on every node, and only a dead node's clients move") {
    std::map<std::string, std::size_t> shares;
    std::size_t moved = 0;
    for (int number = 0; number < 1000; ++number) {
        const std::string id = std::to_string(number);
        std::string first;
        std::string second;
        for (const std::string& me : nodes) {
            Clients clients(me, {"a", "b", "c", "d"});
            (void)clients.set_live({{"b", {}}, {"c", {}}, {"d", {}}});
            put(clients, {"a"}, id);
            if (first.empty()) first = owner(clients, id);
            CHECK(owner(clients, id) == first);
            (void)clients.set_live({{"b", {}}, {"c", {}}});
            if (second.empty()) second = owner(clients, id);
            CHECK(owner(clients, id) == second);
        }
        ++shares[first];
        if (first != "d by a") {
            CHECK(first == second);
        } else {
            ++moved;
        }
    }
    for (const auto& [who, share] : shares) {
        CAPTURE(who);
        CHECK(share > 250);
        CHECK(share < 420);
    }
    CHECK(shares.size() == 3);
    CHECK(moved > 250);
}

TEST_CASE("cluster::Clients: ties of other nodes' rows are decided alike") {
    for (int number = 0; number < 100; ++number) {
        const std::string id = std::to_string(number);
        std::string first;
        for (const std::string& me : nodes) {
            Clients clients(me, nodes);
            (void)clients.set_live(living("abc"));
            for (const char* node : {"c", "a", "b"}) put(clients, {node, "x", 7, 5000}, id);
            if (first.empty()) first = owner(clients, id);
            CHECK(owner(clients, id) == first);
        }
    }
}

TEST_CASE("cluster::Clients: a node of an unknown name is ignored") {
    Clients clients("a", {"b"});
    CHECK_FALSE(clients.find("z"));
    CHECK(clients.set_live({{"z", {address_of("b")}}, {"a", {address_of("a")}}}).empty());
    put(clients, {"b", "x", 1, 1000, false});
    CHECK(owner(clients) == "nobody");
    CHECK(clients.find("a") == clients.me());
    CHECK(clients.find("b") == std::optional<Clients::Slot>(1));
    CHECK(clients.former() == 2);
}

TEST_CASE("cluster::Clients: each change tells whose it is now, and nothing else is decided anew") {
    Clients clients("a", nodes);
    (void)clients.set_live(living("abc"));
    CHECK(put(clients, {"a"}, "mine"));
    CHECK(clients.whose(clients.verdict("mine")) == Whose::own);
    CHECK_FALSE(put(clients, {"a", "x", 2}, "mine"));  // refreshed: nobody else has to hear of it from us
    CHECK(put(clients, {"b"}, "theirs"));
    CHECK(clients.whose(clients.verdict("theirs")) == Whose::foreign);
    CHECK(put(clients, {"b", "x", 2}, "theirs"));  // refreshed: what is known of it is another
    CHECK(clients.count(Whose::own) == 1);
    CHECK(clients.count(Whose::foreign) == 1);
    CHECK(clients.told() == Clients::Ids{"theirs"});
    CHECK(put(clients, {"c", "x", 3}, "mine"));
    CHECK(clients.whose(clients.verdict("mine")) == Whose::foreign);
    CHECK_FALSE(clients.drop(*clients.find("a"), "mine"));  // as the edge was told
    CHECK_FALSE(clients.drop(*clients.find("a"), "mine"));
    CHECK_FALSE(clients.drop(*clients.find("a"), "unknown"));
    CHECK(clients.drop(*clients.find("c"), "mine"));
    CHECK(clients.verdict("mine") == Clients::Verdict{});
    CHECK(clients.count(Whose::foreign) == 1);
    CHECK(clients.count(Whose::nobody) == 0);
    CHECK(clients.replace(*clients.find("b"), {{"other", row({"b"})}, {"third", row({"b"})}}).size() == 3);
    CHECK(clients.verdict("theirs") == Clients::Verdict{});
    CHECK(clients.count(Whose::foreign) == 2);
    CHECK(clients.replace(*clients.find("b"), {}).size() == 2);
    CHECK(clients.count(Whose::foreign) == 0);
}

TEST_CASE("cluster::Clients: what was taken over is over with the one who took it") {
    Clients clients("a", nodes);
    (void)clients.set_live(living("ac"));
    std::string id;
    for (int number = 0; id.empty(); ++number) {
        put(clients, {"b"}, std::to_string(number));
        if (clients.whose(clients.verdict(std::to_string(number))) == Whose::taken) id = std::to_string(number);
    }
    CHECK(clients.count(Whose::taken) == 1);
    // The edge has taken it, and tells so.
    CHECK(clients.take_overtaken().empty());
    CHECK(clients.put(clients.me(), id, row({"b"})));
    CHECK(owner(clients, id) == "a by a");
    CHECK(clients.take_overtaken() == Clients::Overtaken{{*clients.find("b"), id}});
    CHECK(clients.take_overtaken().empty());
    // The client is gone: it must not come back by what the dead node has left behind.
    CHECK(clients.drop(clients.me(), id));
    CHECK(owner(clients, id) == "nobody");
    CHECK(clients.count(Whose::taken) == 0);
}

TEST_CASE("cluster::Clients: who gives a client away has it until it is taken") {
    Clients clients("a", nodes);
    (void)clients.set_live({{"a", {address_of("a")}}, {"b", {}}});
    put(clients, {"a"});
    CHECK(clients.set_live({{"a", {}}, {"b", {address_of("a")}}}) == Clients::Ids{"id"});
    CHECK(owner(clients) == "b by a");
    CHECK(clients.whose(clients.verdict("id")) == Whose::leaving);
    CHECK(clients.told().empty());
    // The other one has it, as it was.
    CHECK(clients.put(*clients.find("b"), "id", row({"a"})));
    CHECK(owner(clients) == "b by b");
    CHECK(clients.whose(clients.verdict("id")) == Whose::foreign);
    CHECK(clients.told() == Clients::Ids{"id"});
}

TEST_CASE("cluster::Clients: one that has unregistered is nobody's, wherever that came in") {
    for (const char* call_id : {"x", "another"}) {
        CAPTURE(call_id);
        for (const std::string& me : nodes) {
            CAPTURE(me);
            Clients clients(me, nodes);
            (void)clients.set_live(living("abc"));
            put(clients, {"a", "x", 1, 1000});
            const bool news = put(clients, {"b", call_id, 2, 2000, true, Transport::udp, 0});
            CHECK(news);
            CHECK(clients.count(Whose::over) == 1);
            CHECK(clients.count(Whose::own) + clients.count(Whose::foreign) + clients.count(Whose::taken) == 0);
            // Whoever had it, or knew of it, hears that from where it came in.
            CHECK(clients.is_told(clients.verdict("id")) == (me != "b"));
            if (me != "a") CHECK(clients.drop(*clients.find("a"), "id") == false);
            // It registers again.
            CHECK(put(clients, {"c", call_id, 3, 3000}));
            CHECK(owner(clients) == "c by c");
            CHECK(clients.count(Whose::over) == 0);
        }
    }
}

TEST_CASE("cluster::Clients: what dead nodes have left behind is over with its time") {
    Clients clients("a", nodes);
    (void)clients.set_live(living("ac"));
    put(clients, {"b", "x", 1, 1000}, "early");
    put(clients, {"b", "x", 1, 2000}, "late");
    put(clients, {"c", "x", 1, 1000}, "of a live one, who says it himself");
    put(clients, {"a", "x", 1, 1000}, "of ours");
    CHECK(clients.expire(1100) == Clients::Ids{"early"});
    CHECK(owner(clients, "early") == "nobody");
    CHECK(owner(clients, "late") != "nobody");
    CHECK(clients.expire(2099).empty());
    CHECK(clients.expire(2100) == Clients::Ids{"late"});
    CHECK(clients.count(Whose::own) + clients.count(Whose::foreign) == 2);
}

TEST_CASE("cluster::Clients: what this node had before it was started anew") {
    struct Case {
        const char* why;
        Given row;
        std::vector<IpAddress> addresses;  ///< that this node has now
        const char* want;
    };
    const Case cases[] = {
        {"the address is here", {"a", "x", 1, 1000, false}, {ip("192.0.2.1")}, "a by a before"},
        {"it is not, and there is a NAT", {"a", "x", 1, 1000, false}, {}, "nobody"},
        {"a connection ended", {"a", "x", 1, 1000, true, Transport::tcp}, {ip("192.0.2.1")}, "nobody"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Clients clients("a", nodes);
        (void)clients.replace(clients.former(), {{"id", row(c.row)}});
        (void)clients.set_live({{"a", c.addresses}, {"b", {address_of("b")}}});
        CHECK(owner(clients) == c.want);
        // The edge has it still, or again.
        put(clients, c.row);
        CHECK(owner(clients) == "a by a");
        put(clients, {"b", "x", 2});
        CHECK(owner(clients) == "b by b");
    }
}
