#include "journal.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "natkit/record/relay.hpp"
#include "natkit/relay/tcp.hpp"

using namespace natkit;
using namespace natkit::relay;
using Json = nlohmann::ordered_json;

namespace {

struct Folder {
    std::filesystem::path path;
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "natkit-journal-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~Folder() { std::filesystem::remove_all(path); }
    [[nodiscard]] std::string file() const { return (path / "j").string(); }
    [[nodiscard]] std::string content(const char* suffix = "") const {
        std::ostringstream text;
        text << std::ifstream(file() + suffix).rdbuf();
        return text.str();
    }
};

Json leg(const std::string& id, const std::string& state) {
    return {{"type", "leg"}, {"leg", id}, {"state", state}};
}

Result<record::LegRecord> read_leg(const std::string& text) {
    record::ObjectReader reader;
    return record::parse_leg(reader.read(text).value());
}

void put(Journal& journal, const Json& record) {
    const std::string text = record.dump();
    REQUIRE(journal.write({{.id = record["leg"], .record = &text}}).has_value());
}

}  // namespace

TEST_CASE("relay::Journal: what is alive comes back, at its last state") {
    const Folder folder;
    {
        auto opened = Journal::open(folder.file(), "boot");
        REQUIRE(opened.has_value());
        CHECK(opened->legs.empty());
        put(*opened->journal, leg("a", "open"));
        put(*opened->journal, leg("b", "open"));
        put(*opened->journal, leg("a", "joined"));
        REQUIRE(opened->journal->write({{.id = "b", .record = nullptr}}).has_value());
        CHECK(Journal::open(folder.file(), "boot").error().code == Errc::refused);  // locked
    }
    const auto again = Journal::open(folder.file(), "boot");
    REQUIRE(again.has_value());
    CHECK(again->messages.empty());
    REQUIRE(again->legs.size() == 1);
    CHECK(Json::parse(again->legs[0]) == leg("a", "joined"));
}

TEST_CASE("relay::Journal: each line ends with the CRC-32 of its object") {
    const auto sum = [](std::string_view bytes) {  // bit by bit, as IEEE 802.3 has it
        std::uint32_t value = 0xffffffffU;
        for (const char c : bytes) {
            value ^= static_cast<unsigned char>(c);
            for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xedb88320U : 0);
        }
        return ~value;
    };
    const Folder folder;
    auto opened = Journal::open(folder.file(), "boot");
    REQUIRE(opened.has_value());
    for (std::size_t i = 0; i < 40; ++i) put(*opened->journal, leg("a", "\xc3\xa9" + std::string(i, 'x')));
    std::istringstream lines(folder.content());
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        const std::size_t end = line.rfind(",\"crc\":\"");
        REQUIRE(end != std::string::npos);
        CHECK(std::stoul(line.substr(end + 8, 8), nullptr, 16) == sum(line.substr(0, end) + "}"));
    }
    CHECK(count == 41);
}

TEST_CASE("relay::Journal: it does not grow beyond twice what is alive, and a megabyte") {
    const Folder folder;
    auto opened = Journal::open(folder.file(), "boot");
    REQUIRE(opened.has_value());
    for (int i = 0; i < 30000; ++i) {
        put(*opened->journal, leg("a" + std::to_string(i % 10), "open"));
        if (opened->journal->size() > (1 << 20)) FAIL("it has grown to " << opened->journal->size());
    }
    CHECK(opened->journal->size() < 900000);  // it was written anew
    CHECK(folder.content().size() == opened->journal->size());
    opened->journal.reset();
    CHECK(Journal::open(folder.file(), "boot")->legs.size() == 10);
}

