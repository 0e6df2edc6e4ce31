#include "media/media.hpp"

#include "world.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

/// Media by itself: sessions and descriptions in, requests to the media relay out.
namespace {

std::string described(const std::string& host, const std::vector<std::string>& lines) {
    std::string text = "v=0\r\no=- 1 1 IN IP4 " + host + "\r\ns=-\r\nc=IN IP4 " + host + "\r\nt=0 0\r\n";
    for (const std::string& line : lines) text += "m=" + line + "\r\n";
    return text;
}

const char* const a_host = "192.168.10.20";
const char* const b_host = "203.0.113.20";

struct Stage {
    Settings chosen = settings();
    Media media{chosen};
    Instant now{};
    std::set<std::string> open, parted;  ///< legs, by id
    std::set<std::set<std::string>> joins;
    std::vector<OpenLeg> asked;
    std::vector<std::string> log, loop_log;
    std::vector<SessionId> passes;
    int next_port = 20000;
    std::uint64_t owner = 100;
    std::string shown;  ///< the offer as it went on

    [[nodiscard]] SessionId session(const Phone& caller, const Phone& callee, const std::string& call_id = "c") {
        const auto end = [&](const Phone& phone) {
            const auto place = nat::classify_address(phone.flow.remote.address, chosen.networks);
            return EndInfo{.flow = phone.flow, .verdict = place, .tag = phone.name};
        };
        return media.create(call_id, end(caller), end(callee), now);
    }
    void drop(const std::string& leg) {
        CHECK(open.erase(leg) + parted.erase(leg) == 1);
        std::erase_if(joins, [&](const auto& join) { return join.contains(leg); });
    }
    void take(Output& out) {
        const Output done = std::exchange(out, {});
        for (const MediaRequest& request : done.media) {
            if (const auto* wanted = std::get_if<OpenLeg>(&request)) {
                asked.push_back(*wanted);
                const std::string id = std::to_string(next_port);
                next_port += 2;
                open.insert(id);
                const std::string host = wanted->side == Side::lan ? "192.168.10.1:" : "203.0.113.10:";
                const RelayLeg leg{.id = id, .local = endpoint(host + id), .rtcp = {}};
                if (const auto ready = media.on_leg_opened(wanted->ticket, leg, now, out))
                    shown = ready->body.value_or("");
            } else if (const auto* join = std::get_if<JoinLegs>(&request)) {
                for (const std::string& leg : {join->a, join->b}) {
                    std::erase_if(joins, [&](const auto& known) { return known.contains(leg); });
                    if (parted.erase(leg) == 1) open.insert(leg);
                }
                joins.insert({join->a, join->b});
            } else if (const auto* part = std::get_if<PartLeg>(&request)) {
                CHECK(open.erase(part->leg) == 1);
                parted.insert(part->leg);
                std::erase_if(joins, [&](const auto& known) { return known.contains(part->leg); });
            } else if (const auto* reopen = std::get_if<ReopenLeg>(&request)) {
                CHECK(parted.erase(reopen->leg) == 1);
                open.insert(reopen->leg);
            } else if (const auto* freed = std::get_if<FreeLegs>(&request)) {
                for (const std::string& leg : freed->legs) drop(leg);
            }
        }
        for (const Event& event : done.events) {
            if (const auto* line = std::get_if<LogEvent>(&event)) (line->loop ? loop_log : log).push_back(line->text);
            if (const auto* pass = std::get_if<PassEvent>(&event)) passes.push_back(pass->session);
        }
        if (!out.media.empty() || !out.events.empty()) take(out);
    }
    /// What the other end is shown; empty: refused.
    std::string offer(SessionId id, End from, const std::string& body) {
        Output out;
        shown.clear();
        const auto ready = media.offer(id, {.offerer = from, .owner = ++owner, .cseq = 1}, body, owner, now, out);
        if (ready) shown = ready->value_or("");
        take(out);
        return shown;
    }
    std::string answer(SessionId id, End from, const std::string& body) {
        Output out;
        const auto after = media.answer(id, from, body, now, out);
        media.close_exchange(id, now, out);
        take(out);
        return after.value_or("");
    }
    void exchange(SessionId id, const std::vector<std::string>& a, const std::vector<std::string>& b) {
        REQUIRE_FALSE(offer(id, End::caller, described(a_host, a)).empty());
        REQUIRE_FALSE(answer(id, End::callee, described(b_host, b)).empty());
    }
    void lose(const std::vector<std::string>& legs) {
        Output out;
        media.on_legs_lost(legs, now, out);
        for (const std::string& leg : legs) drop(leg);
        take(out);
    }
    void pass_time(std::chrono::milliseconds time) {
        now += time;
        Output out;
        media.on_time(now, out);
        take(out);
    }
};

std::vector<std::string> sorted(std::vector<std::string> list) {
    std::ranges::sort(list);
    return list;
}

}  // namespace

