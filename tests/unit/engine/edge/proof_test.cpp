// What counts as proof: of who somebody is, of whose token something is, of which dialog a request belongs to.
#include "servers.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

namespace {

std::string of_pbx(std::string text, const std::string& name) {
    const std::string mine = "From: <sip:" + name + "@example.com>";
    return text.replace(text.find(mine), mine.size(), "From: <sip:" + name + "@pbx.example.net>");
}

std::string with_nonce(const std::string& nonce) {
    return nonce.empty() ? std::string()
                         : "Authorization: Digest username=\"u\", realm=\"pbx\", nonce=\"" + nonce +
                               "\", uri=\"sip:pbx.example.net\", response=\"00\"\r\n";
}

/// A REGISTER of `phone` for `user` at the other server; what the server gets.
std::string ask_server(World& world, const Phone& phone, const std::string& user, const std::string& nonce, int cseq) {
    world.receive(phone, of_pbx(phone.request("REGISTER", "sip:pbx.example.net", "<sip:" + user + "@pbx.example.net>",
                                              "Expires: 600\r\n" + with_nonce(nonce), "", cseq),
                                phone.name));
    std::string got = world.to(server, "REGISTER");
    REQUIRE_FALSE(got.empty());
    return got;
}

void challenge(World& world, const std::string& request, const std::string& nonce) {
    std::string text = server.response(request, 401, "");
    text.insert(text.find("Content-Length"),
                "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"" + nonce + "\", qop=\"auth\"\r\n");
    world.receive(server, text);
}

void grant(World& world, const std::string& request, const std::string& contact = {}, const std::string& more = {}) {
    const sip::Message parsed = sip::Message::parse(request).value();
    std::string bytes = sip::make_response(parsed, 200, "OK", "srv");
    bytes.insert(bytes.find("Content-Length"), "Contact: " + (contact.empty() ? header(request, "Contact") : contact) +
                                                   ";expires=300\r\nPath: " + header(request, "Path") + "\r\n" + more);
    world.receive(server, bytes);
}

bool calls_out(World& world, const Phone& phone, int cseq) {
    const std::string uri = "sip:+1900@carrier.example";
    world.receive(phone, of_pbx(phone.request("INVITE", uri, "<" + uri + ">", "", "", cseq), phone.name));
    return !world.to(trunk, "INVITE").empty();
}

const sip::Binding& only_binding(World& world) {
    static sip::Binding kept;
    const auto all = world.edge.registrar().all();
    REQUIRE(all.size() == 1);
    return kept = all.at(0);
}

}  // namespace

TEST_CASE("a user of another server is authenticated when that server asked for a password, and got one") {
    World world(with_servers());
    SUBCASE("an Authorization that nobody asked for proves nothing") {
        grant(world, ask_server(world, nat_phone, "nora", "made-up", 1));
        CHECK_FALSE(only_binding(world).authenticated);
        CHECK_FALSE(calls_out(world, nat_phone, 2));
    }
    SUBCASE("asked, and granted") {
        challenge(world, ask_server(world, nat_phone, "nora", "", 1), "n1");
        grant(world, ask_server(world, nat_phone, "nora", "n1", 2));
        CHECK(only_binding(world).authenticated);
        CHECK(calls_out(world, nat_phone, 3));
        SUBCASE("a refresh by the same flow needs no new challenge") {
            grant(world, ask_server(world, nat_phone, "nora", "n1", 4));
            CHECK(only_binding(world).authenticated);
        }
        SUBCASE("without credentials it is no proof, not even of the same flow") {
            Phone moved = nat_phone;
            moved.flow.remote.port = 40777;
            grant(world, ask_server(world, moved, "nora", "", 4));
            CHECK_FALSE(only_binding(world).authenticated);
        }
    }
    SUBCASE("the nonce of a challenge to somebody else") {
        challenge(world, ask_server(world, nat_phone2, "ned", "", 1), "n2");
        grant(world, ask_server(world, nat_phone, "nora", "n2", 1));
        CHECK_FALSE(only_binding(world).authenticated);
    }
    SUBCASE("the next nonce that the server gives is as good") {
        challenge(world, ask_server(world, nat_phone, "nora", "", 1), "n1");
        grant(world, ask_server(world, nat_phone, "nora", "n1", 2), "",
              "Authentication-Info: nextnonce=\"n3\", qop=auth\r\n");
        Phone moved = nat_phone;
        moved.flow.remote.port = 40777;
        grant(world, ask_server(world, moved, "nora", "n3", 3));
        CHECK(only_binding(world).authenticated);
    }
}

