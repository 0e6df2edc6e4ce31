#include "natkit/engine/log/log.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace natkit;

namespace {

/// A folder that goes with the test.
struct Folder {
    std::filesystem::path path;
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "natkit-log-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~Folder() {
        static_cast<void>(log::configure({}));
        std::filesystem::remove_all(path);
    }
};

std::string content(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace

TEST_CASE("log: levels, tag and escaping in a file") {
    const Folder folder;
    const std::string file = folder.path / "natkit.log";
    REQUIRE(log::configure({.format = log::Format::text, .target = file, .program = "test"}));
    const log::Logger logger("SIPEDGE", log::Level::major);
    logger.major("one\nfake line \x1b[2J");
    logger.problems("not told at this level");
    const std::string text = content(file);
    CHECK(text.ends_with("Z major SIPEDGE one\\x0afake line \\x1b[2J\n"));
    CHECK(text.size() - text.find(" major") == std::string(" major SIPEDGE one\\x0afake line \\x1b[2J\n").size());
    CHECK(text.find("not told") == std::string::npos);
}

TEST_CASE("log: JSON stays JSON whatever the bytes") {
    const Folder folder;
    const std::string file = folder.path / "natkit.log";
    REQUIRE(log::configure({.format = log::Format::json, .target = file, .program = "test"}));
    log::Logger("LOOP", log::Level::all).all("quote \" and bad UTF-8 \xff");
    const std::string text = content(file);
    CHECK(text.starts_with(R"({"type":"log","time":")"));
    CHECK(text.find(R"("level":"all","tag":"LOOP","program":"test","text":"quote \" and bad UTF-8 )") !=
          std::string::npos);
    CHECK(text.ends_with("\\\\xff\"}\n"));
}

TEST_CASE("log: a rotated file is opened again") {
    const Folder folder;
    const std::filesystem::path file = folder.path / "natkit.log";
    REQUIRE(log::configure({.format = log::Format::text, .target = file, .program = {}}));
    const log::Logger logger("LOOP", log::Level::major);
    logger.major("before");
    std::filesystem::rename(file, folder.path / "natkit.log.1");
    logger.major("still the old file");
    REQUIRE(log::reopen());
    logger.major("after");
    CHECK(content(folder.path / "natkit.log.1").find("still the old file") != std::string::npos);
    CHECK(content(file).ends_with("LOOP after\n"));
}

TEST_CASE("log: a target that cannot be opened leaves the old one in use") {
    const Folder folder;
    const std::string file = folder.path / "natkit.log";
    REQUIRE(log::configure({.format = log::Format::text, .target = file, .program = {}}));
    const auto bad =
        log::configure({.format = log::Format::text, .target = folder.path / "no/such/file", .program = {}});
    REQUIRE_FALSE(bad);
    CHECK(bad.error().message.find("no such file") != std::string::npos);
    log::Logger("LOOP", log::Level::major).major("here");
    CHECK(content(file).ends_with("LOOP here\n"));
}

TEST_CASE("log: the same text is told five times, then counted") {
    const Folder folder;
    const std::string file = folder.path / "natkit.log";
    REQUIRE(log::configure({.format = log::Format::text, .target = file, .program = {}}));
    const log::Logger logger("LOOP", log::Level::major);
    for (int i = 0; i < 1000; ++i) logger.major("a storm");
    logger.major("something else");
    std::istringstream lines(content(file));
    int storms = 0;
    for (std::string line; std::getline(lines, line);) storms += line.ends_with("a storm") ? 1 : 0;
    CHECK(storms == 5);
    // What was held back is told without another line.
    log::tell_repeats();
    CHECK(content(file).ends_with("something else\n"));
    log::tell_repeats(true);
    CHECK(content(file).ends_with("major LOOP came 995 more times: a storm\n"));
    const std::string told = content(file);
    log::tell_repeats(true);
    CHECK(content(file) == told);
}

TEST_CASE("log: what is not UTF-8 is escaped, byte by byte; what is stays") {
    struct Case {
        const char* why;
        const char* text;
        const char* want;
    };
    const Case cases[] = {
        {"plain and good", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\x9e", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\x9e"},
        {"a byte alone",
         "a\xff"
         "b",
         "a\\xffb"},
        {"cut short", "a\xe2\x82", "a\\xe2\\x82"},
        {"a follower alone", "\x80", "\\x80"},
        {"overlong: a slash in two bytes", "\xc0\xaf", "\\xc0\\xaf"},
        {"overlong in three", "\xe0\x80\xaf", "\\xe0\\x80\\xaf"},
        {"a surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80"},
        {"past the last character", "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
        {"C1, as UTF-8", "\xc2\x9b", "\\xc2\\x9b"},
    };
    const Folder folder;
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const std::string file = folder.path / "natkit.log";
        std::filesystem::remove(file);
        REQUIRE(log::configure({.format = log::Format::text, .target = file, .program = "test"}));
        log::Logger("LOOP", log::Level::all).all(c.text);
        CHECK(content(file).ends_with(std::string(" LOOP ") + c.want + "\n"));
    }
}

TEST_CASE("log: a link that somebody else made is not followed, nor his file in a folder open to all written to") {
    const Folder folder;
    const std::string file = folder.path / "natkit.log";
    std::filesystem::create_symlink(folder.path / "elsewhere", file);
    CHECK(log::configure({.format = log::Format::text, .target = file, .program = "test"}));  // our own
    if (::geteuid() != 0) return;
    REQUIRE(::lchown(file.c_str(), 12345, 12345) == 0);
    CHECK_FALSE(log::configure({.format = log::Format::text, .target = file, .program = "test"}));
    std::filesystem::remove(file);
    std::ofstream(file) << "his\n";
    REQUIRE(::chown(file.c_str(), 12345, 12345) == 0);
    CHECK(log::configure({.format = log::Format::text, .target = file, .program = "test"}));
    std::filesystem::permissions(folder.path, std::filesystem::perms::all);
    CHECK_FALSE(log::configure({.format = log::Format::text, .target = file, .program = "test"}));
}