TEST_CASE("Media: legs that mediarelay lost end their stream alone; the next offer gets new ones") {
    Stage stage;
    const SessionId id = stage.session(lan_phone, wan_phone);
    stage.exchange(id, {"audio 4000 RTP/AVP 0", "video 4002 RTP/AVP 34"},
                   {"audio 5000 RTP/AVP 0", "video 5002 RTP/AVP 34"});
    REQUIRE(stage.joins.size() == 2);
    CHECK(sorted(stage.media.legs()) == std::vector<std::string>(stage.open.begin(), stage.open.end()));
    const auto pass = stage.media.pass(id);
    REQUIRE(pass);
    const auto audio = pass->streams.at(0);
    const std::string lost = std::to_string(audio.ends[0].leg->port);
    const std::string mate = std::to_string(audio.ends[0].joined->port);
    stage.lose({lost});
    CHECK(stage.log.back().contains("its media relay is gone"));
    CHECK_FALSE(stage.open.contains(mate));  // nobody is left whom it could forward to
    CHECK(stage.joins.size() == 1);          // video goes on
    CHECK(stage.media.pass(id)->streams.at(0).kind.empty());
    stage.exchange(id, {"audio 4000 RTP/AVP 0", "video 4002 RTP/AVP 34"},
                   {"audio 5000 RTP/AVP 0", "video 5002 RTP/AVP 34"});
    CHECK(stage.joins.size() == 2);
    CHECK(stage.asked.size() == 6);  // two for audio anew, none for video
    Output out;
    stage.media.end(id, "BYE", stage.now, out);
    stage.take(out);
    CHECK(stage.open.empty());
    CHECK(stage.media.legs().empty());
}

TEST_CASE("Media: all legs of a call lost, in the middle of an exchange too: an answer shows no endpoint by mistake") {
    Stage stage;
    const SessionId id = stage.session(lan_phone, wan_phone);
    REQUIRE_FALSE(stage.offer(id, End::caller, described(a_host, {"audio 4000 RTP/AVP 0"})).empty());
    stage.lose({stage.open.begin(), stage.open.end()});
    CHECK(stage.answer(id, End::callee, described(b_host, {"audio 5000 RTP/AVP 0"})).empty());
    CHECK(stage.media.legs().empty());
    CHECK(stage.open.empty());
}

TEST_CASE("Media: a call that comes back parts what it needs no longer, and says so under LOOP") {
    Stage stage;
    const SessionId out_pass = stage.session(lan_phone, wan_phone);
    const Phone other_phone{"bert", "192.168.10.21:5060", flow("udp:192.168.10.1:5060-192.168.10.21:5060"), Side::lan};
    const SessionId in_pass = stage.session(wan_phone, other_phone);
    const auto first = stage.offer(out_pass, End::caller, described(a_host, {"audio 4000 RTP/AVP 0"}));
    const auto second = stage.offer(in_pass, End::caller, first);
    CHECK(second.contains("c=IN IP4 192.168.10.20"));
    const auto third = stage.answer(in_pass, End::callee, described("192.168.10.21", {"audio 5000 RTP/AVP 0"}));
    const auto fourth = stage.answer(out_pass, End::callee, third);
    CHECK(fourth.contains("c=IN IP4 192.168.10.21"));
    CHECK(stage.parted.empty());  // not at once
    stage.pass_time(1100ms);
    CHECK(stage.open.empty());
    CHECK_FALSE(stage.parted.empty());
    CHECK(stage.loop_log.size() == stage.parted.size());
    CHECK(stage.loop_log.front().contains("superfluous"));
    CHECK(stage.passes == std::vector{in_pass, out_pass});
    const auto pass = stage.media.pass(out_pass);
    REQUIRE(pass);
    CHECK(pass->streams.at(0).ends[0].shown == endpoint("192.168.10.21:5000"));
    CHECK(pass->streams.at(0).ends[1].said == stage.media.pass(in_pass)->streams.at(0).ends[0].shown);
    CHECK_FALSE(pass->streams.at(0).ends[0].joined);
}