TEST_CASE("a REGISTER goes to the server of the domain in its To, or nowhere") {
    World world(with_servers());
    int cseq = 0;
    for (const char* to : {"<sip:bob@example.com>", "<sip:bob@carrier.example>", "<sip:bob@elsewhere.example>"}) {
        CAPTURE(to);
        world.receive(lan_phone,
                      lan_phone.request("REGISTER", "sip:pbx.example.net", to, "Expires: 60\r\n", "", ++cseq));
        CHECK_FALSE(world.to(lan_phone, "SIP/2.0 403").empty());
        CHECK(world.to(server, "REGISTER").empty());
        CHECK(world.edge.registrar().size() == 0);
    }
}

TEST_CASE("what a server grants is found by what the URI means, not by how it is written") {
    World world(with_servers());
    challenge(world, ask_server(world, nat_phone, "nora", "", 1), "n1");
    grant(world, ask_server(world, nat_phone, "nora", "n1", 2), "\"x\" <SIP:nora@192.168.1.5:5060;ob>;q=0.5");
    CHECK(world.edge.registrar().size() == 1);
}

namespace {

/// Two realms with a user "bob" in each, and other people.
Settings with_realms() {
    Settings result = settings();
    result.open_registrar = false;
    result.domains = {"example.com", "example.org"};
    const auto hash = World::secrets().hash;
    auto users = std::make_shared<sip::Users>();
    for (const char* realm : {"example.com", "example.org"}) {
        for (const char* name : {"alice", "nora", "bob"}) {
            const std::string all = std::string(name) + ":" + realm + ":" + realm;
            users->add(name, realm, sip::DigestAlgorithm::md5, hash(sip::DigestAlgorithm::md5, all));
        }
    }
    result.users = std::move(users);
    return result;
}

std::string credentials(const std::string& asked, const std::string& method, const std::string& uri,
                        const std::string& realm, int count = 1, const std::string& name = "nora") {
    const auto hash = [](const std::string& text) { return World::secrets().hash(sip::DigestAlgorithm::md5, text); };
    const std::string nonce = value_of(asked, "nonce");
    const std::string nc = "0000000" + std::to_string(count);
    const std::string response =
        hash(hash(name + ":" + realm + ":" + realm) + ":" + nonce + ":" + nc + ":c:auth:" + hash(method + ":" + uri));
    return "Digest username=\"" + name + "\", realm=\"" + realm + "\", nonce=\"" + nonce + "\", uri=\"" + uri +
           "\", response=\"" + response + "\", algorithm=MD5, qop=auth, nc=" + nc + ", cnonce=\"c\"";
}

}  // namespace

TEST_CASE("a password is good in its realm, for the Request-URI it was computed for") {
    World world(with_realms());
    const std::string uri = "sip:x@198.51.100.99";
    const auto invite = [&](const std::string& from, const std::string& extra, int cseq) {
        std::string text = nat_phone.request("INVITE", uri, "<" + uri + ">", extra, "", cseq);
        text.replace(text.find("nora@example.com"), 16, from);
        world.sent.clear();
        world.receive(nat_phone, text);
        for (const sip::Packet& packet : world.sent) {
            if (packet.bytes->starts_with("INVITE")) return std::string("passed");
            if (packet.bytes->starts_with("SIP/2.0 ") && !packet.bytes->starts_with("SIP/2.0 100"))
                return *packet.bytes;
        }
        return std::string();
    };
    const std::string asked = invite("nora@example.com", "", 1);
    REQUIRE(asked.starts_with("SIP/2.0 407"));
    SUBCASE("right") {
        CHECK(invite("nora@example.com",
                     "Proxy-Authorization: " + credentials(asked, "INVITE", uri, "example.com") + "\r\n",
                     2) == "passed");
    }
    SUBCASE("another realm's user of the same name") {
        const std::string other = invite("nora@example.org", "", 2);
        CHECK(invite("nora@example.com",
                     "Proxy-Authorization: " + credentials(other, "INVITE", uri, "example.org") + "\r\n", 3)
                  .starts_with("SIP/2.0 407"));
    }
    SUBCASE("computed for another URI") {
        CHECK(invite(
                  "nora@example.com",
                  "Proxy-Authorization: " + credentials(asked, "INVITE", "sip:y@198.51.100.98", "example.com") + "\r\n",
                  2)
                  .starts_with("SIP/2.0 400"));
    }
    SUBCASE("written otherwise, the same address") {
        CHECK(invite("nora@example.com",
                     "Proxy-Authorization: " + credentials(asked, "INVITE", "SIP:x@198.51.100.99:5060", "example.com") +
                         "\r\n",
                     2) == "passed");
    }
    SUBCASE("whoever hides behind a dot, or a port that is not ours, is asked too") {
        CHECK(invite("nora@example.com.", "", 2).starts_with("SIP/2.0 407"));
        CHECK(invite("nora@203.0.113.10:9999", "", 3).starts_with("SIP/2.0 407"));
    }
}

