#include "natkit/io/limited_run.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <optional>

#include "run_until.hpp"

using namespace natkit;
using namespace std::chrono_literals;

namespace {

std::optional<io::LimitedRun::Outcome> run(const std::vector<std::string>& argv, std::string_view input,
                                           const io::LimitedRun::Limits& limits = {}) {
    io::Loop loop;
    std::optional<io::LimitedRun::Outcome> result;
    const auto started = io::LimitedRun::start(loop, argv, input, limits,
                                               [&](io::LimitedRun::Outcome outcome) { result = std::move(outcome); });
    REQUIRE(started);
    run_until(loop, [&] { return result.has_value(); });
    return result;
}

std::optional<io::LimitedRun::Outcome> shell(const char* text, const io::LimitedRun::Limits& limits = {}) {
    return run({"/bin/sh", "-c", text}, "given", limits);
}

}  // namespace

TEST_CASE("io::LimitedRun: input, output, errors, status") {
    const auto outcome = shell("cat; echo bad >&2; exit 3");
    REQUIRE(outcome);
    CHECK(outcome->output == "given");
    CHECK(outcome->errors == "bad\n");
    CHECK(outcome->exit.status == 3);
    CHECK(!outcome->timed_out);
}

TEST_CASE("io::LimitedRun: it has no environment, no other descriptors, and is not root") {
    const auto outcome = shell("echo ${HOME-none} $(id -u); ls /proc/self/fd | wc -l");
    REQUIRE(outcome);
    CHECK(outcome->output.starts_with("none "));
    CHECK(outcome->output.find(" 0\n") == std::string::npos);
    CHECK(outcome->output.ends_with("\n4\n"));  // and that of the folder itself
}

TEST_CASE("io::LimitedRun: bounds of time, output and memory") {
    CHECK(shell("exec tail -f /dev/null", {.time = 1s})->timed_out);
    const auto large = shell("exec head -c 3000000 /dev/zero", {.output = 1 << 20});
    CHECK(large->output.size() <= 1 << 20);
    CHECK((large->exit.signal == SIGXFSZ || large->exit.status != 0));
    CHECK(shell("exec head -c 1 /dev/zero", {.memory = 1 << 10})->output.empty());
}

TEST_CASE("io::LimitedRun: what cannot be started") {
    io::Loop loop;
    CHECK(!io::LimitedRun::start(loop, {"/no/such/program"}, "", {}, [](const io::LimitedRun::Outcome&) {}));
    CHECK(run({"/etc/passwd"}, "")->exit.status == 70);
}
