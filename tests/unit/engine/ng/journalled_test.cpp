#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "../../io/own_loopback.hpp"
#include "calls.hpp"
#include "rtpproxy_sessions.hpp"

using namespace natkit;
using namespace natkit::ng;

namespace {

struct Fixture {
    std::filesystem::path folder;
    io::Loop loop;
    std::unique_ptr<relay::Engine> engine;

    Fixture() {
        std::string name = (std::filesystem::temp_directory_path() / "natkit-ng-XXXXXX").string();
        folder = ::mkdtemp(name.data());
        relay::Options options;
        options.ports = relay::PortRange{.first = 42000, .last = 42999};
        options.lan = options.wan = {own_loopback()};
        options.journal = (folder / "j").string();
        options.tiers.receive = relay::ReceiveChoice::sockets;
        engine = relay::Engine::start(loop, options, [](const relay::Json&) {}).value();
        engine->set_log_level(LogLevel::failures);
    }
    ~Fixture() {
        engine.reset();
        std::filesystem::remove_all(folder);
    }
    [[nodiscard]] bool knows(const std::string& call_id) const {
        std::ostringstream text;
        text << std::ifstream(folder / "j").rdbuf();
        return text.str().find("\"call_id\":\"" + call_id + '"') != std::string::npos;
    }
};

constexpr const char* description =
    "v=0\r\no=- 1 1 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

}  // namespace

TEST_CASE("ng: what an offer has opened is journalled before it is answered") {
    Fixture here;
    Calls calls(here.loop, *here.engine, {.interfaces = {}, .log_level = LogLevel::failures});
    Request offer;
    offer.command = Command::offer;
    offer.call_id = "one";
    offer.from_tag = "a";
    offer.sdp = description;
    bool known = false;
    calls.handle(offer, [&](const Dictionary&) { known = here.knows("one"); });
    CHECK(known);
}

TEST_CASE("rtpproxy: what a command has opened is journalled before it is answered") {
    Fixture here;
    rtpproxy::Sessions sessions(here.loop, *here.engine, LogLevel::failures);
    bool known = false;
    sessions.handle("U two 203.0.113.9 4000 a;1", [&](const std::string&) { known = here.knows("two"); });
    CHECK(known);
}
