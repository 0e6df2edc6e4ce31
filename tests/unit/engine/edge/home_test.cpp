#include "servers.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

namespace {

std::string registering(const Phone& phone, int cseq, const std::string& extra = {}) {
    return phone.request("REGISTER", "sip:pbx.example.net", "<sip:" + phone.name + "@pbx.example.net>",
                         "Expires: 600\r\n" + extra, "", cseq);
}

/// The server's 200, with these Contact and Path lines.
std::string granted(const std::string& request, const std::string& lines) {
    const sip::Message parsed = sip::Message::parse(request).value();
    std::string bytes = sip::make_response(parsed, 200, "OK", "srv");
    return bytes.insert(bytes.find("Content-Length"), lines);
}

std::string uri_of(const std::string& value) {
    return sip::NameAddr::parse(value).value().uri;
}

/// Registers by Path; the Path value the server was shown.
std::string by_path(World& world, const Phone& phone, int cseq = 1, const std::string& extra = {}) {
    world.receive(phone, registering(phone, cseq, extra));
    const std::string request = world.to(server, "REGISTER sip:pbx.example.net SIP/2.0");
    REQUIRE_FALSE(request.empty());
    const std::string path = header(request, "Path");
    world.receive(
        server, granted(request, "Contact: " + header(request, "Contact") + ";expires=300\r\nPath: " + path + "\r\n"));
    CHECK(world.to(phone, "SIP/2.0 200").find("Path:") == std::string::npos);
    return path;
}

/// The server asks the phone for a password, with the nonce "n".
void challenged(World& world, const Phone& phone) {
    world.receive(phone, registering(phone, 90));
    std::string text = server.response(world.to(server, "REGISTER"), 401, "");
    text.insert(text.find("Content-Length"), "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n\"\r\n");
    world.receive(server, text);
    REQUIRE_FALSE(world.to(phone, "SIP/2.0 401").empty());
}

std::string call(const Phone& from, const std::string& uri, const std::string& extra, int cseq = 1) {
    return from.request("INVITE", uri, "<" + uri + ">", extra, "", cseq);
}

}  // namespace

TEST_CASE("a user of another server, by Path: digest untouched, bindings learned, called by the flow") {
    World world(with_servers());
    const std::string digest =
        "Authorization: Digest username=\"nora\", realm=\"pbx\", nonce=\"n\", response=\"r\"\r\n";
    challenged(world, nat_phone);
    const std::string path = by_path(world, nat_phone, 1, digest);
    CHECK(path.find("@192.168.10.1:5060;lr>") != std::string::npos);
    REQUIRE(world.edge.registrar().all().size() == 1);
    const sip::Binding binding = world.edge.registrar().all().at(0);
    CHECK(binding.aor == "nora@pbx.example.net");
    CHECK(binding.server == "pbx.example.net");
    CHECK(binding.authenticated);
    CHECK(binding.expires == world.now.wall + 300s);
    const std::string contact = "sip:nora@192.168.1.5:5060";
    const std::string route = "Route: " + path + "\r\n";

    SUBCASE("the server calls") {
        world.receive(server, call(server, contact, route));
        const std::string invite = world.to(nat_phone, "INVITE " + contact);
        REQUIRE_FALSE(invite.empty());
        CHECK(invite.find("\r\nRoute:") == std::string::npos);
    }
    SUBCASE("nobody else may use the token, from no side") {
        world.receive(nat_phone2, call(nat_phone2, contact, route));
        CHECK_FALSE(world.to(nat_phone2, "SIP/2.0 403").empty());
        world.receive(lan_phone, call(lan_phone, contact, route));
        CHECK_FALSE(world.to(lan_phone, "SIP/2.0 403").empty());
        world.receive(trunk, call(trunk, contact, route));
        CHECK_FALSE(world.to(trunk, "SIP/2.0 403").empty());
    }
    SUBCASE("a token with one letter changed") {
        std::string forged = route;
        char& letter = forged[forged.find("sip:") + 10];
        letter = letter == 'A' ? 'B' : 'A';
        world.receive(nat_phone2, call(nat_phone2, contact, forged));
        CHECK_FALSE(world.to(nat_phone2, "SIP/2.0 403").empty());
    }
    SUBCASE("the flow is gone: 430") {
        Output out;
        world.edge.on_client_dead(binding.id, "test", world.now, out);
        world.receive(server, call(server, contact, route));
        CHECK_FALSE(world.to(server, "SIP/2.0 430").empty());
    }
    SUBCASE("the flow was superseded: the newest one") {
        Phone moved = nat_phone;
        moved.flow.remote.port = 40999;
        by_path(world, moved, 2);
        world.receive(server, call(server, contact, route));
        CHECK_FALSE(world.to(moved, "INVITE " + contact).empty());
    }
    SUBCASE("after a restart") {
        World second(with_servers());
        second.edge.restore(binding, second.now.wall);
        second.receive(server, call(server, contact, route));
        CHECK_FALSE(second.to(nat_phone, "INVITE " + contact).empty());
    }
    SUBCASE("it expires") {
        world.pass(299s);
        CHECK(world.edge.registrar().size() == 1);
        Output out;
        world.edge.on_time({.steady = world.now.steady + 2s, .wall = world.now.wall + 2s}, out);
        CHECK(world.edge.registrar().size() == 0);
    }
    SUBCASE("it calls: the request reaches the server as it was") {
        world.receive(nat_phone, call(nat_phone, "sip:100@pbx.example.net", ""));
        CHECK_FALSE(world.to(server, "INVITE sip:100@pbx.example.net SIP/2.0").empty());
    }
}

