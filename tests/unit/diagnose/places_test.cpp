#include "made_calls.hpp"

/// What a call looks like from one place of its way: at a phone, on either side of a NAT, at the edge.
namespace natkit::diagnose {
namespace {

constexpr const char* phone = "10.0.1.21:16384";      // behind the NAT 198.51.100.7
constexpr const char* neighbour = "10.0.1.22:17384";  // behind the same one
constexpr const char* outer = "198.51.100.7:16384";   // what the phone says its address is
constexpr const char* outer_two = "198.51.100.7:17384";

/// From the second that it begins in to the one that it ends in, 50 packets a second.
RtpStream talk(const char* source, const char* destination, double from_s, double to_s, std::uint32_t ssrc) {
    RtpStream stream = rtp(source, destination, static_cast<std::uint64_t>((to_s - from_s) * 50), ssrc);
    stream.first_ns = static_cast<std::int64_t>(from_s * second);
    stream.last_ns = static_cast<std::int64_t>(to_s * second);
    stream.sender = ssrc;
    stream.slots.assign(static_cast<std::size_t>((to_s - from_s) * 10), 5);
    return stream;
}

RtpStream reports(const char* source, const char* destination, double from_s, double to_s, std::uint32_t ssrc) {
    RtpStream stream = talk(source, destination, from_s, to_s, 0);
    stream.rtp = 0;
    stream.slots.clear();
    stream.rtcp = static_cast<std::uint64_t>(to_s - from_s) + 1;
    stream.sender = ssrc;
    return stream;
}

IcmpError refusals(double from_s, double to_s, unsigned count) {
    return {.kind = IcmpError::Kind::port_unreachable,
            .reporter = endpoint(callee_media).address,
            .source = endpoint(caller_media),
            .destination = endpoint(callee_media),
            .frame = 7,
            .first_ns = static_cast<std::int64_t>(from_s * second),
            .last_ns = static_cast<std::int64_t>(to_s * second),
            .count = count};
}

Request request(const char* method, End sender, std::uint32_t cseq = 1) {
    return {.method = method,
            .cseq = cseq,
            .source = endpoint(sender == End::caller ? "203.0.113.9:5060" : "203.0.113.20:5060"),
            .destination = endpoint(sender == End::caller ? "203.0.113.20:5060" : "203.0.113.9:5060"),
            .first_ns = 0,
            .last_ns = second,
            .copies = 1,
            .sender = sender,
            .vias = 1};
}

}  // namespace

TEST_CASE("ICMP errors of a socket that opens late and closes with the BYE refuse nothing") {
    CallFacts facts = direct_call();
    facts.rtp = {talk(caller_media, callee_media, 0, 10, 1), talk(callee_media, caller_media, 1, 10, 2)};
    facts.icmp = {refusals(0.1, 0.6, 6), refusals(9.9, 11, 20)};
    CHECK(found(facts) == "");
    facts.icmp = {refusals(0.1, 9, 9)};
    CHECK(found(facts) == "receiver-refuses callee");
    SUBCASE("what came from that port ends with it") {
        facts.rtp[1] = talk(callee_media, caller_media, 0, 3, 2);
        facts.icmp = {refusals(3.1, 9.5, 9)};
        CHECK(found(facts) == "receiver-refuses both");
    }
}

TEST_CASE("ICMP errors of an endpoint that was offered and refused") {
    CallFacts facts = direct_call();
    facts.rtp = {talk(caller_media, callee_media, 0, 10, 1), talk(callee_media, caller_media, 0, 4, 2),
                 talk(callee_media, "203.0.113.9:6000", 4, 10, 2)};
    IcmpError error = refusals(4, 10, 9);
    error.source = endpoint(callee_media);
    error.destination = endpoint("203.0.113.9:6000");
    facts.icmp = {error};
    facts.call.descriptions.push_back(facts.call.descriptions[0]);
    SessionDescription& offer = facts.call.descriptions.back();
    offer.frame = 30;
    offer.time_ns = 4 * second;
    offer.cseq = 2;
    offer.tag = "b";
    offer.streams = {audio("203.0.113.9:6000")};
    facts.call.requests = {request("INVITE", End::caller, 2)};
    facts.call.requests[0].status = 488;
    facts.call.requests[0].frame = 30;
    facts.call.requests[0].in_dialog = true;
    CHECK(found(facts) == "receiver-refuses caller");
    CHECK(
        sentence(facts).ends_with("That endpoint was offered in frame 30 and refused by 488: all should stay as it was "
                                  "before."));
}

TEST_CASE("A party whose reports go on is muted, whatever port a NAT gives them") {
    CallFacts facts = direct_call();
    facts.rtp = {talk(caller_media, callee_media, 0, 20, 1), talk(callee_media, caller_media, 0, 5, 2),
                 reports("203.0.113.20:61234", "203.0.113.9:4001", 1, 19, 2)};
    facts.call.last_ns = 20 * second;
    CHECK(found(facts) == "silence-suppression");
    facts.rtp[2].last_ns = 5 * second;
    CHECK(found(facts) == "stopped caller");
}

TEST_CASE("Reports and hardly any media are of somebody who is muted, unless they say that more was sent") {
    CallFacts facts = direct_call();
    facts.rtp = {talk(caller_media, callee_media, 0, 10, 1), reports("203.0.113.20:4003", "203.0.113.9:4001", 1, 9, 2),
                 rtp(callee_media, caller_media, 2, 2)};
    facts.rtp[2].last_ns = facts.rtp[2].first_ns;
    facts.rtp[1].reported_sent = 2;
    CHECK(found(facts) == "silence-suppression");
    facts.rtp[1].reported_sent = 400;
    CHECK(found(facts) == "nothing-sent caller");
}

TEST_CASE("One interruption is no loss") {
    CallFacts facts = direct_call();
    facts.rtp = {talk(caller_media, callee_media, 0, 10, 1), talk(callee_media, caller_media, 0, 10, 2)};
    facts.rtp[1].missing = 100;
    facts.rtp[1].gaps = 1;
    CHECK(found(facts) == "");
    facts.rtp[1].gaps = 60;
    CHECK(found(facts) == "loss");
}

TEST_CASE("A NAT gives a party another port, and the relay stays with the old one") {
    CallFacts facts = relayed_call(audio("10.0.1.21:4000"));
    facts.call.caller_source = endpoint("198.51.100.7:5060");
    facts.rtp = {talk("198.51.100.7:4000", relay_to_caller, 0, 3, 1), talk(relay_to_callee, callee_media, 0, 10, 1),
                 talk(callee_media, relay_to_callee, 0, 10, 2), talk(relay_to_caller, "198.51.100.7:4000", 0, 10, 2),
                 talk("198.51.100.7:4777", relay_to_caller, 4, 10, 1)};
    CHECK(found(facts) == "stale-endpoint caller");
    facts.rtp[3] = talk(relay_to_caller, "198.51.100.7:4000", 0, 4, 2);  // it follows
    facts.rtp.push_back(talk(relay_to_caller, "198.51.100.7:4777", 4, 10, 2));
    facts.rtp.back().first_sequence = 200;
    CHECK(found(facts) == "");
}

TEST_CASE("A few late packets make a relay go back to an old source") {
    CallFacts facts = relayed_call(audio("10.0.1.21:4000"));
    facts.call.caller_source = endpoint("198.51.100.7:5060");
    auto& all = facts.call.descriptions;
    for (int i = 0; i < 4; ++i) {  // at 3 s the caller moves to another port
        SessionDescription again = all[static_cast<std::size_t>(i)];
        again.cseq = 2;
        again.frame += 10;
        again.time_ns = 3 * second;
        again.tag = "b";
        if (i == 0) again.streams[0] = audio("10.0.1.21:4100");
        all.push_back(again);
    }
    facts.rtp = {
        talk("198.51.100.7:4000", relay_to_caller, 0, 3, 1), talk(relay_to_callee, callee_media, 0, 3, 1),
        talk(callee_media, relay_to_callee, 0, 10, 2),       talk(relay_to_caller, "198.51.100.7:4000", 0, 10, 2),
        talk("198.51.100.7:4777", relay_to_caller, 3, 5, 3), talk(relay_to_callee, callee_media, 3, 5, 3)};
    facts.rtp[0].last_ns = 5 * second;  // late ones
    facts.rtp[0].slots.resize(50);
    facts.rtp[0].slots[49] = 4;
    CHECK(found(facts) == "stale-endpoint caller");
}

TEST_CASE("A hairpin as one of the two phones sees it") {
    CallFacts facts = direct_call(audio(outer), audio(outer_two));
    facts.rtp = {talk(phone, outer_two, 0, 10, 1)};
    CHECK(found(facts) == "hairpin both");
    facts.rtp.push_back(talk(neighbour, outer, 0, 10, 2));  // and as their LAN does
    CHECK(found(facts) == "hairpin both");
    facts.rtp[1] = talk(outer_two, phone, 0, 10, 2);  // it turns them round
    CHECK(found(facts) == "");
}

TEST_CASE("Nothing comes to an address that its party does not send from") {
    SUBCASE("another interface") {
        CallFacts facts = direct_call(audio(caller_media), audio("192.0.2.61:4002"));
        facts.rtp = {talk("203.0.113.20:4002", caller_media, 0, 10, 2)};
        CHECK(found(facts) == "wrong-interface callee");
    }
    SUBCASE("the mapping of a STUN server") {
        CallFacts facts = direct_call(audio(outer), audio(callee_media));
        facts.rtp = {talk(phone, callee_media, 0, 10, 1), reports(phone, "203.0.113.5:3478", 0, 0, 0)};
        facts.rtp[1].rtcp = 0;
        facts.rtp[1].stun = 2;
        CHECK(found(facts) == "rtp-from-elsewhere caller");
    }
}

TEST_CASE("From another private network a private address cannot be reached either") {
    CallFacts facts = direct_call(audio(phone), audio("10.0.3.44:4002"));
    facts.call.caller_source = endpoint("10.0.1.21:5060");
    facts.rtp = {talk(phone, "10.0.3.44:4002", 0, 10, 1)};
    CHECK(found(facts) == "private-address-in-sdp both");
    facts.call.callee_source = endpoint("10.0.3.44:5060");  // it is on the same LAN after all
    CHECK(found(facts).find("private-address") == std::string::npos);
}

TEST_CASE("A proxy passes a private address on, and the media goes elsewhere") {
    CallFacts facts = relayed_call(audio(phone));
    auto& all = facts.call.descriptions;
    all[1].streams[0] = audio(phone);
    all[3].streams[0] = audio(callee_media);
    CHECK(found(facts) == "private-address-in-sdp caller");
    facts.call.last_ns = 50 * second;  // nobody stays so long to hear nothing
    CHECK(found(facts) == "private-address-in-sdp");
    CHECK_FALSE(diagnose(facts).broken());
    all[1].streams[0] = audio(relay_to_callee);
    CHECK(found(facts) == "");
}

TEST_CASE("A party that describes itself anew by an address that cannot be reached") {
    CallFacts facts = direct_call();
    auto& all = facts.call.descriptions;
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
        SessionDescription next = all[i];
        next.cseq = 2;
        next.tag = "b";
        next.time_ns = 4 * second;
        all.push_back(next);
    }
    // The capture is at the caller: what is sent to it goes elsewhere from then on.
    facts.rtp = {talk(caller_media, callee_media, 0, 10, 1), talk(callee_media, caller_media, 0, 4, 2)};
    all[2].streams[0] = audio("172.16.9.5:4000");
    CHECK(found(facts) == "private-address-in-sdp caller");
    CHECK(sentence(facts).find("from 4.0 s on") != std::string::npos);
    all[2].streams[0] = audio("192.0.2.61:4000");
    CHECK(found(facts) == "wrong-interface caller");
}

