#pragma once

#include "call.hpp"
#include "natkit/sip/peer_token.hpp"

/// Two edges that are active at once, with a wire between them, and phones at each.
namespace natkit::edge::test {

inline PeerEdge peer_edge(const std::string& node, const std::string& listen) {
    return {.node = node, .number = sip::node_number(node), .listen = endpoint(listen)};
}
inline const PeerEdge edge_a = peer_edge("edge-a", "10.9.0.1:5099");
inline const PeerEdge edge_b = peer_edge("edge-b", "10.9.0.2:5099");

inline Settings one_of_two(const std::string& lan, const std::string& wan, const PeerEdge& own, const PeerEdge& other) {
    Settings result = settings();
    result.open_registrar = false;
    const auto listener = [](const std::string& at, Side side) {
        return Listener{sip::Transport::udp, endpoint(at), endpoint(at), side};
    };
    result.listeners = {listener(lan + ":5060", Side::lan), listener(wan + ":5060", Side::wan),
                        listener(to_string(own.listen), Side::wan)};
    result.listeners.back().peers = true;
    result.media_addresses = {endpoint(lan + ":1").address, endpoint(wan + ":1").address};
    result.peers = {.own = own, .others = {other}};
    return result;
}
inline Settings settings_a() {
    return one_of_two("192.168.10.2", "203.0.113.11", edge_a, edge_b);
}
inline Settings settings_b() {
    return one_of_two("192.168.10.1", "203.0.113.10", edge_b, edge_a);
}
inline Secrets secrets_a() {
    Secrets result = World::secrets();
    result.random_hex = [n = 0]() mutable { return "a" + std::to_string(n++); };
    return result;
}

/// At A: on the public network, behind a NAT, on the LAN.
inline const Phone anna{"anna", "203.0.113.30:5060", flow("udp:203.0.113.11:5060-203.0.113.30:5060"), Side::wan};
inline const Phone nils{"nils", "192.168.1.9:5060", flow("udp:203.0.113.11:5060-198.51.100.17:41001"), Side::wan};
inline const Phone lars{"lars", "192.168.10.30:5060", flow("udp:192.168.10.2:5060-192.168.10.30:5060"), Side::lan};

struct TwoEdges {
    std::optional<World> first{std::in_place, settings_a(), secrets_a()};
    std::optional<World> second{std::in_place, settings_b(), World::secrets()};
    World& a = *first;  ///< the same place after a restart
    World& b = *second;
    std::vector<sip::Packet> between;  ///< all that went over the wire
    std::vector<std::string> to_phones;
    bool cut = false;

    [[nodiscard]] World& of(const Phone& phone) {
        return a.edge.settings().find(sip::Transport::udp, phone.flow.local) ? a : b;
    }
    /// A new process in the place of one: with what its store and mediarelay have kept.
    void restart(World& world) {
        const auto bindings = world.edge.registrar().all();
        const auto foreign = world.edge.foreign().ids();
        const auto kept = world.kept;
        const auto legs = world.legs;
        const Now now = world.now;
        (&world == &a ? first : second)
            .emplace(&world == &a ? settings_a() : settings_b(), &world == &a ? secrets_a() : World::secrets());
        world.now = now;
        world.legs = legs;
        world.kept = kept;
        for (const sip::Binding& binding : bindings) world.edge.restore(binding, now.wall);
        for (const sip::Binding& binding : other(world).edge.registrar().all()) tell(other(world), binding);
        CHECK(world.edge.foreign().size() == foreign.size());
        for (const auto& [leg, state] : kept) world.edge.media().remember(state);
        (void)world.edge.media().restore(now.steady);
    }
    [[nodiscard]] World& other(World& world) { return &world == &a ? b : a; }

    void carry(const sip::Packet& packet) {
        between.push_back(packet);
        if (cut) return;
        World& to = packet.flow.local == edge_a.listen ? b : a;
        sip::Flow back = packet.flow;
        std::swap(back.local, back.remote);
        Output out;
        to.edge.on_packet({.flow = back, .side = Side::wan}, *packet.bytes, to.now, out);
        to.take(out);
    }
    /// Until nothing is left on the wire.
    void run() {
        for (bool more = true; more;) {
            more = false;
            for (World* world : {&a, &b}) {
                std::deque<sip::Packet> all;
                std::swap(all, world->sent);
                for (const sip::Packet& packet : all) {
                    if (!world->edge.settings().by_peer(packet.flow)) {
                        to_phones.push_back(*packet.bytes);
                        world->sent.push_back(packet);
                        continue;
                    }
                    more = true;
                    carry(packet);
                }
            }
        }
    }
    void pass(std::chrono::milliseconds time) {
        for (; time > 0ms; time -= 100ms) {
            a.pass(100ms);
            b.pass(100ms);
            run();
        }
    }
    void receive(const Phone& from, const std::string& bytes) {
        of(from).receive(from, bytes);
        run();
    }
    std::string to(const Phone& phone, const std::string& start) { return of(phone).to(phone, start); }