TEST_CASE("who unregisters at a server by this edge is registered at no other edge either") {
    World world(with_servers());
    World there(with_servers());
    by_path(there, nat_phone);
    const sip::Binding known = there.edge.registrar().all().at(0);
    Output out;
    REQUIRE(world.edge.set_foreign({.node = "edge-b", .epoch = 1, .binding = known}, world.now, out).has_value());
    std::string request = registering(nat_phone, 2);
    request.replace(request.find("Expires: 600"), 12, "Expires: 0");
    world.receive(nat_phone, request);
    const std::string passed = world.to(server, "REGISTER");
    REQUIRE_FALSE(passed.empty());
    CHECK(world.edge.foreign().size() == 1);
    Output heard;
    world.edge.on_packet({.flow = server.flow, .side = server.side}, granted(passed, ""), world.now, heard);
    CHECK(world.edge.foreign().size() == 0);
    const auto ended = std::ranges::find_if(heard.events, [](const Event& event) {
        const auto* change = std::get_if<sip::BindingChange>(&event);
        return change != nullptr && change->elsewhere;
    });
    REQUIRE(ended != heard.events.end());
    CHECK(std::get<sip::BindingChange>(*ended).binding.id == known.id);
    CHECK(std::get<sip::BindingChange>(*ended).binding.expires == world.now.wall);
}

TEST_CASE("a server that does not know Path is shown a Contact of the edge, the client gets its own back") {
    World world(with_servers());
    world.receive(nat_phone, registering(nat_phone, 1));
    const std::string first = world.to(server, "REGISTER");
    REQUIRE(first.find("\r\nPath: ") != std::string::npos);
    SUBCASE("it says 420") {
        world.receive(server, server.response(first, 420, ""));
    }
    SUBCASE("it says nothing") {
        world.receive(server, granted(first, "Contact: " + header(first, "Contact") + "\r\n"));
    }
    const std::string again = world.to(server, "REGISTER");
    REQUIRE_FALSE(again.empty());
    CHECK(again.find("\r\nPath: ") == std::string::npos);
    const std::string shown = header(again, "Contact");
    CHECK(shown.find("@192.168.10.1:5060>") != std::string::npos);
    world.receive(server, granted(again, "Contact: " + shown + ";expires=100, <sip:other@h>;expires=5\r\n"));
    const std::string answer = world.to(nat_phone, "SIP/2.0 200");
    CHECK(header(answer, "Contact") == "<sip:nora@192.168.1.5:5060>;expires=100, <sip:other@h>;expires=5");
    REQUIRE(world.edge.registrar().all().size() == 1);
    world.receive(server, call(server, uri_of(shown), ""));
    CHECK_FALSE(world.to(nat_phone, "INVITE sip:nora@192.168.1.5:5060 SIP/2.0").empty());
    world.receive(wan_phone, call(wan_phone, uri_of(shown), ""));
    CHECK_FALSE(world.to(wan_phone, "SIP/2.0 403").empty());

    // The same Contact at the next time, so that the server refreshes and does not add.
    world.receive(nat_phone, registering(nat_phone, 2));
    const std::string refresh = world.to(server, "REGISTER");
    CHECK(header(refresh, "Contact") == shown);
    world.receive(server, granted(refresh, ""));
    CHECK(world.edge.registrar().size() == 0);
}

/// A registrar as RFC 3261 section 10.3 says: bindings by Contact, taken back by expires=0, and within one Call-ID only
/// what comes with a higher CSeq is done. It knows Path and says so, keeps it in silence, or refuses it.
struct Registrar {
    enum class Path { echoed, silent, refused } path = Path::silent;
    std::map<std::string, std::uint32_t> bindings;  ///< the CSeq of each by its Contact