TEST_CASE("Media: a call that comes back under another Call-ID is known by its first one, as long as that lasts") {
    Stage stage;
    const SessionId out_pass = stage.session(lan_phone, wan_phone, "first");
    stage.now += 10ms;
    const Phone other_phone{"bert", "192.168.10.21:5060", flow("udp:192.168.10.1:5060-192.168.10.21:5060"), Side::lan};
    const SessionId in_pass = stage.session(wan_phone, other_phone, "second");
    const auto first = stage.offer(out_pass, End::caller, described(a_host, {"audio 4000 RTP/AVP 0"}));
    CHECK(stage.media.first_call_id("second") == "second");
    (void)stage.offer(in_pass, End::caller, first);
    CHECK(stage.media.first_call_id("second") == "first");
    CHECK(stage.media.first_call_id("first") == "first");
    CHECK(stage.media.first_call_id("another") == "another");
    Output out;
    stage.media.end(in_pass, "BYE", stage.now, out);
    stage.take(out);
    CHECK(stage.media.first_call_id("second") == "second");
}

TEST_CASE("Media: one relay of two passes is a join across them, told under LOOP") {
    Stage stage;
    const SessionId out_pass = stage.session(lan_phone, wan_phone);
    const Phone third_phone{"tom", "203.0.113.21:5060", flow("udp:203.0.113.10:5060-203.0.113.21:5060"), Side::wan};
    const SessionId in_pass = stage.session(wan_phone, third_phone);
    const auto first = stage.offer(out_pass, End::caller, described(a_host, {"audio 4000 RTP/AVP 0"}));
    const auto second = stage.offer(in_pass, End::caller, first);
    const auto third = stage.answer(in_pass, End::callee, described("203.0.113.21", {"audio 5000 RTP/AVP 0"}));
    REQUIRE_FALSE(stage.answer(out_pass, End::callee, third).empty());
    stage.pass_time(1100ms);
    REQUIRE(stage.joins.size() == 1);
    CHECK(std::ranges::any_of(stage.loop_log,
                              [](const std::string& line) { return line.contains("comes through again"); }));
}

TEST_CASE("Media: a removed line frees its legs, another line keeps its own; T.38 has legs of its own") {
    Stage stage;
    const SessionId id = stage.session(lan_phone, wan_phone);
    stage.exchange(id, {"audio 4000 RTP/AVP 0", "video 4002 RTP/AVP 34"},
                   {"audio 5000 RTP/AVP 0", "video 5002 RTP/AVP 34"});
    const auto before = stage.open;
    REQUIRE(before.size() == 4);
    const auto audio = stage.media.pass(id)->streams.at(0).ends[0].leg;
    stage.exchange(id, {"audio 4000 RTP/AVP 0", "video 0 RTP/AVP 34"}, {"audio 5000 RTP/AVP 0", "video 0 RTP/AVP 34"});
    CHECK(stage.open.size() == 2);
    CHECK(stage.media.pass(id)->streams.at(0).ends[0].leg == audio);
    CHECK(stage.media.pass(id)->streams.at(1).kind.empty());

    // A refused switch to T.38 changes nothing; one that is accepted takes the line.
    const auto audio_legs = stage.open;
    REQUIRE_FALSE(
        stage.offer(id, End::callee, described(b_host, {"image 5004 udptl t38", "video 0 RTP/AVP 34"})).empty());
    CHECK(stage.open.size() == 4);
    Output out;
    stage.media.reject(id, stage.owner, stage.now, out);
    stage.take(out);
    CHECK(stage.open == audio_legs);
    CHECK(stage.joins.size() == 1);
    REQUIRE_FALSE(
        stage.offer(id, End::callee, described(b_host, {"image 5004 udptl t38", "video 0 RTP/AVP 34"})).empty());
    REQUIRE_FALSE(
        stage.answer(id, End::caller, described(a_host, {"image 4004 udptl t38", "video 0 RTP/AVP 34"})).empty());
    CHECK(stage.asked.back().stream == relay::Stream::udp);
    CHECK(stage.media.pass(id)->streams.at(0).kind == "udp");
    CHECK(stage.open.size() == 2);
    for (const std::string& leg : audio_legs) CHECK_FALSE(stage.open.contains(leg));
    CHECK(stage.joins.size() == 1);
}