TEST_CASE("passwords for us stay here, and nobody else asks for them") {
    Settings chosen = with_realms();
    chosen.servers = with_servers().servers;
    World world(chosen);
    const std::string uri = "sip:100@pbx.example.net";
    world.receive(lan_phone, lan_phone.request("INVITE", uri, "<" + uri + ">",
                                               "Authorization: Digest username=\"alice\", realm=\"example.com\", "
                                               "nonce=\"n\", response=\"r\"\r\nAuthorization: Digest "
                                               "username=\"alice\", realm=\"pbx\", nonce=\"n\", response=\"r\"\r\n",
                                               ""));
    const std::string got = world.to(server, "INVITE");
    REQUIRE_FALSE(got.empty());
    CHECK(got.find("realm=\"example.com\"") == std::string::npos);
    CHECK(got.find("realm=\"pbx\"") != std::string::npos);
    std::string refusal = server.response(got, 407, "");
    refusal.insert(refusal.find("Content-Length"),
                   "Proxy-Authenticate: Digest realm=\"example.com\", nonce=\"evil\"\r\n"
                   "Proxy-Authenticate: Digest realm=\"pbx\", nonce=\"good\"\r\n");
    world.receive(server, refusal);
    const std::string passed = world.to(lan_phone, "SIP/2.0 407");
    CHECK(passed.find("evil") == std::string::npos);
    CHECK(passed.find("good") != std::string::npos);
}

TEST_CASE("a server that is named is known before anything was sent there, and forgotten with its name") {
    Settings chosen = with_servers();
    chosen.servers[1].to = "sip:trunk.example";
    World world(chosen);
    world.add(lan_phone);
    Output out;
    REQUIRE(world.edge.next_deadline().has_value());
    world.edge.on_time(world.now, out);
    REQUIRE(out.lookups.size() == 1);
    const auto known = [&](Edge& edge) {
        static int cseq = 10;
        const std::string uri = "sip:alice@example.com";
        Output ignored;
        world.sent.clear();
        edge.on_packet({.flow = trunk.flow, .side = trunk.side},
                       trunk.request("INVITE", uri, "<" + uri + ">", "P-Asserted-Identity: <sip:1@h>\r\n", "", ++cseq),
                       world.now, ignored);
        world.take(ignored);
        return world.to(lan_phone, "INVITE").find("P-Asserted-Identity") != std::string::npos;
    };
    CHECK_FALSE(known(world.edge));
    const auto at = [](const char* address) {
        return sip::Location{.missing = {}, .targets = {{sip::Transport::udp, endpoint(address)}}, .failed = false};
    };
    Output later;
    world.edge.on_located(out.lookups[0].ticket, at("203.0.113.90:5060"), world.now, later);
    CHECK(known(world.edge));
    SUBCASE("it is looked up every minute; no answer takes nothing away, another one does in time") {
        world.now.steady += 61s;
        Output again;
        world.edge.on_time(world.now, again);
        REQUIRE(again.lookups.size() == 1);
        world.edge.on_located(again.lookups[0].ticket, {.missing = {}, .targets = {}, .failed = true}, world.now,
                              later);
        CHECK(known(world.edge));
        world.now.steady += 600s;
        Output third;
        world.edge.on_time(world.now, third);
        REQUIRE(third.lookups.size() == 1);
        world.edge.on_located(third.lookups[0].ticket, at("203.0.113.91:5060"), world.now, later);
        CHECK_FALSE(known(world.edge));
    }
    SUBCASE("another name") {
        chosen.servers[1].to = "sip:other.example";
        world.edge.set_settings(chosen, world.now, later);
        CHECK_FALSE(known(world.edge));
    }
}

TEST_CASE("of several interfaces on one side that is taken which reaches the target") {
    Settings chosen = settings();
    chosen.listeners.push_back(
        {sip::Transport::udp, endpoint("198.51.100.1:5060"), endpoint("198.51.100.1:5060"), Side::wan});
    const std::vector<HostAddress> host = {
        {.interface = "a", .index = 1, .address = endpoint("203.0.113.10:1").address, .prefix = 24},
        {.interface = "b", .index = 2, .address = endpoint("198.51.100.1:1").address, .prefix = 24}};
    chosen.set_networks(host);
    const auto from = [&](const char* target) {
        return to_string(chosen.find(Side::wan, endpoint(target).address, sip::Transport::udp)->bound.address);
    };
    CHECK(from("198.51.100.77:1") == "198.51.100.1");
    CHECK(from("203.0.113.77:1") == "203.0.113.10");
    CHECK(from("8.8.8.8:1") == "203.0.113.10");
    CHECK(chosen.find(Side::wan, IpAddress::parse("2001:db8::1").value(), sip::Transport::udp) == nullptr);
}