TEST_CASE("Who reports what it hears does hear, whatever its addresses look like") {
    CallFacts facts = direct_call(audio(caller_media), audio("203.0.113.21:4002"));
    facts.rtp = {talk(caller_media, "203.0.113.21:4002", 0, 10, 1), talk(callee_media, caller_media, 0, 10, 2),
                 reports("203.0.113.20:4003", "203.0.113.9:4001", 1, 9, 2)};
    CHECK(found(facts) == "wrong-interface callee");
    RtpStream& report = facts.rtp[2];
    report.reported_of = 1;
    report.reported_loss = 2;
    CHECK(found(facts) == "wrong-interface callee");  // no packet came
    report.reported_highest = 70'000;
    CHECK(found(facts).empty());
    report.reported_loss = 99;
    CHECK(found(facts) != "");
}

TEST_CASE("Who is refused from some time on was heard before") {
    CallFacts facts = direct_call();
    facts.rtp = {talk(caller_media, callee_media, 0, 10, 1), talk(callee_media, caller_media, 0, 4, 2)};
    facts.icmp = {{.kind = IcmpError::Kind::port_unreachable,
                   .reporter = endpoint(callee_media).address,
                   .source = endpoint(caller_media),
                   .destination = endpoint(callee_media),
                   .frame = 90,
                   .first_ns = 4 * second,
                   .last_ns = 10 * second,
                   .count = 6}};
    CHECK(found(facts) == "receiver-refuses both");
    CHECK(sentence(facts).starts_with("Neither hears the other from 4.0 s on: 300 packets go to 203.0.113.20:4002"));

    // An INVITE whose dialog takes another way: there was a BYE.
    Request invite = request("INVITE", End::caller);
    invite.status = 200;
    invite.responses = {{.status = 200, .frame = 2, .last_ns = second, .copies = 1}};
    facts.call.requests = {invite};
    CHECK(found(facts) == "in-dialog-request-lost");
    CHECK(sentence(facts).starts_with("The callee has hung up, and the caller does not know: its media ends at 4.0 s"));
    CHECK(diagnose(facts).outcome == Outcome::hung);
    facts.call.requests.push_back(request("ACK", End::caller));
    facts.call.requests.back().in_dialog = true;
    CHECK(found(facts) == "receiver-refuses both");
    facts.call.requests = {invite};
    facts.call.requests[0].responses[0].copies = 7;
    CHECK(found(facts) != "in-dialog-request-lost");
}