TEST_CASE("relay::Journal: what does not fit is set aside with a message") {
    struct Case {
        const char* why;
        std::function<std::string(std::string)> change;
        std::size_t legs;
        const char* message;
    };
    const Case cases[] = {
        {"cut off in its last line", [](const std::string& s) { return s.substr(0, s.size() - 1); }, 1, "torn"},
        {"a bit in the middle",
         [](std::string s) {
             s[s.find("\"a\"") + 1] = 'x';
             return s;
         },
         1, "torn or damaged"},
        {"the header",
         [](std::string s) {
             s[20] = '!';
             return s;
         },
         0, "is not a journal"},
        {"somebody else's file", [](const std::string&) { return std::string("hello\n"); }, 0, "is not a journal"},
        {"bytes", [](const std::string&) { return std::string(1000, '\0'); }, 0, "is not a journal"},
        {"nothing", [](const std::string&) { return std::string(); }, 0, nullptr},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const Folder folder;
        {
            auto opened = Journal::open(folder.file(), "boot");
            put(*opened->journal, leg("a", "open"));
            put(*opened->journal, leg("b", "open"));
        }
        const std::string changed = c.change(folder.content());
        std::ofstream(folder.file()) << changed;
        const auto again = Journal::open(folder.file(), "boot");
        REQUIRE(again.has_value());
        CHECK(again->legs.size() == c.legs);
        REQUIRE(again->messages.size() == (c.message == nullptr ? 0 : 1));
        if (c.message == nullptr) continue;
        CHECK(again->messages[0].find(c.message) != std::string::npos);
        CHECK(folder.content(".old") == changed);
    }
    const Folder folder;
    {
        put(*Journal::open(folder.file(), "boot")->journal, leg("a", "open"));
    }
    const auto later = Journal::open(folder.file(), "another boot");
    REQUIRE(later.has_value());
    CHECK(later->legs.empty());
    REQUIRE(later->messages.size() == 1);
    CHECK(later->messages[0].find("from before the host was started") != std::string::npos);
}

TEST_CASE("relay::Journal: what was read comes back though nothing can be written, and is written once it can be") {
    const Folder folder;
    {
        put(*Journal::open(folder.file(), "boot")->journal, leg("a", "open"));
    }
    std::filesystem::create_directory(folder.file() + ".new");
    {
        const auto opened = Journal::open(folder.file(), "boot");
        REQUIRE(opened.has_value());
        CHECK(opened->legs.size() == 1);
        CHECK(opened->journal->broken().has_value());
        const std::string text = leg("b", "open").dump();
        CHECK_FALSE(opened->journal->write({{.id = "b", .record = &text}}).has_value());
        std::filesystem::remove(folder.file() + ".new");
        CHECK(opened->journal->write({}).has_value());
        CHECK_FALSE(opened->journal->broken().has_value());
    }
    CHECK(Journal::open(folder.file(), "boot")->legs.size() == 2);
    std::filesystem::remove(folder.file());
    std::filesystem::create_directory(folder.file());
    const auto instead = Journal::open(folder.file(), "boot");
    REQUIRE(instead.has_value());
    CHECK(instead->messages.size() == 1);
    CHECK_FALSE(instead->journal->broken().has_value());
}

/// A leg as the journal has it.
void check_text(const record::LegRecord& leg) {
    Json record = record::to_json(leg);
    if (!leg.request.empty()) record["request"] = leg.request;
    CHECK(record::journal_text(leg) == record.dump(-1, ' ', false, Json::error_handler_t::replace));
}

TEST_CASE("record::journal_text: the record and the request, to the byte") {
    record::LegRecord leg;
    leg.id = "0123456789";
    leg.bound = Endpoint::parse("10.1.2.3:20000").value();
    leg.advertised = leg.bound.address;
    check_text(leg);
    leg.bound = Endpoint::parse("[2001:db8::1]:20000").value();
    leg.state = record::LegState::joined;
    leg.stream = relay::Stream::tcp;
    leg.connections = 7;
    leg.party = relay::Party{.place = nat::Place::lan, .setup = sdp::Setup::passive};
    check_text(leg);
    leg.stream = relay::Stream::rtp;
    leg.mux = leg.hold = true;
    leg.latched[1] = {{Endpoint::parse("[2001:db8::1]:1001").value(), relay::SourceRule::latch}};
    check_text(leg);
    for (const char* text : {"plain", "\"quoted\" and \\", "two\r\nlines", "\x7f", "\xc3\xa4", "\xff not UTF-8"}) {
        leg.call_id = leg.owner = leg.request = text;
        check_text(leg);
    }
}