TEST_CASE("a server's dialogs outlive the connection it made") {
    Settings chosen = with_servers();
    chosen.servers[0].to = "sip:192.168.10.50:5080;transport=tcp";
    chosen.listeners.push_back(
        {sip::Transport::tcp, endpoint("192.168.10.1:5060"), endpoint("192.168.10.1:5060"), Side::lan});
    chosen.open_registrar = true;
    World world(chosen);
    world.add(nat_phone);
    Phone first = server;
    first.address = "192.168.10.50:5080";
    first.flow = flow("tcp:192.168.10.1:5060-192.168.10.50:43210#7");
    const std::string uri = "sip:nora@example.com";
    world.receive(first, first.request("INVITE", uri, "<" + uri + ">", "", first.sdp()));
    const std::string invite = world.to(nat_phone, "INVITE");
    REQUIRE_FALSE(invite.empty());
    world.receive(nat_phone, nat_phone.response(invite, 200, nat_phone.sdp()));
    const std::string ok = world.to(first, "SIP/2.0 200");
    REQUIRE_FALSE(ok.empty());
    Output out;
    world.edge.on_flow_closed(first.flow, "test", world.now, out);
    world.take(out);
    Phone later = first;
    later.flow = flow("tcp:192.168.10.1:5060-192.168.10.50:5080");
    SUBCASE("the phone hangs up: by a connection to the server") {
        world.receive(nat_phone, nat_phone.request("BYE", "sip:pbx@192.168.10.50:5080", "<sip:pbx@example.com>;tag=pbx",
                                                   routes(invite, false), "", 2));
        CHECK_FALSE(world.to(later, "BYE").empty());
    }
    SUBCASE("the server hangs up: by another connection of its own") {
        later.flow = flow("tcp:192.168.10.1:5060-192.168.10.50:43999#8");
        world.receive(later, later.request("BYE", "sip:nora@192.168.1.5:5060", "<sip:nora@example.com>;tag=nora",
                                           routes(ok, true), "", 2));
        CHECK_FALSE(world.to(nat_phone, "BYE").empty());
    }
}

TEST_CASE("inside a dialog: another address of the same NAT is the same party, a stranger with the right tags is not") {
    Settings chosen = settings();
    chosen.networks.nat_servers.add(IpRange::parse("198.51.100.0-198.51.100.15").value());
    World world(chosen);
    world.add(lan_phone);
    world.add(nat_phone);
    const std::string invite = world.invite(nat_phone, lan_phone);
    world.receive(lan_phone, lan_phone.response(invite, 200, lan_phone.sdp()));
    const std::string ok = world.to(nat_phone, "SIP/2.0 200");
    REQUIRE_FALSE(ok.empty());
    Phone other = nat_phone;
    const std::string peer = "sip:alice@192.168.10.20:5060";
    SUBCASE("the NAT's second address") {
        other.flow.remote = endpoint("198.51.100.9:41000");
        world.receive(other, other.request("BYE", peer, "<sip:alice@example.com>;tag=alice", routes(ok, true), "", 2));
        CHECK_FALSE(world.to(lan_phone, "BYE").empty());
    }
    SUBCASE("an address outside of its range") {
        other.flow.remote = endpoint("198.51.100.99:41000");
        world.receive(other, other.request("BYE", peer, "<sip:alice@example.com>;tag=alice", routes(ok, true), "", 2));
        CHECK_FALSE(world.to(other, "SIP/2.0 403").empty());
    }
    SUBCASE("without the token, from elsewhere, with the dialog's tags: the media of the call are not touched") {
        other.flow.remote = endpoint("203.0.113.66:5060");
        const auto legs = world.legs;
        REQUIRE_FALSE(legs.empty());
        world.receive(other,
                      other.request("BYE", "sip:alice@example.com", "<sip:alice@example.com>;tag=alice", "", "", 2));
        const std::string bye = world.to(lan_phone, "BYE");
        if (!bye.empty()) world.receive(lan_phone, lan_phone.response(bye, 481, ""));
        CHECK(world.legs == legs);
        CHECK(world.edge.media().size() == 1);
    }
}
