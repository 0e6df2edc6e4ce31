#include "natkit/engine/explain/html/report.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "../../diagnose/made_calls.hpp"
#include "html/call_section.hpp"
#include "html/ladder.hpp"
#include "html/timeline.hpp"
#include "html/words.hpp"

using namespace natkit;
using namespace natkit::diagnose;
using html::Ladder;
using html::LadderRow;
using html::Report;

namespace {

std::string page_of(const Report& report) {
    std::string page;
    report.write([&](std::string_view text) { page += text; });
    return page;
}

Request request(const char* method, const char* source, const char* destination, std::uint64_t frame) {
    Request one{.method = method, .cseq = 1, .source = endpoint(source), .destination = endpoint(destination)};
    one.first_ns = one.last_ns = static_cast<std::int64_t>(frame) * second / 10;
    one.frame = one.last_frame = frame;
    one.copies = 1;
    return one;
}

/// An answered call whose callee gets nothing, with its messages.
CallFacts broken_call() {
    CallFacts facts = direct_call();
    facts.rtp = {rtp(callee_media, caller_media, 400, 2)};
    Request invite = request("INVITE", "203.0.113.9:5060", "203.0.113.20:5060", 1);
    invite.copies = 4;
    invite.responses = {{.status = 200,
                         .frame = 2,
                         .first_ns = second / 5,
                         .last_ns = second / 5,
                         .destination = endpoint("203.0.113.9:5060"),
                         .reason = "OK"}};
    invite.status = 200;
    facts.call.requests = {invite, request("ACK", "203.0.113.9:5060", "203.0.113.20:5060", 3),
                           request("BYE", "203.0.113.9:5060", "203.0.113.20:5060", 90)};
    return facts;
}

std::size_t count(const std::string& text, std::string_view what) {
    std::size_t found = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
    return found;
}

}  // namespace

TEST_CASE("html::Report: text of messages stays text, wherever it stands") {
    const std::string evil = "<img src=x onerror=alert(1)>\"'&</style></svg>";
    CallFacts facts = broken_call();
    facts.call.call_id = evil;
    facts.call.names = {evil, evil};
    for (SessionDescription& description : facts.call.descriptions) {
        for (MediaDescription& media : description.streams) media.kind = evil;
        for (MediaDescription& media : description.streams) media.formats = {{.number = 0, .name = evil}};
    }
    facts.call.requests[0].method = evil;
    facts.call.requests[0].responses[0].reason = evil;
    facts.rtp[0].payload_types = {{.number = 0, .packets = 400, .first_frame = 5}};
    Diagnosis diagnosis = diagnose::diagnose(facts);
    REQUIRE(diagnosis.broken());
    diagnosis.findings[0].sentence += evil;
    diagnosis.findings[0].change += evil;
    const explain::MediaPath path{
        .call_ids = {evil},
        .kind = evil,
        .nodes = {{.addresses = {endpoint(caller_media).address}, .media = endpoint(caller_media), .relay = {}},
                  {.addresses = {endpoint(callee_media).address}, .media = endpoint(callee_media), .relay = {}}}};
    Report report;
    report.add_input(evil);
    report.add(diagnosis, facts, {path});
    Diagnosis well = diagnosis;
    well.findings.clear();
    report.add(well, facts, {});
    const std::string page = page_of(report);
    CHECK(count(page, "<img") == 0);
    CHECK(count(page, "onerror=alert(1)>") == 0);
    CHECK(count(page, "&lt;img src=x") > 8);
    CHECK(count(page, "</style>") == 1);
    CHECK(count(page, "<svg") == count(page, "</svg>"));
}

TEST_CASE("html::Report: the page asks for nothing") {
    Report report;
    const CallFacts facts = broken_call();
    report.add(diagnose::diagnose(facts), facts, {});
    const std::string page = page_of(report);
    CHECK(page.starts_with("<!DOCTYPE html>"));
    CHECK(count(page, "content=\"default-src 'none'; style-src 'unsafe-inline'\"") == 1);
    for (const char* asks : {"src=", "url(", "@import", "http:", "https:", "<script", "<link", "<iframe", "<form"}) {
        CAPTURE(asks);
        CHECK(count(page, asks) == 0);
    }
}

