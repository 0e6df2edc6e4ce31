#include "natkit/engine/daemon/daemon.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

using namespace natkit;

namespace {

/// A folder that goes with the test.
struct Folder {
    std::filesystem::path path;
    Folder() {
        std::string name = std::filesystem::temp_directory_path() / "natkit-daemon-XXXXXX";
        path = ::mkdtemp(name.data());
    }
    ~Folder() {
        static_cast<void>(log::configure({}));
        std::filesystem::remove_all(path);
    }
    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(path / name) << text;
        return path / name;
    }
};

daemon::Configuration of(const std::string& file, const std::string& level = {}) {
    return daemon::Configuration(
        {.program = "test", .config_file = file, .base_dir = {}, .runtime_dir = {}, .log_level = level});
}

std::size_t lines(const std::filesystem::path& file) {
    std::ifstream in(file);
    return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(in), {}, '\n'));
}

}  // namespace

TEST_CASE("daemon: a configuration is read with what the command line and the host say") {
    const Folder folder;
    const std::string file = folder.write(
        "natkit.toml",
        "[network]\nlan = []\n[sip]\nlog_level = \"problems\"\nlisten = [\"udp:127.0.0.1:5060\"]\n"
        "advertise = { \"192.0.2.1\" = \"192.0.2.2\" }\n[sip.routes]\n\"example.com\" = \"sip:192.0.2.9\"\n");
    const auto plain = of(file).read();
    REQUIRE(plain);
    CHECK(plain->config.sip.log_level == LogLevel::problems);
    CHECK(plain->config.media_proxy.wan_addresses.size() == 1);
    REQUIRE(plain->warnings.size() == 1);
    CHECK(to_string(plain->warnings[0]) == file + ":6:13: [sip] advertise: nothing listens on 192.0.2.1");
    const auto louder = of(file, "all").read();
    REQUIRE(louder);
    CHECK(louder->config.sip.log_level == LogLevel::all);
    CHECK(louder->config.pinger.log_level == LogLevel::all);
    CHECK_FALSE(of(file, "loud").read());
}

TEST_CASE("daemon: reload applies [log], and a bad file keeps what was there") {
    const Folder folder;
    const std::string file = folder.write("natkit.toml", "[log]\ntarget = \"first.log\"\n");
    const daemon::Configuration source = of(file);
    REQUIRE(source.apply());
    const log::Logger log("NATKIT", LogLevel::major);
    log.major("one");
    folder.write("natkit.toml", "[log]\ntarget = \"second.log\"\n");
    REQUIRE(source.reload());
    log.major("two");
    folder.write("natkit.toml", "[log]\ntarget = \"none/third.log\"\n");
    const auto bad = source.reload();
    REQUIRE_FALSE(bad);
    CHECK(bad.error().message.find("natkit.toml:2:10: [log] target: ") != std::string::npos);
    folder.write("natkit.toml", "[log]\ntarget = 1\nformat = 2\n");
    const auto worse = source.reload();
    REQUIRE_FALSE(worse);
    CHECK(std::ranges::count(worse.error().message, '\n') == 1);  // both problems
    log.major("three");
    CHECK(lines(folder.path / "first.log") == 1);
    CHECK(lines(folder.path / "second.log") == 2);
}

TEST_CASE("daemon: files that are missing are told by the place of their key") {
    const Folder folder;
    const std::string file =
        folder.write("natkit.toml", "[registrar]\nusers = \"nobody\"\n[log]\ntarget = \"no/such/log\"\n");
    const auto loaded = of(file).read();
    REQUIRE(loaded);
    const auto problems = daemon::missing_files(*loaded);
    REQUIRE(problems.size() == 2);
    CHECK(to_string(problems[0]) ==
          file + ":2:9: [registrar] users: " + folder.path.string() + "/nobody: no such file or directory");
    CHECK(to_string(problems[1]) == file + ":4:10: [log] target: " + folder.path.string() +
                                        "/no/such: no such file or directory; write \"journal\", or a file in a folder "
                                        "that is there");
}

TEST_CASE("daemon: the folder of the control sockets") {
    config::Config config;
    config.control.socket = "/run/natkit/natkit.sock";
    CHECK(of("").runtime_dir(config) == "/run/natkit");
    config.control.socket = "/natkit.sock";
    CHECK(of("").runtime_dir(config) == "/");
    CHECK(
        daemon::Configuration({.program = "", .config_file = "", .base_dir = "", .runtime_dir = "/r", .log_level = ""})
            .runtime_dir(config) == "/r");
}

TEST_CASE("daemon: signals end, and rotate the log") {
    const Folder folder;
    const auto file = folder.path / "a.log";
    REQUIRE(log::configure({.format = log::Format::text, .target = file, .program = "test"}));
    const log::Logger log("NATKIT", LogLevel::major);
    log.major("one");
    std::filesystem::rename(file, folder.path / "a.log.1");
    io::Loop loop;
    bool ended = false;
    unsigned rotated = 0;
    const daemon::Signals signals(loop, [&] { ended = true; }, [&] { ++rotated; });
    ::kill(::getpid(), SIGUSR1);
    while (rotated == 0) loop.run_once();
    log.major("two");
    CHECK(lines(file) == 1);
    CHECK(lines(folder.path / "a.log.1") == 1);
    ::kill(::getpid(), SIGTERM);
    while (!ended) loop.run_once();
}

TEST_CASE("daemon: a mistake in a file of users is told once") {
    const Folder folder;
    folder.write("users", "alice\n");
    const auto loaded = of(folder.write("natkit.toml", "[registrar]\nusers = \"users\"\n")).read();
    REQUIRE(loaded);
    const auto problems = daemon::missing_files(*loaded);
    REQUIRE(problems.size() == 1);
    CHECK(to_string(problems[0]).starts_with(folder.path.string() + "/users:1: not a user"));
}