TEST_CASE("An ACK that has to go to a private Contact does not come") {
    CallFacts facts = direct_call();
    Request invite = request("INVITE", End::caller);
    invite.status = 200;
    invite.responses = {{.status = 200, .frame = 2, .last_ns = 8 * second, .copies = 6, .contact = endpoint(phone)}};
    facts.call.requests = {invite};
    CHECK(found(facts) == "ack-to-unreachable-contact");
    facts.call.requests[0].responses[0].record_routed = true;
    CHECK(found(facts) == "ack-lost");
}

TEST_CASE("A proxy's 408 says that a BYE did not get to the other party") {
    CallFacts facts = direct_call();
    Request bye = request("BYE", End::caller, 2);
    bye.in_dialog = true;
    bye.first_ns = 10 * second;
    bye.status = 408;
    facts.call.requests = {bye};
    CHECK(found(facts) == "in-dialog-request-lost");
    CHECK(diagnose(facts).outcome == Outcome::hung);
}

TEST_CASE("Key presses have the number that their receiver gave them") {
    const auto events = [](const char* at, std::uint8_t number) {
        MediaDescription media = audio(at);
        media.formats = {{.number = 0, .name = "PCMU"}, {.number = number, .name = "TELEPHONE-EVENT"}};
        return media;
    };
    CallFacts facts = direct_call(events(caller_media, 101), events(callee_media, 96));
    facts.rtp = {talk(caller_media, callee_media, 0, 10, 1), talk(callee_media, caller_media, 0, 10, 2)};
    facts.rtp[0].payload_types = {{.number = 0, .packets = 470, .first_frame = 5},
                                  {.number = 101, .packets = 30, .first_frame = 9}};
    facts.rtp[1].payload_types = {{.number = 0, .packets = 500, .first_frame = 6}};
    CHECK(found(facts) == "payload-type-mismatch");
    facts.rtp[0].payload_types[1].number = 96;
    CHECK(found(facts) == "");
}

