#include <random>

#include "call.hpp"
#include "servers.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

/// What strangers, spoofed sources and their likes can take from others, or send to them.

namespace {

/// Users, a PBX and a trunk outside.
Settings site() {
    Settings result = with_users();
    result.servers = {{.domain = "carrier.example", .to = "sip:203.0.113.90", .trunk = true}};
    return result;
}

/// The same request as another transaction.
std::string again(std::string request, int number) {
    const std::string branch = "branch=z9hG4bK";
    request.insert(request.find(branch) + branch.size(), "n" + std::to_string(number) + "n");
    return request;
}

std::string call_to(const Phone& from, const std::string& uri, int cseq = 1) {
    return from.request("INVITE", uri, "<" + uri + ">", "", "", cseq);
}

std::size_t count_to(const World& world, const Phone& phone) {
    return static_cast<std::size_t>(
        std::ranges::count_if(world.sent, [&](const sip::Packet& packet) { return packet.flow == phone.flow; }));
}

std::string ack_of(const std::string& invite, const std::string& response) {
    return sip::make_ack(sip::Message::parse(invite).value(), sip::Message::parse(response).value());
}

}  // namespace

TEST_CASE(
    "a failure of our own to who may be spoofed: one answer a copy, the same tag, nothing kept, its ACK absorbed") {
    World world(site());
    REQUIRE(sign_in(world, lan_phone, "alice").starts_with("SIP/2.0 200"));
    const std::string uri = "sip:alice@example.com";
    const std::string invite = call_to(nat_phone, uri);  // claims to be nora
    world.sent.clear();
    const std::size_t before = world.edge.transactions();
    std::set<std::string> tags;
    std::string answer;
    for (int copy = 1; copy <= 3; ++copy) {
        world.receive(nat_phone, invite);
        REQUIRE(world.sent.size() == 1);  // no 100 either
        answer = *world.sent.front().bytes;
        CHECK(answer.starts_with("SIP/2.0 407"));
        CHECK(answer.size() <= 3 * invite.size());
        tags.insert(header(answer, "To"));
        world.sent.clear();
        CHECK(world.edge.transactions() == before);
    }
    CHECK(tags.size() == 1);
    world.pass(40s);
    CHECK(world.edge.transactions() == 0);
    CHECK(count_to(world, nat_phone) == 0);
    world.receive(nat_phone, ack_of(invite, answer));
    CHECK(world.sent.empty());
    // Other failures, and other methods.
    for (const char* method : {"OPTIONS", "MESSAGE", "SUBSCRIBE", "INVITE"}) {
        CAPTURE(method);
        world.receive(wan_phone, wan_phone.request(method, "sip:x@198.51.100.99", "<sip:x@198.51.100.99>", "", ""));
        CHECK(world.sent.size() == 1);
        CHECK(world.edge.transactions() == 0);
        world.sent.clear();
    }
}

TEST_CASE("an answer that is longer than three times a small question is cut, or not sent") {
    World world(site());
    const auto ask = [&](const std::string& via_more) {
        const std::string request = "INVITE sip:alice@example.com SIP/2.0\r\nv:SIP/2.0/UDP h;branch=z9hG4bKa" +
                                    via_more +
                                    "\r\nMax-Forwards:9\r\nf:<sip:nora@example.com>;tag=1\r\nt:<sip:a@example.com>\r\n"
                                    "i:1\r\nCSeq:1 INVITE\r\nl:0\r\n\r\n";
        world.sent.clear();
        world.receive(nat_phone, request);
        std::size_t bytes = 0;
        for (const sip::Packet& packet : world.sent) bytes += packet.bytes->size();
        CHECK(bytes <= 3 * request.size());
        return bytes;
    };
    CHECK(ask("") > 0);
    CHECK(ask(";x=" + std::string(400, 'x')) > 0);
}

TEST_CASE("the token of a dialog lets nobody take transactions who is not in it") {
    World world(site());
    REQUIRE(sign_in(world, lan_phone, "alice").starts_with("SIP/2.0 200"));
    REQUIRE(sign_in(world, nat_phone, "nora").starts_with("SIP/2.0 200"));
    const std::string invite = world.invite(nat_phone, lan_phone);
    REQUIRE_FALSE(invite.empty());
    world.receive(lan_phone, lan_phone.response(invite, 200, lan_phone.sdp()));
    const std::string ok = world.to(nat_phone, "SIP/2.0 200");
    REQUIRE_FALSE(ok.empty());
    world.pass(40s);
    const std::size_t before = world.edge.transactions();
    const std::string inside = wan_phone.request("INFO", "sip:alice@192.168.10.20:5060",
                                                 "<sip:alice@example.com>;tag=alice", routes(ok, true), "", 7);
    for (int n = 0; n < 100; ++n) {
        world.receive(wan_phone, again(inside, n));
        CHECK_FALSE(world.to(wan_phone, "SIP/2.0 403").empty());
    }
    CHECK(world.edge.transactions() == before);
}