TEST_CASE(
    "Media: a server that anchors one direction is told of once; what it is sent goes on through the other pass") {
    Stage stage;
    const SessionId out_pass = stage.session(lan_phone, wan_phone);
    const Phone other_phone{"bert", "192.168.10.21:5060", flow("udp:192.168.10.1:5060-192.168.10.21:5060"), Side::lan};
    const SessionId in_pass = stage.session(wan_phone, other_phone);
    for (int round = 0; round < 2; ++round) {
        CAPTURE(round);
        const auto first = stage.offer(out_pass, End::caller, described(a_host, {"audio 4000 RTP/AVP 0"}));
        CHECK(stage.offer(in_pass, End::caller, first).contains("c=IN IP4 192.168.10.20"));
        CHECK_FALSE(stage.answer(in_pass, End::callee, described("192.168.10.21", {"audio 5000 RTP/AVP 0"})).empty());
        CHECK(stage.answer(out_pass, End::callee, described(b_host, {"audio 7000 RTP/AVP 0"}))
                  .contains("c=IN IP4 192.168.10.1\r\n"));
        stage.pass_time(1100ms);
        CHECK(stage.joins.size() == 2);
        CHECK(stage.parted.empty());
        CHECK(stage.asked.size() == 4);
        CHECK(stage.asked.back().side == Side::lan);  // towards who was told the caller itself
        const auto anchors = [](const std::string& line) {
            return line.contains("anchors the media of one direction");
        };
        CHECK(std::ranges::count_if(stage.loop_log, anchors) == 1);
        CHECK(
            std::ranges::find_if(stage.loop_log, anchors)->contains("answers with its own 203.0.113.20:7000; so the"));
    }
    // Its own media no more: the two phones are left to themselves.
    const auto first = stage.offer(out_pass, End::caller, described(a_host, {"audio 4002 RTP/AVP 0"}));
    CHECK_FALSE(stage.offer(in_pass, End::caller, first).empty());
    const auto third = stage.answer(in_pass, End::callee, described("192.168.10.21", {"audio 5000 RTP/AVP 0"}));
    CHECK_FALSE(stage.answer(out_pass, End::callee, third).empty());
    stage.pass_time(1100ms);
    CHECK(stage.joins.size() + stage.open.size() <= 3);
    for (const SessionId id : {out_pass, in_pass}) {
        Output out;
        stage.media.end(id, "BYE", stage.now, out);
        stage.take(out);
    }
    CHECK(stage.media.legs().empty());
}

TEST_CASE("Media: a server that anchors offers alone is told of too; the ends share one relay past it") {
    Stage stage;
    const SessionId out_pass = stage.session(lan_phone, wan_phone);
    const Phone other_phone{"bert", "192.168.10.21:5060", flow("udp:192.168.10.1:5060-192.168.10.21:5060"), Side::lan};
    const SessionId in_pass = stage.session(wan_phone, other_phone);
    CHECK_FALSE(stage.offer(out_pass, End::caller, described(a_host, {"audio 4000 RTP/AVP 0"})).empty());
    CHECK_FALSE(stage.offer(in_pass, End::caller, described(b_host, {"audio 7000 RTP/AVP 0"})).empty());
    const auto answer = stage.answer(in_pass, End::callee, described("192.168.10.21", {"audio 5000 RTP/AVP 0"}));
    CHECK_FALSE(stage.answer(out_pass, End::callee, answer).empty());
    stage.pass_time(1100ms);
    CHECK(stage.joins.size() == 1);
    CHECK(std::ranges::any_of(stage.loop_log, [](const std::string& line) {
        return line.contains(
            "it offers its own 203.0.113.20:7000 to the other end, but answers with our 203.0.113.10:");
    }));
}