TEST_CASE("Inside a NAT: who was quiet hears nothing any more") {
    CallFacts facts = direct_call(audio(phone), audio(relay_to_caller));
    facts.call.caller_source = endpoint("10.0.1.21:5060");
    facts.rtp = {talk(phone, relay_to_caller, 0, 3, 1), talk(relay_to_caller, phone, 0, 5, 2)};
    CHECK(found(facts) == "nat-binding-expired caller");
    SUBCASE("it has described itself by its NAT's outer address") {
        facts.call.descriptions[0].streams[0] = audio("198.51.100.7:16384");
        CHECK(found(facts) == "nat-binding-expired caller");
    }
    SUBCASE("reports go on: the other one is muted") {
        facts.rtp.push_back(reports("203.0.113.5:30001", "10.0.1.21:16385", 1, 9, 2));
        CHECK(found(facts) == "");
    }
    SUBCASE("they speak in turns") {
        for (std::size_t i = 20; i < 35; ++i) facts.rtp[1].slots[i] = 0;
        CHECK(found(facts) == "");
    }
}

TEST_CASE("A proxy that nobody answers refuses the call, though the capture does not have its 408") {
    CallFacts facts = direct_call();
    facts.call.answered = false;
    facts.call.descriptions.pop_back();
    Request invite = request("INVITE", End::caller);
    invite.vias = 2;
    invite.copies = 4;
    invite.bytes = 2400;
    facts.call.requests = {invite};
    CHECK(found(facts) == "fragments-lost");
    CHECK(diagnose(facts).outcome == Outcome::refused);
    facts.call.requests[0].vias = 1;
    CHECK(diagnose(facts).outcome == Outcome::no_answer);
}

