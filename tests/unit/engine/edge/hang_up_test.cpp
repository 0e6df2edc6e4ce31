#include "call.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

namespace {

std::size_t hang_up(World& world, const std::string& call_id = "call-1") {
    Output out;
    const std::size_t ended = world.edge.hang_up(call_id, "anna", world.now, out);
    world.take(out);
    return ended;
}

std::size_t remove(World& world, const std::string& name) {
    Output out;
    const std::size_t removed = world.edge.remove_clients(name, "anna", world.now, out);
    world.take(out);
    return removed;
}

/// The next BYE to each of two phones, whichever comes first.
std::pair<std::string, std::string> byes(World& world, const Phone& first, const Phone& second) {
    auto packets = world.sent;
    std::string to_first = world.to(first, "BYE");
    world.sent = std::move(packets);
    return {std::move(to_first), world.to(second, "BYE")};
}

}  // namespace

TEST_CASE("a call that the operator ends: BYE to both ends, each as the other one's would be") {
    World world;
    Call call(world, lan_phone, nat_phone);
    call.establish();
    world.sent.clear();
    CHECK(hang_up(world, "another") == 0);
    REQUIRE(hang_up(world) == 1);
    CHECK(world.legs.empty());
    CHECK(world.edge.media().size() == 0);
    const auto [to_caller, to_callee] = byes(world, lan_phone, nat_phone);
    CHECK(to_caller.starts_with("BYE sip:alice@192.168.10.20:5060 SIP/2.0\r\n"));
    CHECK(header(to_caller, "From") == "<sip:nora@example.com>;tag=nora");
    CHECK(header(to_caller, "To") == "<sip:alice@example.com>;tag=alice");
    CHECK(to_callee.starts_with("BYE sip:nora@192.168.1.5:5060 SIP/2.0\r\n"));
    CHECK(header(to_callee, "From") == "<sip:alice@example.com>;tag=alice");
    CHECK(header(to_callee, "To") == "<sip:nora@example.com>;tag=nora");
    for (const std::string& bye : {to_caller, to_callee}) {
        CHECK(header(bye, "Call-ID") == "call-1");
        CHECK(header(bye, "CSeq") == "2147483647 BYE");
        CHECK(header(bye, "Route").empty());
        CHECK(sip::check(sip::Message::parse(bye).value()).has_value());
    }
    // It is repeated until it is answered; nothing is passed on to the other end.
    world.sent.clear();
    world.receive(lan_phone, lan_phone.response(to_caller, 200, ""));
    world.pass(600ms);
    CHECK(world.to(nat_phone, "BYE") == to_callee);
    world.receive(nat_phone, nat_phone.response(to_callee, 200, ""));
    world.sent.clear();
    world.pass(5s);
    CHECK(world.sent.empty());
    CHECK(hang_up(world) == 0);
}

TEST_CASE("a call that the operator ends: through the proxies that have recorded themselves") {
    World world;
    Call call(world, wan_phone, nat_phone);
    world.receive(wan_phone, with(wan_phone.request("INVITE", "sip:nora@example.com", "<sip:nora@example.com>", "",
                                                    wan_phone.sdp()),
                                  "Record-Route: <sip:198.51.100.1;lr>\r\nRecord-Route: <sip:198.51.100.2;lr>\r\n"));
    call.invite = world.to(nat_phone, "INVITE");
    REQUIRE_FALSE(call.invite.empty());
    const std::string answer = nat_phone.response(call.invite, 200, nat_phone.sdp());
    const std::size_t first = answer.find("Record-Route:");
    world.receive(nat_phone, answer.substr(0, first) +
                                 "Record-Route: <sip:10.9.9.2;lr>\r\nRecord-Route: <sip:10.9.9.1;lr>\r\n" +
                                 answer.substr(first));
    world.sent.clear();
    REQUIRE(hang_up(world) == 1);
    const auto [to_caller, to_callee] = byes(world, wan_phone, nat_phone);
    CHECK(header(to_caller, "Route") == "<sip:198.51.100.1;lr>, <sip:198.51.100.2;lr>");
    CHECK(header(to_callee, "Route") == "<sip:10.9.9.1;lr>, <sip:10.9.9.2;lr>");
}

TEST_CASE("a call that the operator ends while it rings: CANCEL, and the caller gets the callee's 487") {
    World world;
    Call call(world, lan_phone, nat_phone);
    call.ring();
    world.receive(nat_phone, nat_phone.response(call.invite, 180, ""));
    world.sent.clear();
    REQUIRE(hang_up(world) == 1);
    const std::string cancel = world.to(nat_phone, "CANCEL");
    CHECK(header(cancel, "Reason") == "SIP;cause=487;text=\"ended by the operator\"");
    CHECK_FALSE(call.back(call.invite, 487, "").empty());
    CHECK(world.edge.media().size() == 0);
    CHECK(world.legs.empty());
    CHECK(hang_up(world) == 0);
}

TEST_CASE("a call of before a restart is ended with what was kept of it") {
    World world;
    Call call(world, lan_phone, nat_phone);
    call.establish();
    REQUIRE(world.kept.size() == 1);
    SessionState state = world.kept.begin()->second;
    CHECK(state.ends[1].contact == "sip:nora@192.168.1.5:5060");
    state.ends[0].contact.clear();  // by an earlier version
    World next;
    next.legs = world.legs;
    next.edge.media().remember(state);
    CHECK(next.edge.media().restore(next.now.steady).size() == 2);
    REQUIRE(hang_up(next) == 1);
    const auto [to_caller, to_callee] = byes(next, lan_phone, nat_phone);
    CHECK(to_caller.starts_with("BYE sip:alice@192.168.10.20:5060 SIP/2.0\r\n"));
    CHECK(to_callee.starts_with("BYE sip:nora@192.168.1.5:5060 SIP/2.0\r\n"));
}

TEST_CASE("a client that the operator removes: by address of record, Contact or id") {
    World world;
    world.add(lan_phone);
    world.add(nat_phone);
    world.add(wan_phone);
    CHECK(remove(world, "sip:nobody@example.com") == 0);
    CHECK(remove(world, "sip:Alice@example.com") == 1);
    CHECK(remove(world, "alice@example.com") == 0);
    CHECK(remove(world, "sip:nora@192.168.1.5:5060") == 1);
    REQUIRE(world.edge.registrar().size() == 1);
    CHECK(remove(world, world.edge.registrar().all().front().id) == 1);
    CHECK(world.edge.registrar().size() == 0);
}