TEST_CASE("Media: a description has at most so many streams; those of a bundle that share a port are one") {
    struct Case {
        const char* why;
        std::size_t lines;
        const char* line;  ///< its port is filled in, and in a bundle its mid
        const char* group;
        bool taken;
    };
    constexpr Case cases[] = {
        {"as many as are allowed", 16, "audio PORT RTP/AVP 0", "", true},
        {"one more", 17, "audio PORT RTP/AVP 0", "", false},
        {"thousands", 5000, "audio PORT RTP/AVP 0", "", false},
        {"rejected lines need no port", 40, "audio 0 RTP/AVP 0", "", true},
        {"one bundle, one port", 40, "audio 4000 RTP/AVP 0\r\na=mid:MID\r\na=rtcp-mux", "BUNDLE", true},
        {"a bundle of many ports", 17, "audio PORT RTP/AVP 0\r\na=mid:MID\r\na=rtcp-mux", "BUNDLE", false},
        {"one port without a bundle", 17, "audio 4000 RTP/AVP 0\r\na=mid:MID", "", false},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Stage stage;
        const SessionId id = stage.session(lan_phone, wan_phone);
        std::vector<std::string> lines;
        std::string group = "a=group:" + std::string(c.group);
        for (std::size_t i = 0; i < c.lines; ++i) {
            std::string line = c.line;
            if (const auto at = line.find("PORT"); at != std::string::npos)
                line.replace(at, 4, std::to_string(4000 + 2 * i));
            if (const auto at = line.find("MID"); at != std::string::npos) line.replace(at, 3, std::to_string(i));
            lines.push_back(line);
            group += " " + std::to_string(i);
        }
        std::string body = described(a_host, lines);
        if (*c.group != 0) body.insert(body.find("m="), group + "\r\n");
        CHECK(stage.offer(id, End::caller, body).empty() == !c.taken);
        if (!c.taken) CHECK(stage.asked.empty());
    }
}

namespace {

/// A description whose streams are of one bundle; each line "kind port".
std::string bundled(const std::string& host, const std::vector<std::string>& streams, const std::string& group) {
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < streams.size(); ++i) {
        const bool none = streams[i].ends_with(" 0");
        lines.push_back(streams[i] + " RTP/AVP 0\r\na=mid:" + std::to_string(i) + "\r\na=rtcp-mux" +
                        (none ? "\r\na=bundle-only\r\nc=IN IP4 10.9.9.9" : ""));
    }
    std::string body = described(host, lines);
    return body.insert(body.find("m="), "a=group:BUNDLE" + group + "\r\n");
}

/// The ports of the m= lines.
std::vector<std::string> ports(const std::string& body) {
    std::vector<std::string> found;
    const auto doc = sdp::Document::parse(body).value();
    for (const sdp::Media& media : doc.media()) found.push_back(std::to_string(media.port));
    return found;
}

}  // namespace