TEST_CASE("Inside a NAT: a request without rport is never answered") {
    CallFacts facts = direct_call();
    facts.call.answered = false;
    facts.call.descriptions.clear();
    facts.call.registration = true;
    Request wanted = request("REGISTER", End::caller);
    wanted.source = endpoint("10.0.1.21:5060");
    wanted.copies = 4;
    facts.call.requests = {wanted};
    CHECK(found(facts) == "rport-missing");
    CHECK(diagnose(facts).outcome == Outcome::no_answer);
    facts.call.requests[0].rport = true;
    CHECK(found(facts) == "");
}

TEST_CASE("Routers that send packets in a ring say that their time to live is over") {
    CallFacts facts = direct_call();
    facts.rtp = {talk(caller_media, callee_media, 0, 10, 1), talk(callee_media, caller_media, 0, 10, 2)};
    facts.icmp = {refusals(0.1, 9.9, 10)};
    facts.icmp[0].kind = IcmpError::Kind::hops_exceeded;
    CHECK(found(facts) == "never-arrives callee");
    CHECK(sentence(facts).find("time to live ended there") != std::string::npos);
    facts.icmp[0].kind = IcmpError::Kind::other;  // too big, say: it is no end of the way
    CHECK(found(facts).empty());
}

TEST_CASE("Jitter is told by direction and phase, and what the receiver reports beside it") {
    CallFacts facts = direct_call();
    facts.rtp = {talk(caller_media, callee_media, 0, 10, 1), talk(callee_media, caller_media, 0, 10, 2)};
    facts.rtp[0].jitters.assign(facts.rtp[0].slots.size(), 35);
    facts.rtp[1].reported_of = 1;
    facts.rtp[1].reported_loss = 2;
    facts.rtp[1].reported_jitter = 96;
    const Diagnosis result = diagnose(facts);
    CHECK(result.findings.empty());
    CHECK(result.streams[0].to_callee.jitter_ms == doctest::Approx(3.5));
    CHECK(result.streams[0].to_callee_phases[0].jitter_ms == doctest::Approx(3.5));
    CHECK(result.streams[0].to_callee.reported_loss == 2U);
    CHECK(result.streams[0].to_callee.reported_jitter_ms == doctest::Approx(12));
    CHECK_FALSE(result.streams[0].to_caller.jitter_ms);
}

}  // namespace natkit::diagnose