TEST_CASE("html::Report: broken calls whole, others a line, a summary before them") {
    Report report;
    CHECK(page_of(report).find("<h1>No call</h1>") != std::string::npos);
    const CallFacts broken = broken_call();
    CallFacts well = direct_call();
    well.call.first_ns = second;
    well.rtp = {rtp(caller_media, callee_media, 400), rtp(callee_media, caller_media, 400, 2)};
    report.add(diagnose::diagnose(well), well, {});
    report.add(diagnose::diagnose(broken), broken, {});
    const std::string page = page_of(report);
    const std::size_t heading = page.find("<h1>1 of 2 calls broken</h1>"), causes = page.find("Broken calls by cause"),
                      article = page.find("<article"), healthy = page.find("1 healthy call");
    CHECK(heading < causes);
    CHECK(causes < article);
    CHECK(article < healthy);
    CHECK(healthy < page.size());
    CHECK(count(page, "<article") == 1);
    CHECK(page.find("The call was answered, and the callee does not hear the caller.") != std::string::npos);
}

TEST_CASE("html::Report: jitter of what arrives, and as its receiver reports it") {
    CallFacts facts = broken_call();
    RtpStream reports = rtp(caller_media, callee_media, 0, 0);
    facts.rtp[0].slots = std::vector<std::uint16_t>(80, 5);
    facts.rtp[0].jitters = std::vector<std::uint16_t>(80, 123);  // 12.3 ms
    reports.rtcp = 1;
    reports.reported_of = 2;
    reports.reported_loss = 0;
    reports.reported_jitter = 80;  // 10 ms
    facts.rtp.push_back(reports);
    Report report;
    report.add(diagnose::diagnose(facts), facts, {});
    const std::string page = page_of(report);
    CHECK(page.find("<th>Jitter</th>") != std::string::npos);
    CHECK(page.find("<td>12.3 ms; RTCP says 10.0 ms</td>") != std::string::npos);
}

TEST_CASE("html::Report: is bounded") {
    Report report;
    const CallFacts facts = broken_call();
    const Diagnosis diagnosis = diagnose::diagnose(facts);
    for (int i = 0; i < 230; ++i) report.add(diagnosis, facts, {});
    CHECK_FALSE(report.shows_whole(diagnosis));
    std::string page = page_of(report);
    CHECK(count(page, "<article") == 200);
    CHECK(count(page, "<a href=\"#call-") == 200);
    CHECK(page.find("200 of them are shown whole.") != std::string::npos);
    const std::size_t before = page.size();
    for (int i = 0; i < 6000; ++i) report.add(diagnosis, facts, {});
    page = page_of(report);
    CHECK(page.size() < before + 5000 * 2000);
    CHECK(page.find("… 1\u202f230 more broken calls") != std::string::npos);
}

TEST_CASE("html::ladder_of: hosts, repetitions, and what is lost") {
    CallFacts facts = broken_call();
    Request bye = request("BYE", "203.0.113.20:5060", "203.0.113.9:5060", 95);
    bye.copies = 5;
    facts.call.requests.push_back(bye);
    const Case one(facts);
    const Ladder ladder = html::ladder_of(one, diagnose::diagnose(facts));
    REQUIRE(ladder.hosts.size() == 2);
    CHECK(ladder.hosts[0].role == "caller");
    CHECK(ladder.hosts[1].role == "callee");
    CHECK(ladder.hosts[1].name == "203.0.113.20");
    REQUIRE(ladder.rows.size() == 6);  // INVITE, 200, ACK, RTP, BYE, BYE
    CHECK(ladder.rows[0].copies == 4);
    CHECK(ladder.rows[0].detail == "audio 203.0.113.9:4000");
    CHECK_FALSE(ladder.rows[0].lost);
    CHECK(ladder.rows[1].what == "200 OK");
    CHECK(ladder.rows[1].from == 1);
    CHECK(ladder.rows[3].kind == LadderRow::Kind::media);
    CHECK(ladder.rows[5].lost);
    CHECK(ladder.rows[5].why == "no answer");
    const std::string picture = html::ladder_picture(ladder, "x", 0).str();
    CHECK(picture.find("INVITE ×4</text>") != std::string::npos);
    CHECK(count(picture, "class=\"cross\"") == 1);
}