TEST_CASE("a flood in a trunk's name, and one with a token, leave transactions to the registered and to the LAN") {
    Settings settings = site();
    settings.transactions.most = 100;
    World world(settings);
    REQUIRE(sign_in(world, lan_phone, "alice").starts_with("SIP/2.0 200"));
    REQUIRE(sign_in(world, nat_phone, "nora").starts_with("SIP/2.0 200"));
    const std::string uri = "sip:alice@example.com";
    const std::string info = trunk.request("INFO", uri, "<" + uri + ">", "", "");
    for (int n = 0; n < 1'000; ++n) world.receive(trunk, again(info, n));
    CHECK(world.edge.transactions() >= 70);
    world.sent.clear();
    // The trunk itself waits; the registered phone's call and the LAN's go through.
    CHECK_FALSE(world.invite(nat_phone, lan_phone).empty());
    world.receive(lan_phone, lan_phone.request("MESSAGE", "sip:nora@example.com", "<sip:nora@example.com>", "", ""));
    CHECK_FALSE(world.to(nat_phone, "MESSAGE").empty());
    world.pass(60s);
    world.receive(trunk, again(info, 5'000));
    CHECK_FALSE(world.to(lan_phone, "INFO").empty());
}

TEST_CASE("a server's address has a limit of its own, above that of strangers") {
    World world(site());
    REQUIRE(sign_in(world, lan_phone, "alice").starts_with("SIP/2.0 200"));
    world.pass(60s);
    const std::string uri = "sip:nobody@example.com";
    const auto answered = [&](const Phone& from) {
        const std::string options = from.request("INFO", uri, "<" + uri + ">", "", "");
        world.sent.clear();
        for (int n = 0; n < 10'000; ++n) world.receive(from, again(options, n));
        return count_to(world, from);
    };
    CHECK(answered(trunk) == 2'000);
    CHECK(answered(wan_phone) == 200);
    CHECK(world.edge.flooded() == 8'000 + 9'800);
}

TEST_CASE("over UDP a user's flow is no password for trunks and elsewhere; over TCP and on the LAN it is") {
    World world(site());
    const std::string uri = "sip:+1900@carrier.example";
    const auto reaches_trunk = [&](const Phone& from, const std::string& request) {
        world.sent.clear();
        world.receive(from, request);
        return std::ranges::any_of(world.sent, [](const sip::Packet& packet) {
            return packet.flow.remote == trunk.flow.remote && packet.bytes->starts_with("INVITE");
        });
    };
    REQUIRE(sign_in(world, nat_phone, "nora").starts_with("SIP/2.0 200"));
    REQUIRE(sign_in(world, lan_phone, "alice").starts_with("SIP/2.0 200"));
    CHECK_FALSE(reaches_trunk(nat_phone, call_to(nat_phone, uri, 3)));
    const std::string challenge = world.to(nat_phone, "SIP/2.0 407");
    REQUIRE_FALSE(challenge.empty());
    const auto with_password = [&](const char* user, const char* password, int cseq, int count = 1) {
        return nat_phone.request("INVITE", uri, "<" + uri + ">",
                                 answer_to(challenge, "INVITE", uri, user, password, count), "", cseq);
    };
    CHECK_FALSE(reaches_trunk(nat_phone, with_password("nora", "guess", 4)));
    CHECK_FALSE(reaches_trunk(nat_phone, with_password("ned", "ned", 5)));
    CHECK(reaches_trunk(nat_phone, with_password("nora", "nora", 6, 2)));
    // Who withholds its name is asked all the same; so is who invents a To-tag.
    std::string anonymous = call_to(nat_phone, uri, 7);
    anonymous.replace(anonymous.find("nora@example.com"), 16, "anonymous@anonymous.invalid");
    CHECK_FALSE(reaches_trunk(nat_phone, anonymous));
    CHECK_FALSE(world.to(nat_phone, "SIP/2.0 407").empty());
    CHECK_FALSE(reaches_trunk(nat_phone, nat_phone.request("INVITE", uri, "<" + uri + ">;tag=invented", "", "", 8)));
    CHECK(reaches_trunk(lan_phone, call_to(lan_phone, uri, 9)));
    // To other users it calls as before.
    CHECK_FALSE(world.invite(nat_phone, lan_phone).empty());
    Settings by_tcp = site();
    by_tcp.listeners.push_back(
        {sip::Transport::tcp, endpoint("203.0.113.10:5060"), endpoint("203.0.113.10:5060"), Side::wan});
    World other(by_tcp);
    Phone phone = nat_phone2;
    phone.flow = flow("tcp:203.0.113.10:5060-198.51.100.8:40009#7");
    REQUIRE(sign_in(other, phone, "ned").starts_with("SIP/2.0 200"));
    other.sent.clear();
    other.receive(phone, call_to(phone, uri, 3));
    CHECK(std::ranges::any_of(other.sent,
                              [](const sip::Packet& packet) { return packet.flow.remote == trunk.flow.remote; }));
}

TEST_CASE("who rings and answers with ever other descriptions: little of them is kept") {
    World world;
    Call call(world, nat_phone, lan_phone);
    call.ring();
    const std::size_t before = world.edge.transaction_bytes();
    const auto ringing = [](int version) {
        return sdp_of(lan_phone, version, "a=x-long:" + std::string(40'000, 'x') + "\r\n");
    };
    for (int version = 1; version <= 40; ++version) CHECK_FALSE(call.back(call.invite, 183, ringing(version)).empty());
    CHECK(world.edge.transaction_bytes() - before < 150'000);
    // The last one again, and one of those before it, are passed on as they were.
    for (const int version : {40, 30}) {
        CAPTURE(version);
        const std::string first = call.back(call.invite, 183, ringing(version));
        CHECK(clean(first, lan_phone));
        CHECK(call.back(call.invite, 183, ringing(version)) == first);
    }
    CHECK_FALSE(call.back(call.invite, 200, ringing(40)).empty());
    world.pass(60s);
    CHECK(world.edge.transaction_bytes() == 0);
}

TEST_CASE("with 30 % loss both ways strangers are challenged and users' calls succeed all the same") {
    std::mt19937 random(7);
    const auto lost = [&random] { return random() % 10 < 3; };
    int challenged = 0;
    int answered = 0;
    constexpr int calls = 40;
    for (int n = 0; n < calls; ++n) {
        World world(site());
        REQUIRE(sign_in(world, lan_phone, "alice").starts_with("SIP/2.0 200"));
        world.pass(40s);
        world.sent.clear();
        sip::TransactionLayer caller;
        const std::string uri = "sip:alice@example.com";
        std::string request = call_to(nat_phone, uri);
        const auto send = [&](sip::TransactionOutput& produced, int cseq) {
            const std::string branch = "z9hG4bKnoraINVITE" + std::to_string(cseq);
            const sip::Sent invite{
                .bytes = std::make_shared<const std::string>(request), .method = "INVITE", .branch = branch};
            CHECK(caller.request(invite, nat_phone.flow, world.now.steady, produced).has_value());
        };
        sip::TransactionOutput produced;
        send(produced, 1);
        bool done = false;
        for (int step = 0; step < 600 && !done; ++step) {
            for (const sip::Packet& packet : std::exchange(produced, {}).packets) {
                if (!lost()) world.receive(nat_phone, *packet.bytes);
            }
            for (const sip::Packet& packet : std::exchange(world.sent, {})) {
                if (packet.flow == lan_phone.flow && packet.bytes->starts_with("INVITE")) {
                    world.receive(lan_phone, lan_phone.response(*packet.bytes, 486, ""));
                }
                if (packet.flow != nat_phone.flow || lost()) continue;
                sip::TransactionOutput heard;
                caller.on_message(sip::Message::parse(*packet.bytes).value(), nat_phone.flow, world.now.steady, heard);
                std::ranges::move(heard.packets, std::back_inserter(produced.packets));
                for (const auto& event : heard.events) {
                    const auto* response = std::get_if<sip::ResponseEvent>(&event);
                    if (response == nullptr || response->message.status() < 300) continue;
                    if (response->message.status() == 407) {
                        ++challenged;
                        request = nat_phone.request("INVITE", uri, "<" + uri + ">",
                                                    answer_to(*packet.bytes, "INVITE", uri, "nora", "nora"), "", 2);
                        send(produced, 2);
                    } else {
                        done = response->message.status() == 486;
                    }
                }
            }
            world.pass(50ms);
            caller.on_time(world.now.steady, produced);
        }
        answered += done ? 1 : 0;
    }
    CHECK(challenged >= calls);
    CHECK(answered == calls);
}