    std::string answer(const std::string& bytes) {
        const sip::Message request = sip::Message::parse(bytes).value();
        const bool asks = bytes.find("\r\nPath: ") != std::string::npos;
        if (asks && path == Path::refused) return sip::make_response(request, 420, "Bad Extension", "srv");
        const std::uint32_t cseq = request.cseq()->number;
        for (const std::string_view value : request.values(sip::Name::contact)) {
            const auto contact = sip::NameAddr::parse(value).value();
            const auto known = bindings.find(contact.uri);
            if (known != bindings.end() && cseq <= known->second)
                return sip::make_response(request, 500, "Old CSeq", "srv");
            const bool ends =
                contact.params.get("expires") == "0" || bytes.find("\r\nExpires: 0\r\n") != std::string::npos;
            if (ends) bindings.erase(contact.uri);
            if (!ends) bindings[contact.uri] = cseq;
        }
        std::string lines;
        for (const auto& [uri, number] : bindings) lines += "Contact: <" + uri + ">;expires=300\r\n";
        if (asks && path == Path::echoed) lines += "Path: " + header(bytes, "Path") + "\r\n";
        return granted(bytes, lines);
    }
    /// One REGISTER of the phone's, and how many of them came here.
    int serve(World& world, const Phone& phone, int cseq, bool end = false) {
        world.receive(phone, end ? phone.request("REGISTER", "sip:pbx.example.net",
                                                 "<sip:" + phone.name + "@pbx.example.net>", "Expires: 0\r\n", "", cseq)
                                 : registering(phone, cseq));
        int count = 0;
        std::string final;
        for (bool more = true; more;) {
            more = false;
            for (const sip::Packet& packet : std::exchange(world.sent, {})) {
                if (packet.flow == server.flow && packet.bytes->starts_with("REGISTER")) {
                    ++count;
                    world.receive(server, answer(*packet.bytes));
                    more = true;
                } else if (packet.flow == phone.flow && packet.bytes->starts_with("SIP/2.0 ")) {
                    final = *packet.bytes;
                }
            }
        }
        CHECK(final.starts_with("SIP/2.0 200"));
        CHECK(header(final, "CSeq") == std::to_string(cseq) + " REGISTER");
        const std::string contact = header(final, "Contact");
        CHECK((end ? contact.empty() : contact.starts_with("<sip:" + phone.name + "@" + phone.address + ">")));
        return count;
    }
    [[nodiscard]] bool by_contact() const {
        return bindings.size() == 1 && bindings.begin()->first.find("@192.168.10.1:5060") != std::string::npos;
    }
    [[nodiscard]] bool by_path() const {
        return bindings.size() == 1 && bindings.begin()->first == "sip:nora@192.168.1.5:5060";
    }
};

TEST_CASE("one binding a phone, whatever a registrar makes of Path") {
    World world(with_servers());
    Registrar registrar;
    SUBCASE("it keeps Path in silence: the first binding is taken back at once, and that is kept to") {
        CHECK(registrar.serve(world, nat_phone, 1) == 2);
        CHECK(registrar.by_contact());
        const std::string shown = registrar.bindings.begin()->first;
        for (int cseq = 2; cseq < 5; ++cseq) {
            world.pass(200s);
            CHECK(registrar.serve(world, nat_phone, cseq) == 1);
            CHECK(registrar.by_contact());
            CHECK(registrar.bindings.begin()->first == shown);
        }
        CHECK(registrar.serve(world, nat_phone, 5, true) == 1);
        CHECK(registrar.bindings.empty());
        CHECK(world.edge.registrar().size() == 0);
    }
    SUBCASE("it refuses Path, or knows it") {
        registrar.path = Registrar::Path::refused;
        CHECK(registrar.serve(world, nat_phone, 1) == 2);
        CHECK(registrar.by_contact());
        World other(with_servers());
        Registrar knows{.path = Registrar::Path::echoed, .bindings = {}};
        CHECK(knows.serve(other, nat_phone, 1) == 1);
        CHECK(knows.serve(other, nat_phone, 2) == 1);
        CHECK(knows.by_path());
        CHECK(knows.serve(other, nat_phone, 3, true) == 1);
        CHECK(knows.bindings.empty());
    }
    SUBCASE("it knew Path, and changes its mind: of everybody the old binding is taken back") {
        registrar.path = Registrar::Path::echoed;
        CHECK(registrar.serve(world, nat_phone, 1) == 1);
        Registrar others{.path = Registrar::Path::silent, .bindings = {}};
        CHECK(others.serve(world, lan_phone, 1) == 2);  // by this it is noticed
        registrar.path = Registrar::Path::silent;
        CHECK(registrar.serve(world, nat_phone, 2) == 1);
        CHECK(registrar.by_contact());
    }
    SUBCASE("it kept Path in silence, and says so a day later") {
        CHECK(registrar.serve(world, nat_phone, 1) == 2);
        registrar.path = Registrar::Path::echoed;
        world.pass(25h);
        CHECK(registrar.serve(world, nat_phone, 2) == 1);
        CHECK(registrar.by_path());
    }
    SUBCASE("restarts of the edge") {
        CHECK(registrar.serve(world, nat_phone, 1) == 2);
        World second(with_servers());
        CHECK(registrar.serve(second, nat_phone, 2) == 2);
        CHECK(registrar.by_contact());
        World third(with_servers());
        registrar.path = Registrar::Path::echoed;  // meanwhile
        CHECK(registrar.serve(third, nat_phone, 3) == 2);
        CHECK(registrar.by_path());
        World fourth(with_servers());
        registrar.path = Registrar::Path::silent;
        CHECK(registrar.serve(fourth, nat_phone, 4, true) == 1);
        CHECK(registrar.bindings.empty());
    }
    SUBCASE("a phone that ends its registration first thing after a restart") {
        CHECK(registrar.serve(world, nat_phone, 1) == 2);
        World second(with_servers());
        CHECK(registrar.serve(second, nat_phone, 2, true) == 2);
        CHECK(registrar.bindings.empty());
    }
}