TEST_CASE("html::ladder_of: a proxy between, its faces, a fork; programs of one host by their ports") {
    CallFacts facts = relayed_call();
    Request in = request("INVITE", "203.0.113.9:5060", "203.0.113.5:5060", 1);
    in.vias = 1;
    Request out = request("INVITE", "203.0.113.5:5060", "203.0.113.20:5060", 2);
    out.vias = 2;
    Request branch = request("INVITE", "203.0.113.5:5060", "203.0.113.21:5060", 3);
    branch.vias = 2;
    facts.call.requests = {in, out, branch};
    Ladder ladder = html::ladder_of(Case(facts), diagnose::diagnose(facts));
    REQUIRE(ladder.hosts.size() == 4);
    CHECK(ladder.hosts[0].role == "caller");
    CHECK(ladder.hosts[1].role == "proxy");
    CHECK(ladder.hosts[2].role == "also called");
    CHECK(ladder.hosts[3].role == "callee");
    for (Request& one : facts.call.requests) {
        one.source.address = endpoint("127.0.0.1:1").address;
        one.destination.address = one.source.address;
        one.source.port = static_cast<std::uint16_t>(one.frame == 1 ? 5070 : 5060);
        one.destination.port = static_cast<std::uint16_t>(one.frame == 1 ? 5060 : 5080);
    }
    facts.call.descriptions.clear();
    ladder = html::ladder_of(Case(facts), diagnose::diagnose(facts));
    REQUIRE(ladder.hosts.size() == 3);
    CHECK(ladder.hosts[0].name == "127.0.0.1:5070");
}

TEST_CASE("html::ladder_of: is bounded") {
    CallFacts facts = broken_call();
    for (int i = 0; i < 150; ++i) {
        Request one = request("OPTIONS", "203.0.113.9:5060", "203.0.113.20:5060", static_cast<std::uint64_t>(100 + i));
        one.destination.address = IpAddress::v4(0xc6336400U + static_cast<std::uint32_t>(i));
        facts.call.requests.push_back(one);
        facts.call.requests.push_back(request("INFO", "203.0.113.9:5060", "203.0.113.20:5060", one.frame));
    }
    const Ladder ladder = html::ladder_of(Case(facts), diagnose::diagnose(facts));
    CHECK(ladder.hosts.size() == 9);
    CHECK(ladder.rows.size() <= 200);
    CHECK(ladder.left_out > 100);
    CHECK(html::ladder_picture(ladder, "x", 0).str().find("more</text>") != std::string::npos);
}

TEST_CASE("html::Bins: packets a second, each packet once") {
    RtpStream stream = rtp(caller_media, callee_media, 400);  // from 1 s to 9 s
    const html::Bins bins(0, second, 10);
    CHECK(bins.rates({&stream})[0] == doctest::Approx(0));
    CHECK(bins.rates({&stream})[4] == doctest::Approx(50));
    CHECK(bins.rates({&stream})[9] == doctest::Approx(0));
    RtpStream behind = stream;  // the same on its next hop, under another source address
    behind.source = endpoint(relay_to_callee);
    CHECK(bins.rates({&stream, &behind})[4] == doctest::Approx(50));
    RtpStream other = stream;
    other.ssrc = 7;
    CHECK(bins.rates({&stream, &other})[4] == doctest::Approx(100));
    stream.slots.assign(80, 0);
    stream.slots[30] = 25;  // at 4 s
    CHECK(bins.rates({&stream})[4] == doctest::Approx(25));
    CHECK(bins.rates({&stream})[5] == doctest::Approx(0));
}

TEST_CASE("html::timeline_picture: bands, phases and dead spans") {
    const CallFacts facts = broken_call();
    const std::string picture = html::timeline_picture(Case(facts), "x").str();
    CHECK(count(picture, "class=\"ground\"") == 2);
    CHECK(count(picture, "class=\"dead\"") == 1);
    CHECK(picture.find("answer #2") != std::string::npos);
    CHECK(picture.find("BYE #90") != std::string::npos);
    CHECK(html::timeline_picture(Case(direct_call()), "x").empty());  // no media
}

TEST_CASE("html: the words of a verdict, of times and numbers") {
    const CallFacts facts = broken_call();
    Diagnosis diagnosis = diagnose::diagnose(facts);
    CHECK(html::verdict(diagnosis) == "The call was answered, and the callee does not hear the caller.");
    diagnosis.findings.clear();
    CHECK(html::verdict(diagnosis) == "The call was answered, and nothing is wrong.");
    diagnosis.outcome = Outcome::refused;
    diagnosis.status = 486;
    CHECK(html::verdict(diagnosis) == "The call was refused (486).");
    CHECK(html::date_time(1'700'000'000'250'000'000) == "2023-11-14 22:13:20.250 UTC");
    CHECK(html::date_time(0).empty());
    CHECK(html::duration(9 * second) == "9.0 s");
    CHECK(html::duration(72 * second) == "1 min 12 s");
    CHECK(html::duration(3 * 3600 * second) == "3 h 0 min");
    CHECK(html::counted(1, "call") == "1 call");
    CHECK(html::grouped(1234567) == "1\u202f234\u202f567");
}