TEST_CASE("Media: BUNDLE has one leg for what shares a port") {
    Stage stage;
    const SessionId id = stage.session(lan_phone, wan_phone);
    SUBCASE("one port in offer and answer") {
        const auto offer = stage.offer(id, End::caller, bundled(a_host, {"audio 4000", "video 4000"}, " 0 1"));
        CHECK(ports(offer)[0] == ports(offer)[1]);
        const auto answer = stage.answer(id, End::callee, bundled(b_host, {"audio 5000", "video 5000"}, " 0 1"));
        CHECK(ports(answer)[0] == ports(answer)[1]);
        CHECK_FALSE(answer.contains(b_host));
        CHECK(stage.asked.size() == 2);
        CHECK(stage.joins.size() == 1);
    }
    SUBCASE("bundle-only is no rejection, and its address does not leave") {
        const auto offer = stage.offer(id, End::caller, bundled(a_host, {"audio 4000", "video 0"}, " 0 1"));
        CHECK(ports(offer)[1] == "0");
        CHECK_FALSE(offer.contains("10.9.9.9"));
        const auto answer = stage.answer(id, End::callee, bundled(b_host, {"audio 5000", "video 5000"}, " 0 1"));
        CHECK(ports(answer)[0] == ports(answer)[1]);
        CHECK(stage.asked.size() == 2);
    }
    SUBCASE("a port each is offered, and the answer bundles: the second relay goes") {
        const auto offer = stage.offer(id, End::caller, bundled(a_host, {"audio 4000", "video 4002"}, " 0 1"));
        CHECK(ports(offer)[0] != ports(offer)[1]);
        CHECK(stage.asked.size() == 4);
        const auto answer = stage.answer(id, End::callee, bundled(b_host, {"audio 5000", "video 5000"}, " 0 1"));
        CHECK(ports(answer)[0] == ports(answer)[1]);
        CHECK(stage.open.size() == 2);
        CHECK(stage.joins.size() == 1);
        // The next offer keeps to it.
        const auto again = stage.offer(id, End::callee, bundled(b_host, {"audio 5000", "video 5000"}, " 0 1"));
        CHECK(ports(again)[0] == ports(again)[1]);
        CHECK_FALSE(stage.answer(id, End::caller, bundled(a_host, {"audio 4000", "video 4000"}, " 0 1")).empty());
        CHECK(stage.asked.size() == 4);
        CHECK(stage.open.size() == 2);
    }
    SUBCASE("a port each is offered, and the answer does not bundle") {
        CHECK_FALSE(stage.offer(id, End::caller, bundled(a_host, {"audio 4000", "video 4002"}, " 0 1")).empty());
        CHECK_FALSE(
            stage.answer(id, End::callee, described(b_host, {"audio 5000 RTP/AVP 0", "video 5002 RTP/AVP 0"})).empty());
        CHECK(stage.joins.size() == 2);
    }
    SUBCASE("the first is refused: the second has the leg") {
        CHECK_FALSE(stage.offer(id, End::caller, bundled(a_host, {"audio 4000", "video 4000"}, " 0 1")).empty());
        const auto answer = stage.answer(
            id, End::callee, described(b_host, {"audio 0 RTP/AVP 0", "video 5000 RTP/AVP 0\r\na=mid:1\r\na=rtcp-mux"}));
        CHECK(ports(answer)[0] == "0");
        CHECK(ports(answer)[1] != "5000");
        CHECK(stage.joins.size() == 1);
        CHECK(stage.media.pass(id)->streams.at(0).ends[1].said == endpoint("203.0.113.20:5000"));
    }
    SUBCASE("a refused re-offer changes nothing") {
        stage.exchange(id, {"audio 4000 RTP/AVP 0", "video 4002 RTP/AVP 0"},
                       {"audio 5000 RTP/AVP 0", "video 5002 RTP/AVP 0"});
        const auto legs = stage.open;
        CHECK_FALSE(stage.offer(id, End::caller, bundled(a_host, {"audio 4000", "video 4000"}, " 0 1")).empty());
        Output out;
        stage.media.reject(id, stage.owner, stage.now, out);
        stage.take(out);
        CHECK(stage.open == legs);
        CHECK(stage.joins.size() == 2);
    }
    Output out;
    stage.media.end(id, "BYE", stage.now, out);
    stage.take(out);
    CHECK(stage.open.empty());
}

TEST_CASE("Media: a user has so many streams, and what is given back can be taken again") {
    Stage stage;
    stage.chosen.media_shares = {.stranger = 2, .user = 4, .strangers_percent = 50, .outside_percent = 90, .pool = 100};
    const proxy::Payer payer{.sender = proxy::Sender::user, .name = "bob@example.com"};
    const SessionId id = stage.session(lan_phone, wan_phone);
    stage.media.set_payer(id, payer);
    CHECK(stage
              .offer(id, End::caller,
                     described(a_host, {"audio 4000 RTP/AVP 0", "video 4002 RTP/AVP 0", "video 4004 RTP/AVP 0"}))
              .empty());
    CHECK(stage.asked.empty());
    stage.exchange(id, {"audio 4000 RTP/AVP 0", "video 4002 RTP/AVP 0"}, {"audio 5000 RTP/AVP 0", "video 0 RTP/AVP 0"});
    const SessionId second = stage.session(lan_phone, wan_phone, "d");
    stage.media.set_payer(second, payer);
    stage.exchange(second, {"audio 4000 RTP/AVP 0"}, {"audio 5000 RTP/AVP 0"});
    CHECK(stage.offer(id, End::callee, described(b_host, {"audio 5000 RTP/AVP 0", "video 5002 RTP/AVP 0"})).empty());
    Output out;
    stage.media.end(second, "BYE", stage.now, out);
    stage.take(out);
    CHECK_FALSE(
        stage.offer(id, End::callee, described(b_host, {"audio 5000 RTP/AVP 0", "video 5002 RTP/AVP 0"})).empty());
}
