#include "peers.hpp"

/// What edges that are active at once believe each other, and what becomes of calls when one of them starts again, or
/// a client comes to the other one.
using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

namespace {

/// The INVITE of a call that rings at B, as it came over the wire.
std::string invite_between(const TwoEdges& edges) {
    for (const sip::Packet& packet : edges.between) {
        if (packet.bytes->starts_with("INVITE")) return *packet.bytes;
    }
    return {};
}

std::string changed(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

/// What B makes of it when it comes from A's address.
std::size_t packets_for(World& world, const std::string& bytes, const std::string& from = "10.9.0.1:5099") {
    world.sent.clear();
    Output out;
    world.edge.on_packet({.flow = flow("udp:10.9.0.2:5099-" + from), .side = Side::wan}, bytes, world.now, out);
    world.take(out);
    return world.sent.size();
}

const Phone thief{"anna", "198.51.100.66:5060", flow("udp:203.0.113.11:5060-198.51.100.66:5060"), Side::wan};

}  // namespace

TEST_CASE("peers: a request that no edge has passed on is dropped, and so is one with the proof of another") {
    TwoEdges edges;
    CallAcross call(edges, nils, nat_phone);
    call.ring();
    const std::string good = invite_between(edges);
    // A new branch: no repetition, but a new transaction.
    const std::string fresh = changed(good, "branch=z9hG4bKne", "branch=z9hG4bKnf");
    const std::string proof = header(good, "Natkit-Peer");
    REQUIRE_FALSE(proof.empty());
    struct Case {
        const char* why;
        std::string bytes;
    };
    std::string another_method = changed(changed(fresh, "INVITE sip:", "MESSAGE sip:"), "1 INVITE", "1 MESSAGE");
    const Case cases[] = {
        {"no proof", changed(fresh, "Natkit-Peer: " + proof + "\r\n", "")},
        {"made up", changed(fresh, proof, std::string(proof.size(), 'A'))},
        {"cut off", changed(fresh, proof, proof.substr(0, 40))},
        {"of another Call-ID", changed(fresh, "Call-ID: call-1", "Call-ID: call-2")},
        {"of another CSeq", changed(fresh, "CSeq: 1 INVITE", "CSeq: 2 INVITE")},
        {"of another method", another_method},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        TwoEdges other;
        other.add(nat_phone);
        CHECK(packets_for(other.b, c.bytes) == 0);
        CHECK(other.b.edge.media().size() == 0);
        CHECK(other.b.edge.transactions() == 0);
    }
    TwoEdges other;
    other.add(nat_phone);
    CHECK(packets_for(other.b, fresh) > 0);  // the very same, whole
    // A took it for B, and for nobody else.
    Output out;
    other.a.edge.on_packet({.flow = flow("udp:10.9.0.1:5099-10.9.0.2:5099"), .side = Side::wan}, fresh, other.a.now,
                           out);
    CHECK(out.packets.empty());
}

TEST_CASE("peers: what edges show each other is taken off what comes from elsewhere") {
    TwoEdges edges;
    edges.add(anna);
    edges.add(nils);
    const std::string uri = "sip:nils@example.com";
    edges.receive(anna, anna.request("INVITE", uri, "<" + uri + ">", "natkit-peer: AAAA\r\n", anna.sdp()));
    const std::string invite = edges.to(nils, "INVITE");
    REQUIRE_FALSE(invite.empty());
    CHECK(invite.find("AAAA") == std::string::npos);
    edges.receive(nils, with(nils.response(invite, 200, nils.sdp()), "Natkit-Peer: BBBB\r\n"));
    const std::string answer = edges.to(anna, "SIP/2.0 200");
    REQUIRE_FALSE(answer.empty());
    CHECK(answer.find("BBBB") == std::string::npos);
    // Across, the edge's own is the only one.
    edges.add(nat_phone);
    edges.receive(anna, anna.request("MESSAGE", "sip:nora@example.com", "<sip:nora@example.com>",
                                     "Natkit-Peer: AAAA\r\n", "", 7));
    const std::string message = edges.to(nat_phone, "MESSAGE");
    REQUIRE_FALSE(message.empty());
    CHECK(message.find("Natkit-Peer") == std::string::npos);
}

TEST_CASE("peers: who a caller says it is counts as it did at the edge that it called") {
    for (const Phone* caller : {&lars, &nils}) {
        CAPTURE(caller->name);
        TwoEdges edges;
        edges.add(*caller);
        edges.add(lan_phone);
        const std::string uri = "sip:alice@example.com";
        edges.receive(*caller, caller->request("INVITE", uri, "<" + uri + ">",
                                               "P-Asserted-Identity: <sip:boss@example.com>\r\n", caller->sdp()));
        const std::string invite = edges.to(lan_phone, "INVITE");
        REQUIRE_FALSE(invite.empty());
        CHECK((invite.find("boss@") != std::string::npos) == (caller == &lars));
    }
}

TEST_CASE("peers: a client that is not at its edge any more is 430 there, and a silent edge 480 after 4 s") {
    TwoEdges edges;
    edges.add(nils);
    edges.add(nat_phone);
    const auto call = [&](int cseq) {
        const std::string uri = "sip:nora@example.com";
        edges.receive(nils, nils.request("INVITE", uri, "<" + uri + ">", "", nils.sdp(), cseq));
    };
    Output out;
    const sip::Binding known = edges.b.edge.registrar().all().front();
    edges.b.edge.on_client_dead(known.id, "gone", edges.b.now, out);
    call(1);
    CHECK_FALSE(edges.to(nils, "SIP/2.0 430 Flow Failed").empty());
    edges.b.edge.set_epoch(2);  // what the other edge knows is of the first
    call(2);
    CHECK_FALSE(edges.to(nils, "SIP/2.0 430 Flow Of An Earlier Epoch Failed").empty());
    // A connection of before: it has the number that it had, and is there no more.
    sip::Binding over_tcp = known;
    over_tcp.flow = flow("tcp:203.0.113.10:5060-198.51.100.7:40001#17");
    edges.b.edge.restore(over_tcp, edges.b.now.wall);
    REQUIRE(edges.b.edge.registrar().size() == 1);
    call(3);
    CHECK_FALSE(edges.to(nils, "SIP/2.0 430").empty());
    edges.cut = true;
    call(4);
    edges.pass(3s);
    CHECK(edges.to(nils, "SIP/2.0 480").empty());
    edges.pass(2s);
    CHECK_FALSE(edges.to(nils, "SIP/2.0 480").empty());
}

TEST_CASE("peers: a server reaches a client of the other edge by the way that this one had shown it") {
    TwoEdges edges;
    Settings served = settings_a();
    served.servers = {{.domain = "pbx.example.net", .to = "sip:192.168.10.50:5060"}};
    edges.a.edge.set_settings(served, edges.a.now, *std::make_unique<Output>());
    const Phone pbx{"pbx", "192.168.10.50:5060", flow("udp:192.168.10.2:5060-192.168.10.50:5060"), Side::lan};
    edges.receive(
        nils, nils.request("REGISTER", "sip:pbx.example.net", "<sip:nils@pbx.example.net>", "Expires: 600\r\n", "", 1));
    const std::string request = edges.to(pbx, "REGISTER");
    REQUIRE_FALSE(request.empty());
    const std::string path = header(request, "Path");
    edges.receive(pbx, with(pbx.response(request, 200, ""),
                            "Contact: " + header(request, "Contact") + ";expires=600\r\nPath: " + path + "\r\n"));
    REQUIRE(edges.a.edge.registrar().size() == 1);
    // It registers by the other edge; the server is to call, and goes by what it knew.
    sip::Binding moved = edges.a.edge.registrar().all().front();
    moved.cseq += 1;
    moved.flow = flow("udp:203.0.113.10:5060-198.51.100.17:41001");
    Output out;
    REQUIRE(edges.b.edge.take_over(moved, edges.b.now, out).has_value());
    edges.b.take(out);
    edges.tell(edges.b, moved);
    CHECK(edges.a.edge.registrar().size() == 0);
    Phone there = nils;
    there.flow = moved.flow;
    const std::string uri = "sip:nils@192.168.1.9:5060";
    edges.receive(pbx, pbx.request("INVITE", uri, "<" + uri + ">", "Route: " + path + "\r\n", pbx.sdp()));
    CHECK_FALSE(edges.to(there, "INVITE").empty());
    // Nobody else may use it.
    edges.receive(lars, lars.request("INVITE", uri, "<" + uri + ">", "Route: " + path + "\r\n", lars.sdp(), 2));
    CHECK_FALSE(edges.to(lars, "SIP/2.0 403").empty());
}

TEST_CASE("peers: after a restart of either edge re-INVITE and BYE work, from either end") {
    struct Case {
        const char* why;
        const Phone& caller;
        const Phone& callee;
    };
    const Case cases[] = {{"relayed", nils, nat_phone}, {"not relayed", anna, wan_phone}};
    for (const Case& c : cases) {
        for (const bool of_owner : {true, false}) {
            for (const bool by_caller : {true, false}) {
                CAPTURE(c.why);
                CAPTURE(of_owner);
                CAPTURE(by_caller);
                TwoEdges edges;
                CallAcross call(edges, c.caller, c.callee);
                call.establish();
                const std::size_t legs = edges.b.legs.size();
                edges.restart(of_owner ? edges.b : edges.a);
                const Phone& who = by_caller ? c.caller : c.callee;
                const Phone& peer = by_caller ? c.callee : c.caller;
                const std::string held = call.send(who, "INVITE", sdp_of(who, 7, "a=sendonly\r\n"));
                REQUIRE_FALSE(held.empty());
                if (legs > 0) CHECK(clean(held, who));
                REQUIRE_FALSE(call.answer(who, held, 200, sdp_of(peer, 8)).empty());
                REQUIRE_FALSE(call.send(who, "ACK", {}, call.cseq).empty());
                CHECK(edges.b.legs.size() == legs);
                CHECK(edges.a.legs.empty());
                if (legs > 0) {
                    const auto summary = edges.b.edge.media().summaries();
                    REQUIRE(summary.size() == 1);
                    CHECK(summary[0].caller.source() == c.caller.flow.remote);
                }
                const std::string bye = call.send(who, "BYE");
                REQUIRE_FALSE(bye.empty());
                CHECK_FALSE(call.answer(who, bye, 200).empty());
                CHECK(edges.b.legs.empty());
            }
        }
    }
}

TEST_CASE("peers: the owner's edge hangs a call across up at both ends") {
    TwoEdges edges;
    CallAcross call(edges, nils, nat_phone);
    call.establish();
    Output out;
    CHECK(edges.b.edge.hang_up("call-1", "me", edges.b.now, out) == 1);
    edges.b.take(out);
    edges.run();
    CHECK_FALSE(edges.to(nils, "BYE").empty());
    CHECK_FALSE(edges.to(nat_phone, "BYE").empty());
}

TEST_CASE("peers: a request inside a dialog that comes to the other edge goes to the one that it belongs to") {
    for (const bool by_caller : {true, false}) {
        CAPTURE(by_caller);
        TwoEdges edges;
        CallAcross call(edges, nils, nat_phone);
        call.establish();
        const Phone& who = by_caller ? nils : nat_phone;
        const Phone& peer = by_caller ? nat_phone : nils;
        Phone moved = who;  // the same phone, by the other edge's address
        std::swap(moved.flow.local, moved.flow.local);
        moved.flow.local = endpoint(by_caller ? "203.0.113.10:5060" : "203.0.113.11:5060");
        edges.receive(moved, call.in_dialog(who, "INVITE", sdp_of(who, 9, "a=sendonly\r\n")));
        const std::string held = edges.to(peer, "INVITE");
        REQUIRE_FALSE(held.empty());
        CHECK(clean(held, who));
        edges.receive(peer, peer.response(held, 200, sdp_of(peer, 10)));
        CHECK_FALSE(edges.to(moved, "SIP/2.0 200").empty());
        edges.receive(moved, call.in_dialog(who, "ACK", {}, call.cseq));
        CHECK_FALSE(edges.to(peer, "ACK").empty());
        CHECK(edges.b.legs.size() == 2);
        // Its flow is none of a party's, and the party's own is as it was.
        CHECK(edges.b.edge.media().summaries().front().caller.source() == nils.flow.remote);
        const std::string back = call.send(peer, "INFO");
        CHECK_FALSE(back.empty());
        // Who is not in the call does not get in by the other edge, either.
        Phone stranger = moved;
        stranger.flow.remote = endpoint("198.51.100.99:5060");
        edges.receive(stranger, call.in_dialog(who, "BYE"));
        CHECK_FALSE(edges.to(stranger, "SIP/2.0 403").empty());
        edges.receive(moved, call.in_dialog(who, "BYE"));
        CHECK_FALSE(edges.to(peer, "BYE").empty());
    }
}

TEST_CASE("peers: whose client is whose") {
    TwoEdges edges;
    edges.add(nat_phone);
    CHECK(edges.a.edge.foreign().size() == 1);
    const sip::Binding known = edges.b.edge.registrar().all().front();
    Output out;
    const auto count = [&](World& world) { return world.edge.registrar().size(); };
    // An older row drops nothing; a newer one does, and its calls go on.
    CallAcross call(edges, nils, nat_phone);
    call.establish();
    sip::Binding row = known;
    row.cseq -= 1;
    REQUIRE(edges.b.edge.set_foreign({.node = "edge-a", .binding = row}, edges.b.now, out).has_value());
    CHECK(count(edges.b) == 1);
    row = known;
    row.cseq += 1;
    REQUIRE(edges.b.edge.set_foreign({.node = "edge-a", .binding = row}, edges.b.now, out).has_value());
    CHECK(count(edges.b) == 0);
    CHECK(edges.b.edge.media().size() == 1);
    CHECK(std::ranges::any_of(out.events, [&](const Event& event) {
        const auto* change = std::get_if<sip::BindingChange>(&event);
        return change != nullptr && change->kind == sip::BindingChange::Kind::removed && change->binding.id == known.id;
    }));
    // Taken over: by the socket here that is like the other node's.
    Output taken;
    REQUIRE(edges.a.edge.take_over(row, edges.a.now, taken).has_value());
    REQUIRE(edges.a.edge.registrar().by_id(known.id) != nullptr);
    CHECK(edges.a.edge.registrar().by_id(known.id)->flow.local == endpoint("203.0.113.11:5060"));
    CHECK(std::ranges::any_of(taken.events, [](const Event& event) {
        const auto* change = std::get_if<sip::BindingChange>(&event);
        return change != nullptr && change->kind == sip::BindingChange::Kind::added && change->taken;
    }));
    // Not by a socket that is not there, nor by another node's connection.
    sip::Binding other = row;
    other.id = "00000000000000aa";
    other.flow = flow("tcp:203.0.113.10:5060-198.51.100.7:40001#17");
    CHECK_FALSE(edges.a.edge.take_over(other, edges.a.now, taken).has_value());
    other.flow = flow("udp:[2001:db8::1]:5060-[2001:db8::2]:5060");
    CHECK_FALSE(edges.a.edge.take_over(other, edges.a.now, taken).has_value());
}

TEST_CASE("peers: whose address has not come here is reached by one that is here, unless a NAT is before it") {
    TwoEdges edges;
    edges.add(nat_phone);
    edges.add(wan_phone);
    Settings both = settings_a();
    const Endpoint of_b = endpoint("203.0.113.10:5060");
    both.listeners.push_back({sip::Transport::udp, of_b, of_b, Side::wan});
    both.listeners.back().here = false;
    edges.a.edge.set_settings(both, edges.a.now, *std::make_unique<Output>());
    for (const sip::Binding& row : edges.b.edge.registrar().all()) {
        Output out;
        REQUIRE(edges.a.edge.take_over(row, edges.a.now, out).has_value());
        const bool far_end = row.verdict.place == nat::Place::far_end;
        CAPTURE(to_string(row.flow.remote));
        CHECK(edges.a.edge.registrar().by_id(row.id)->flow.local == (far_end ? of_b : endpoint("203.0.113.11:5060")));
    }
}

namespace {

/// One user has two phones at the other edge; this one takes anybody's REGISTER.
void two_of_nora_at_b(TwoEdges& edges) {
    Settings open = settings_a();
    open.open_registrar = true;
    Output out;
    edges.a.edge.set_settings(open, edges.a.now, out);
    edges.add(nat_phone);
    edges.add(wan_phone, "nora");
}

/// The one behind a NAT speaks to this edge: a request that goes on with the registration that it has at the other.
std::string registering_at_a(const Phone& moved, const std::string& expires) {
    const std::string request =
        moved.request("REGISTER", "sip:example.com", "<sip:nora@example.com>", "Expires: " + expires + "\r\n", "", 2);
    return changed(request, "Call-ID: call-nora", "Call-ID: reg-nora");
}

}  // namespace

TEST_CASE("peers: a client that registers at another edge keeps its id, and is shown its other contacts") {
    TwoEdges edges;
    two_of_nora_at_b(edges);
    const sip::Binding known = *edges.b.edge.registrar().on_flow(nat_phone.flow);
    Phone moved = nat_phone;
    moved.flow = flow("udp:203.0.113.11:5060-198.51.100.77:40001");
    edges.receive(moved, registering_at_a(moved, "600"));
    const std::string answer = edges.to(moved, "SIP/2.0 200");
    REQUIRE_FALSE(answer.empty());
    CHECK(answer.find("<sip:wendy@203.0.113.20:5060>") != std::string::npos);
    const sip::Binding* here = edges.a.edge.registrar().on_flow(moved.flow);
    REQUIRE(here != nullptr);
    CHECK(here->id == known.id);
    CHECK(edges.a.edge.foreign().size() == 1);  // it is none any more
}

TEST_CASE("peers: who unregisters at another edge is registered nowhere, and is called nowhere") {
    TwoEdges edges;
    two_of_nora_at_b(edges);
    Phone moved = nat_phone;
    moved.flow = flow("udp:203.0.113.11:5060-198.51.100.77:40001");
    Output out;
    edges.a.edge.on_packet({.flow = moved.flow, .side = Side::wan}, registering_at_a(moved, "0"), edges.a.now, out);
    std::vector<sip::BindingChange> told;
    for (const Event& event : out.events) {
        if (const auto* change = std::get_if<sip::BindingChange>(&event)) told.push_back(*change);
    }
    edges.a.take(out);
    const std::string answer = edges.to(moved, "SIP/2.0 200");
    CHECK(answer.find("<sip:wendy@203.0.113.20:5060>") != std::string::npos);  // his other one stays
    CHECK(answer.find("nora@192.168.1.5") == std::string::npos);
    CHECK(edges.a.edge.foreign().size() == 1);
    CHECK(edges.a.edge.registrar().size() == 0);
    // The other edge hears of it by a row that is over at once.
    REQUIRE(told.size() == 1);
    REQUIRE(told[0].elsewhere);
    edges.tell(edges.a, told[0].binding);
    CHECK(edges.b.edge.registrar().by_id(told[0].binding.id) == nullptr);
    CHECK(edges.b.edge.foreign().size() == 0);
    CHECK(edges.b.edge.registrar().size() == 1);
}

TEST_CASE("peers: as many clients of other nodes are known as may be registered") {
    ForeignClients clients({.min_expires = 60s, .max_expires = 600s, .contacts_per_aor = 2, .bindings = 3},
                           World::secrets().mac);
    const WallTime now(1'700'000'000s);
    const auto put = [&](const char* id, const char* aor, std::chrono::seconds left) {
        sip::Binding binding{.id = id, .aor = aor, .contact = "sip:x@10.0.0.1", .expires = now + left};
        return clients.put({.node = "edge-b", .binding = std::move(binding)}, now).has_value();
    };
    CHECK(put("1", "a@x", 10s));
    CHECK(put("2", "a@x", 20s));
    CHECK_FALSE(put("3", "a@x", 20s));  // of one user
    CHECK(put("1", "a@x", 15s));        // known
    CHECK_FALSE(put("1", "b@x", 15s));  // as another's
    CHECK(put("4", "b@x", 20s));
    CHECK_FALSE(put("5", "c@x", 20s));  // in all
    CHECK(clients.lookup("a@x", now).size() == 2);
    CHECK(clients.by_id("1")->node == "edge-b");
    CHECK(put("2", "a@x", 0s));  // expired: forgotten
    CHECK_FALSE(clients.by_id("2").has_value());
    clients.expire(now + 15s);
    CHECK(clients.size() == 1);
    clients.forget("4");
    CHECK(clients.size() == 0);
}