TEST_CASE("path = \"contact\" asks nobody, path = \"path\" gives nothing else") {
    World contact(with_servers(PathMode::contact));
    contact.receive(nat_phone, registering(nat_phone, 1));
    CHECK(header(contact.to(server, "REGISTER"), "Contact").find("@192.168.10.1:5060>") != std::string::npos);
    World path(with_servers(PathMode::path));
    path.receive(nat_phone, registering(nat_phone, 1));
    const std::string request = path.to(server, "REGISTER");
    path.receive(server, server.response(request, 420, ""));
    CHECK_FALSE(path.to(nat_phone, "SIP/2.0 420").empty());
}

TEST_CASE("a refused REGISTER registers nobody; its challenge passes as it is") {
    World world(with_servers());
    world.receive(nat_phone, registering(nat_phone, 1));
    const std::string request = world.to(server, "REGISTER");
    std::string refusal = server.response(request, 401, "");
    refusal.insert(refusal.find("Content-Length"), "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"x\"\r\n");
    world.receive(server, refusal);
    CHECK(header(world.to(nat_phone, "SIP/2.0 401"), "WWW-Authenticate") == "Digest realm=\"pbx\", nonce=\"x\"");
    CHECK(world.edge.registrar().size() == 0);
}

TEST_CASE("who may use the servers") {
    World world(with_servers());
    world.add(lan_phone);
    SUBCASE("anybody calls a user of a home domain") {
        world.receive(wan_phone, call(wan_phone, "sip:100@pbx.example.net", ""));
        CHECK_FALSE(world.to(server, "INVITE sip:100@pbx.example.net").empty());
    }
    SUBCASE("no toll calls through the trunk") {
        world.receive(wan_phone, call(wan_phone, "sip:+1900@carrier.example", ""));
        CHECK_FALSE(world.to(wan_phone, "SIP/2.0 403").empty());
        world.receive(wan_phone, call(wan_phone, "sip:+1900@carrier.example", "Route: <sip:203.0.113.10;lr>\r\n", 2));
        CHECK_FALSE(world.to(wan_phone, "SIP/2.0 403").empty());
        world.receive(wan_phone, wan_phone.request("INVITE", "sip:+1900@carrier.example",
                                                   "<sip:+1900@carrier.example>;tag=forged", "", "", 3));
        CHECK_FALSE(world.to(wan_phone, "SIP/2.0 403").empty());
        world.receive(trunk, call(trunk, "sip:+1900@carrier.example", ""));
        CHECK_FALSE(world.to(trunk, "SIP/2.0 403").empty());
    }
    SUBCASE("the LAN calls out, the trunk calls in") {
        world.receive(lan_phone, call(lan_phone, "sip:+1900@carrier.example", ""));
        CHECK_FALSE(world.to(trunk, "INVITE sip:+1900@carrier.example").empty());
        world.receive(trunk, call(trunk, "sip:alice@example.com", ""));
        CHECK_FALSE(world.to(lan_phone, "INVITE").empty());
    }
    SUBCASE("a home server is no way into the LAN for other domains") {
        world.receive(wan_phone, call(wan_phone, "sip:x@elsewhere.example", "Route: <sip:192.168.10.50;lr>\r\n"));
        CHECK_FALSE(world.to(wan_phone, "SIP/2.0 403").empty());
        world.receive(wan_phone, call(wan_phone, "sip:x@elsewhere.example", "Route: <sip:pbx.example.net;lr>\r\n", 2));
        CHECK(world.to(server, "INVITE").empty());
    }
    SUBCASE("a user whom the other server has asked for a password may call out, one whom it did not ask may not") {
        by_path(world, nat_phone);
        world.receive(nat_phone, call(nat_phone, "sip:+1900@carrier.example", ""));
        CHECK_FALSE(world.to(nat_phone, "SIP/2.0 403").empty());
        challenged(world, nat_phone);
        by_path(world, nat_phone, 2, "Authorization: Digest username=\"nora\", nonce=\"n\"\r\n");
        std::string own = call(nat_phone, "sip:+1900@carrier.example", "", 2);
        own.replace(own.find("nora@example.com"), 16, "nora@pbx.example.net");
        world.receive(nat_phone, own);
        CHECK_FALSE(world.to(trunk, "INVITE").empty());
    }
    SUBCASE("scanners") {
        world.receive(wan_phone, wan_phone.request("OPTIONS", "sip:100@203.0.113.10", "<sip:100@203.0.113.10>",
                                                   "User-Agent: friendly-scanner\r\n", ""));
        CHECK(world.sent.empty());
        for (const char* user : {"alice", "nobody"}) {
            const std::string uri = std::string("sip:") + user + "@example.com";
            world.receive(wan_phone, wan_phone.request("OPTIONS", uri, "<" + uri + ">", "", "", 10 + user[0]));
            CHECK_FALSE(world.to(wan_phone, "SIP/2.0 404").empty());
        }
    }
}

