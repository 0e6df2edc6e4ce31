#include "natkit/io/process.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <csignal>
#include <optional>

using namespace natkit;

namespace {

/// Runs the loop until `done`, at most five seconds.
template <class Done>
bool run_until(io::Loop& loop, Done done) {
    const Instant end = loop.now() + std::chrono::seconds(5);
    io::Timer tick(loop, [] {});
    while (!done() && loop.now() < end) {
        tick.start_in(std::chrono::milliseconds(10));
        loop.run_once();
    }
    return done();
}

}  // namespace

TEST_CASE("io::Process: a child's end is told with its status or signal") {
    struct Case {
        const char* why;
        const char* script;
        const char* want;
    };
    constexpr Case cases[] = {
        {"a good end", "exit 0", "exited with status 0"},
        {"a bad end", "exit 2", "exited with status 2"},
        {"killed", "kill -9 $$", "was killed by signal 9 (Killed)"},
        {"a session of its own", "test \"$(ps -o sid= -p $$ | tr -d ' ')\" = $$", "exited with status 0"},
        {"standard input is empty", "test -z \"$(cat)\"", "exited with status 0"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        io::Loop loop;
        std::optional<io::Process::Exit> exit;
        auto process = io::Process::spawn(loop, {"/bin/sh", "-c", c.script}, [&](io::Process::Exit e) { exit = e; });
        REQUIRE(process);
        REQUIRE(run_until(loop, [&] { return exit.has_value(); }));
        CHECK(to_string(*exit) == c.want);
        CHECK_FALSE((*process)->running());
    }
}

TEST_CASE("io::Process: a program that is not there is an error, not a child") {
    io::Loop loop;
    const auto process = io::Process::spawn(loop, {"/nonexistent/program"}, {});
    REQUIRE_FALSE(process);
    CHECK(process.error().message.find("no such file") != std::string::npos);
}

TEST_CASE("io::Process: a process may be watched and signalled by another handle too") {
    io::Loop loop;
    std::optional<io::Process::Exit> child_end;
    std::optional<io::Process::Exit> adopted_end;
    auto child = io::Process::spawn(loop, {"/bin/sleep", "60"}, [&](io::Process::Exit exit) { child_end = exit; });
    REQUIRE(child);
    auto adopted = io::Process::adopt(loop, (*child)->pid(), [&](io::Process::Exit exit) { adopted_end = exit; });
    REQUIRE(adopted);
    (*adopted)->kill(SIGTERM);
    REQUIRE(run_until(loop, [&] { return child_end && adopted_end; }));
    // Here both hold the same child: the one whose event comes first learns how it ended, the other only that it did.
    CHECK(child_end->known != adopted_end->known);
    CHECK((child_end->known ? *child_end : *adopted_end).signal == SIGTERM);
    CHECK(io::Process::adopt(loop, (*child)->pid(), {}).error().code == Errc::not_found);
}

TEST_CASE("io::Process: letting go leaves the process alive") {
    io::Loop loop;
    auto child = io::Process::spawn(loop, {"/bin/sleep", "60"}, {});
    REQUIRE(child);
    const pid_t pid = (*child)->pid();
    child->reset();
    bool ended = false;
    auto again = io::Process::adopt(loop, pid, [&](io::Process::Exit) { ended = true; });
    REQUIRE(again);
    (*again)->kill(SIGKILL);
    CHECK(run_until(loop, [&] { return ended; }));
}
