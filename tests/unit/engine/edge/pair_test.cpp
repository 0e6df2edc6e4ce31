#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "natkit/base/text.hpp"
#include "pair/keys.hpp"
#include "records/records.hpp"
#include "records/replica.hpp"
#include "records/state.hpp"

/// What two nodes of a cluster share of sipedge.
using namespace natkit;
using namespace natkit::edge;
using namespace std::chrono_literals;

namespace {

struct Folder {
    std::filesystem::path path;
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "natkit-pair-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Folder() { std::filesystem::remove_all(path); }
    [[nodiscard]] std::string file(const char* name) const { return (path / name).string(); }
};

const std::string one(64, '1');
const std::string two(64, '2');

/// A node that has that file of keys.
struct Node {
    explicit Node(const std::string& text) {
        config.cluster.state = config::RedisTarget{.host = "10.0.0.5"};
        config.cluster.key = folder.file("key");
        write(text);
        keys.emplace(Keys::load(config, folder.path.string(), {}).value());
        secrets = keys->secrets();
    }
    void write(const std::string& text) const {
        std::ofstream(config.cluster.key) << text;
        REQUIRE(chmod(config.cluster.key.c_str(), 0600) == 0);
    }
    [[nodiscard]] Result<void> replace(const std::string& text) {
        write(text);
        return keys->load_again(config);
    }

    Folder folder;
    config::Config config;
    std::optional<Keys> keys;
    Secrets secrets;
};

sip::Flow flow(const char* port) {
    return sip::parse_flow(std::string("udp:203.0.113.10:5060-198.51.100.7:") + port).value();
}

store::BindingRow row() {
    return {.id = "0123456789abcdef",
            .aor = "bob@example.com",
            .contact = "sip:bob@192.168.1.5:5060;transport=udp",
            .instance = "\"<urn:uuid:1>\"",
            .flow = "udp:203.0.113.10:5060-198.51.100.7:40001",
            .place = "far-end",
            .rule = "nated",
            .site = "198.51.100.7",
            .expires_ms = 1'700'000'600'123,
            .call_id = "c'1\"\\",
            .cseq = 4'000'000'000U,
            .q = 500,
            .user_agent = "Müller phone",
            .authenticated = true,
            .server = "pbx.example.net",
            .reached = false};
}

}  // namespace

