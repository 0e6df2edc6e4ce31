#include "natkit/engine/supervise/check.hpp"

#include <doctest/doctest.h>
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
        std::string name = std::filesystem::temp_directory_path() / "natkit-check-XXXXXX";
        path = ::mkdtemp(name.data());
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(path / name) << text;
        return path / name;
    }
};

config::Problems problems_of(const std::string& file, supervise::Addresses addresses = supervise::Addresses::any) {
    const daemon::Configuration source(
        {.program = "test", .config_file = file, .base_dir = {}, .runtime_dir = {}, .log_level = {}});
    auto checked = supervise::check(source, addresses);
    return checked ? config::Problems{} : checked.error();
}

config::Problems warnings_of(const std::string& file) {
    const daemon::Configuration source(
        {.program = "test", .config_file = file, .base_dir = {}, .runtime_dir = {}, .log_level = {}});
    auto checked = supervise::check(source, supervise::Addresses::of_this_host);
    return checked ? checked->warnings : config::Problems{};
}

bool has(const config::Problems& problems, const std::string& start) {
    return std::ranges::any_of(problems, [&](const Error& problem) { return to_string(problem).starts_with(start); });
}

}  // namespace

TEST_CASE("supervise::check: every problem at once, whatever kind it is of") {
    const Folder folder;
    folder.write("users", "alice\nbob:example.com:0123456789abcdef0123456789abcdef\nno user\n");
    folder.write("cert.pem", "not a certificate\n");
    folder.write("key.pem", "not a key\n");
    const std::string file = folder.write("natkit.toml",
                                          "[sip]\nlisten = [\"udp:192.0.2.77:5060\"]\nlog_level = \"loud\"\n"
                                          "[registrar]\nusers = \"users\"\n"
                                          "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n"
                                          "[daemon]\nuser = \"nobody-of-that-name\"\n"
                                          "[log]\ntarget = \"no/such/log\"\n");
    const auto problems = problems_of(file, supervise::Addresses::of_this_host);
    CHECK(has(problems, file + ":3:13: [sip] log_level: not a log level: 'loud'"));
    CHECK(has(problems, folder.path.string() + "/users:1: not a user"));
    CHECK(has(problems, folder.path.string() + "/users:3: not a user"));
    CHECK(has(problems, file + ":7:15: [tls] certificate: "));
    CHECK(has(problems, file + ":10:8: [daemon] user: no such user: 'nobody-of-that-name'; write "));
    CHECK(has(problems, file + ":12:10: [log] target: "));
    // An address that is away is no mistake in the file.
    CHECK(problems.size() == 6);
}

TEST_CASE("supervise::check: an address to listen on that this host does not have is told, and no mistake") {
    const Folder folder;
    const std::string file = folder.write("natkit.toml", "[sip]\nlisten = [\"udp:192.0.2.77:5060\"]\n");
    CHECK(has(warnings_of(file), file + ":2:10: [sip] listen: 192.0.2.77: no address yet"));
}

TEST_CASE("supervise::check: a file of users that is missing is told beside a bad value, and once") {
    const Folder folder;
    const std::string file = folder.write("natkit.toml", "[pinger]\nmethod = 1\n[registrar]\nusers = \"none\"\n");
    const auto problems = problems_of(file);
    CHECK(problems.size() == 2);
    CHECK(has(problems, file + ":2:10: [pinger] method: "));
    CHECK(has(problems, file + ":4:9: [registrar] users: "));
}

TEST_CASE("supervise::check: bad syntax is one problem; what is good is good") {
    const Folder folder;
    CHECK(problems_of(folder.write("natkit.toml", "[sip\n")).size() == 1);
    CHECK(problems_of(folder.path / "missing.toml").size() == 1);
    CHECK(
        problems_of(folder.write("natkit.toml", "[sip]\nlisten = []\n[media_proxy.addresses]\nwan = [\"127.0.0.1\"]\n"),
                    supervise::Addresses::of_this_host)
            .empty());
}

TEST_CASE("supervise::check_for_host: only the text is looked at, and what is not is named") {
    const Folder folder;
    const std::string file = folder.write("natkit.toml",
                                          "[sip]\nlisten = [\"udp:192.0.2.77:5060\"]\n"
                                          "[registrar]\nusers = \"users\"\n"
                                          "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n"
                                          "[daemon]\nuser = \"nobody-of-that-name\"\n"
                                          "[log]\ntarget = \"no/such/log\"\n");
    const daemon::Configuration source(
        {.program = "test", .config_file = file, .base_dir = {}, .runtime_dir = {}, .log_level = {}});
    const auto checked = supervise::check_for_host(source);
    REQUIRE(checked.has_value());
    CHECK(checked->loaded.config.media_proxy.wan_addresses.empty());  // not fitted to this host
    for (const char* key : {"[sip] listen", "[network] lan", "[registrar] users", "[tls] certificate", "[tls] key",
                            "[log] target", "[daemon] user"}) {
        CAPTURE(key);
        CHECK(std::ranges::any_of(checked->not_looked, [&](const std::string& one) { return one.starts_with(key); }));
    }
    CHECK(checked->not_looked.size() == 7);
    const std::string bad = folder.write("bad.toml", "[sip]\nlog_level = \"loud\"\n");
    const daemon::Configuration wrong(
        {.program = "test", .config_file = bad, .base_dir = {}, .runtime_dir = {}, .log_level = {}});
    const auto refused = supervise::check_for_host(wrong);
    REQUIRE(!refused.has_value());
    CHECK(has(refused.error(), bad + ":2:13: [sip] log_level"));
}