TEST_CASE("record::LegRecord: a leg survives being written and read") {
    record::LegRecord leg;
    leg.id = "0123456789";
    leg.call_id = "call";
    leg.state = record::LegState::joined;
    leg.side = relay::Side::wan;
    leg.bound = Endpoint::parse("10.1.2.3:20000").value();
    leg.advertised = IpAddress::parse("203.0.113.10").value();
    leg.party = relay::Party{.place = nat::Place::far_end,
                             .endpoint = Endpoint::parse("10.0.0.2:6000").value(),
                             .rtcp = Endpoint::parse("10.0.0.2:6005").value(),
                             .visible = IpAddress::parse("203.0.113.65").value(),
                             .site = IpRange::parse("203.0.113.64-203.0.113.79").value(),
                             .direction = sdp::Direction::recvonly,
                             .unproven = true};
    leg.party->ssrcs.add(4294967295U);
    leg.party->ssrcs.add(7);
    leg.joined = "9876543210";
    leg.latched[0] = {{Endpoint::parse("203.0.113.66:1000").value(), relay::SourceRule::rebind, false, 7}};
    leg.latched[1] = {{Endpoint::parse("[2001:db8::1]:1001").value(), relay::SourceRule::latch, true, {}}};
    leg.hold = true;
    leg.owner = "edge";
    leg.owner_state = R"({"n":[1,2,{"x":null}]})";
    leg.opened = WallTime(std::chrono::milliseconds(1795396195542));
    leg.request = "request-1";
    check_text(leg);
    leg.request.clear();
    const auto read = read_leg(record::to_json(leg).dump());
    REQUIRE(read.has_value());
    CHECK(*read == leg);
    CHECK(record::to_json(leg)["local"] == "203.0.113.10:20000");
    leg.mux = true;
    CHECK(record::to_json(leg)["mux"] == true);
    CHECK_FALSE(record::to_json(leg).contains("rtcp"));
    CHECK(read_leg(record::to_json(leg).dump()) == leg);
    leg.mux = false;
    leg.stream = relay::Stream::udp;
    leg.party.reset();
    leg.latched = {};
    CHECK(read_leg(record::to_json(leg).dump()) == leg);
}

TEST_CASE("record::LegRecord: a TCP leg survives the journal, its connections do not") {
    const Folder folder;
    record::LegRecord leg;
    leg.id = "0123456789";
    leg.state = record::LegState::joined;
    leg.stream = relay::Stream::t120;
    leg.side = relay::Side::lan;
    leg.bound = Endpoint::parse("192.168.10.1:20002").value();
    leg.advertised = leg.bound.address;
    leg.joined = "9876543210";
    leg.connections = 4;
    for (const auto setup : {sdp::Setup::active, sdp::Setup::passive, sdp::Setup::actpass, sdp::Setup::holdconn}) {
        leg.party = relay::Party{.place = nat::Place::far_end,
                                 .endpoint = Endpoint::parse("10.0.0.2:1503").value(),
                                 .visible = IpAddress::parse("203.0.113.65").value(),
                                 .setup = setup};
        const Json record = record::to_json(leg);
        CHECK(record["party"]["setup"] == sdp::to_string(setup));
        CHECK_FALSE(record.contains("rtcp"));
        put(*Journal::open(folder.file(), "boot")->journal, record);
        const auto again = Journal::open(folder.file(), "boot");
        REQUIRE(again.has_value());
        REQUIRE(again->legs.size() == 1);
        CHECK(read_leg(again->legs[0]) == leg);
    }
    struct Case {
        const char* why;
        Json connections;
        unsigned read;
    };
    const Case cases[] = {{"missing", nullptr, 1}, {"too many", 1000U, relay::max_connections}, {"none", 0U, 1}};
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Json record = record::to_json(leg);
        record["connections"] = c.connections;
        CHECK(read_leg(record.dump())->connections == c.read);
    }
    Json record = record::to_json(leg);
    record["party"]["setup"] = "sideways";
    CHECK(read_leg(record.dump()).error().where == "party.setup");
}

TEST_CASE("record::LegStatistics: what TCP has in place of packets") {
    record::LegStatistics statistics;
    statistics.counters[0].received_bytes = 5;
    statistics.counters[0].sent_bytes = 7;
    statistics.counters[0].drops[static_cast<std::size_t>(relay::Drop::not_met)] = 1;
    statistics.connections =
        record::Connections{.open = {{Endpoint::parse("192.168.10.5:40000").value(), relay::SourceRule::port_learned}},
                            .waiting = 2,
                            .opened = 3,
                            .failed = 4};
    CHECK(record::to_json(statistics) == Json::parse(R"({"received":{"bytes":5},"sent":{"bytes":7},
        "connections":{"open":1,"waiting":2,"opened":3,"failed":4,
                       "remotes":[{"endpoint":"192.168.10.5:40000","rule":"port-learned"}]},
        "drops":{"not-met":1}})"));
}