TEST_CASE("a cluster's key: a token of one node is read by the other, and while a key is replaced, old ones go on") {
    Node a(one);
    Node b(one + "\n");
    const sip::DialogToken token{.caller = flow("1"), .callee = flow("2"), .start = WallTime(1'700'000'000s)};
    const sip::ClientToken client{.binding = 7, .server = IpAddress::parse("192.0.2.1").value()};
    const auto dialog_text = sip::encode(token, "call", a.secrets.cipher);
    const auto client_text = sip::encode(client, a.secrets.cipher);
    const auto reads = [&](const Node& node) {
        const auto dialog = sip::decode_dialog_token(dialog_text, "call", node.secrets.cipher);
        const auto known = sip::decode_client_token(client_text, node.secrets.cipher);
        return dialog == token && known == client;
    };
    CHECK(reads(b));
    CHECK_FALSE(b.secrets.encrypts_since);  // all tokens of a cluster's key are encrypted
    const auto before = sip::binding_id("bob@example.com", "sip:b@h", "", a.secrets.mac);
    CHECK(sip::binding_id("bob@example.com", "sip:b@h", "", b.secrets.mac) == before);
    // Both take the new key, one after the other, and later let the old one go.
    REQUIRE(b.replace(two + "\n" + one));
    CHECK(reads(b));
    const auto made = sip::encode(client, b.secrets.cipher);
    CHECK(made != client_text);
    CHECK_FALSE(sip::decode_client_token(made, a.secrets.cipher));
    REQUIRE(a.replace(two + "\n" + one));
    CHECK(sip::decode_client_token(made, a.secrets.cipher) == client);
    CHECK(sip::binding_id("bob@example.com", "sip:b@h", "", a.secrets.mac) != before);
    REQUIRE(a.replace(two));
    CHECK_FALSE(reads(a));
    // A file that is no good changes nothing.
    const auto bad = a.replace(two + "\n" + one.substr(1));
    REQUIRE_FALSE(bad);
    CHECK(bad.error().where == a.config.cluster.key + ":2");
    CHECK(sip::decode_client_token(made, a.secrets.cipher) == client);
    CHECK_FALSE(reads(a));
}

TEST_CASE("a key of this node's own is made once, and is none of a cluster") {
    const Folder folder;
    config::Config config;
    config.registrar.state = folder.file("state.db");
    Keys keys = Keys::load(config, "/nowhere", {}).value();
    CHECK(std::filesystem::file_size(folder.file("secret")) == 32);
    const auto text = sip::encode(sip::ClientToken{.binding = 1, .server = {}}, keys.secrets().cipher);
    config.cluster.state = config::RedisTarget{.host = "10.0.0.5"};  // takes a start
    CHECK(keys.load_again(config));
    CHECK(sip::decode_client_token(text, keys.secrets().cipher));
    config.cluster.state.reset();
    CHECK(sip::decode_client_token(text, Keys::load(config, "/nowhere", {})->secrets().cipher));
}

TEST_CASE("a replica of a registration is its row, whatever members others add") {
    auto json = binding_replica(row());
    CHECK(json.size() == binding_members().size());
    for (const char* name : binding_members()) CHECK(json.contains(name));
    json["newer"] = {{"than", "this"}};
    record::ObjectReader reader;
    const std::string text = json.dump();
    CHECK(read_binding_replica(row().id, reader.read(text).value()) == row());
    CHECK(from_row(row()).has_value());
    // What an older version does not write.
    for (const char* name : {"newer", "q", "user_agent", "authenticated", "server", "reached"}) json.erase(name);
    const std::string older = json.dump();
    const auto read = read_binding_replica(row().id, reader.read(older).value());
    REQUIRE(read);
    CHECK(read->q == 1000);
    CHECK(read->reached);
    CHECK_FALSE(read->authenticated);
}

TEST_CASE("a replica that cannot be one of ours is refused") {
    struct Case {
        const char* why;
        const char* member;
        nlohmann::ordered_json value;
    };
    const Case cases[] = {
        {"another id than the key's", "id", "0123456789abcdee"},
        {"an id that is no number", "id", "0123456789abcdeg"},
        {"no user", "aor", ""},
        {"a line end in what gets into requests", "contact", "sip:bob@h\r\nX: y"},
        {"no SIP URI", "contact", "tel:123"},
        {"control characters", "user_agent", "a\nb"},
        {"too long", "call_id", std::string(5000, 'a')},
        {"a time that cannot be reckoned with", "expires_ms", std::int64_t{1} << 60},
        {"no time", "expires_ms", "soon"},
        {"text expected", "flow", 7},
    };
    record::ObjectReader reader;
    for (const Case& c : cases) {
        CAPTURE(c.why);
        auto json = binding_replica(row());
        json[c.member] = c.value;
        const std::string text = json.dump();
        const auto read =
            read_binding_replica(json["id"].get<std::string>() == "0123456789abcdeg" ? "0123456789abcdeg" : row().id,
                                 reader.read(text).value());
        CHECK((!read || !from_row(*read)));
    }
}

TEST_CASE("how long a call has lasted is known to another node, whose clocks have other beginnings") {
    const HostClock here{.boot = "aaaaaaaa", .steady = Instant(1000s), .wall = WallTime(1'700'000'000s)};
    SessionState state;
    state.ends[0].flow = state.ends[1].flow = flow("1");
    state.token = {.caller = flow("1"), .callee = flow("1")};
    state.began = here.steady - 100s;
    state.answered = here.steady - 90s;
    const auto text = state_text(state, here).value();
    const auto read = [&](const HostClock& clock) {
        return read_state(nlohmann::ordered_json::parse(text), clock).value();
    };
    CHECK(read(here).began == state.began);
    // Its time of day is 3 s behind the writer's.
    const HostClock there{.boot = "bbbbbbbb", .steady = Instant(5s), .wall = WallTime(1'700'000'007s), .ahead = 3s};
    CHECK(read(there).began == there.steady - 110s);
    CHECK(read(there).answered == there.steady - 100s);
    const HostClock early{.boot = "bbbbbbbb", .steady = Instant(5s), .wall = WallTime(1'600'000'000s)};
    CHECK_FALSE(read(early).began);  // of a clock that is wrong nothing is known
    CHECK(read_state(nlohmann::ordered_json::parse(state_text(state).value()), here)->began == state.began);
}