TEST_CASE("a call between two users of another server spirals: each turn has its own media, BYE ends both") {
    World world(with_servers());
    by_path(world, nat_phone, 1);
    const std::string path = by_path(world, nat_phone2, 1);
    const std::string uri = "sip:ned@pbx.example.net";
    world.receive(nat_phone, nat_phone.request("INVITE", uri, "<" + uri + ">", "", nat_phone.sdp()));
    const std::string at_server = world.to(server, "INVITE");
    REQUIRE_FALSE(at_server.empty());
    // The server forwards as a proxy does: Request-URI of the Contact, Path as Route, its Via and Record-Route on top.
    std::string onwards = at_server;
    onwards.replace(onwards.find(uri), uri.size(), "sip:ned@192.168.1.5:5060");
    onwards.insert(onwards.find("\r\nVia:") + 2, "Record-Route: <sip:192.168.10.50;lr>\r\nRoute: " + path +
                                                     "\r\nVia: SIP/2.0/UDP 192.168.10.50:5060;branch=z9hG4bKsrv1\r\n");
    world.receive(server, onwards);
    const std::string at_callee = world.to(nat_phone2, "INVITE sip:ned@192.168.1.5:5060");
    REQUIRE_FALSE(at_callee.empty());
    CHECK(world.edge.media().size() == 2);
    world.receive(nat_phone2, nat_phone2.response(at_callee, 200, nat_phone2.sdp()));
    std::string ok = world.to(server, "SIP/2.0 200");
    REQUIRE_FALSE(ok.empty());
    const std::size_t via = ok.find("Via: SIP/2.0/UDP 192.168.10.50");
    world.receive(server, ok.erase(via, ok.find("\r\n", via) + 2 - via));
    const std::string answered = world.to(nat_phone, "SIP/2.0 200");
    REQUIRE_FALSE(answered.empty());

    world.receive(nat_phone, nat_phone.request("BYE", "sip:ned@192.168.1.5:5060", "<sip:ned@pbx.example.net>;tag=ned",
                                               routes(answered, true), "", 2));
    std::string bye = world.to(server, "BYE");
    REQUIRE_FALSE(bye.empty());
    CHECK(header(bye, "Route") == "<sip:192.168.10.50;lr>");
    bye.erase(bye.find("Route: <sip:192.168.10.50;lr>\r\n"), 31);
    bye.insert(bye.find("\r\nVia:") + 2, "Via: SIP/2.0/UDP 192.168.10.50:5060;branch=z9hG4bKsrv2\r\n");
    world.receive(server, bye);
    const std::string last = world.to(nat_phone2, "BYE sip:ned@192.168.1.5:5060");
    REQUIRE_FALSE(last.empty());
    world.receive(nat_phone2, nat_phone2.response(last, 200, ""));
    CHECK(world.edge.media().size() == 1);
}