    /// Registers; the other edge hears of it.
    void add(const Phone& phone, const std::string& user = {}) {
        World& own = of(phone);
        Output out;
        sip::Registration registration;
        registration.aor = (user.empty() ? phone.name : user) + "@example.com";
        registration.contacts = {
            {.uri = "sip:" + phone.name + "@" + phone.address, .expires = 600s, .q = 1000, .instance = {}}};
        registration.call_id = "reg-" + phone.name;
        registration.cseq = 1;
        registration.flow = phone.flow;
        registration.verdict = nat::classify(
            {.received = phone.flow.remote.address, .via = {}, .contact = endpoint(phone.address).address},
            own.edge.settings().networks);
        registration.authenticated = registration.reached = true;
        sip::Registrar made(own.edge.settings().registrar, World::secrets().mac);
        const auto outcome = made.register_contacts(registration, own.now.wall);
        REQUIRE(outcome.status == 200);
        for (const auto& change : outcome.changes) {
            REQUIRE(own.edge.take_over(change.binding, own.now, out).has_value());
            own.take(out);
            tell(own, change.binding);
        }
        own.sent.clear();
    }
    /// What natkit-cluster says to the other edge.
    void tell(World& owner, const sip::Binding& binding) {
        Output out;
        const std::string node = &owner == &a ? "edge-a" : "edge-b";
        World& to = other(owner);
        REQUIRE(to.edge.set_foreign({.node = node, .epoch = 1, .binding = binding}, to.now, out).has_value());
        to.take(out);
    }
};

/// A call between phones at two edges.
struct CallAcross {
    TwoEdges& edges;
    const Phone& caller;
    const Phone& callee;
    std::string invite{};
    std::string reply{};
    int cseq = 1;

    CallAcross(TwoEdges& in, const Phone& from, const Phone& to) : edges(in), caller(from), callee(to) {
        edges.add(caller);
        edges.add(callee);
    }
    void ring(bool with_sdp = true) {
        const std::string uri = "sip:" + callee.name + "@example.com";
        edges.receive(caller, caller.request("INVITE", uri, "<" + uri + ">", "", with_sdp ? caller.sdp() : ""));
        invite = edges.to(callee, "INVITE");
        REQUIRE_FALSE(invite.empty());
    }
    std::string back(const std::string& request, int status, const std::string& body, const std::string& fields = {}) {
        edges.receive(callee, with(callee.response(request, status, body), fields));
        const std::string got = edges.to(caller, "SIP/2.0 " + std::to_string(status));
        if (!header(got, "Record-Route").empty()) reply = got;
        return got;
    }
    [[nodiscard]] std::string in_dialog(const Phone& from, const std::string& method, const std::string& body = {},
                                        int number = 0, const std::string& fields = {}) {
        const bool by_caller = &from == &caller;
        const Phone& to = by_caller ? callee : caller;
        const std::string route = by_caller ? routes(reply, true) : routes(invite, false);
        if (number == 0) number = ++cseq;
        return from.request(method, "sip:" + to.name + "@" + to.address,
                            "<sip:" + to.name + "@example.com>;tag=" + to.name, route + fields, body, number);
    }
    std::string send(const Phone& from, const std::string& method, const std::string& body = {}, int number = 0,
                     const std::string& fields = {}) {
        edges.receive(from, in_dialog(from, method, body, number, fields));
        return edges.to(&from == &caller ? callee : caller, method);
    }
    std::string answer(const Phone& from, const std::string& request, int status, const std::string& body = {}) {
        const Phone& to = &from == &caller ? callee : caller;
        edges.receive(to, to.response(request, status, body));
        return edges.to(from, "SIP/2.0 " + std::to_string(status));
    }
    void establish() {
        ring();
        REQUIRE_FALSE(back(invite, 200, callee.sdp()).empty());
        REQUIRE_FALSE(send(caller, "ACK", {}, 1).empty());
    }
    /// The edge that has the media.
    [[nodiscard]] World& owner() { return edges.of(callee); }
    [[nodiscard]] World& first() { return edges.of(caller); }
};

}  // namespace natkit::edge::test
