#include "natkit/io/limited_run.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

namespace natkit::io {
namespace {

constexpr unsigned nobody = 65534;

Result<Fd> memory(const char* name, std::string_view content) {
    Fd fd(::memfd_create(name, MFD_CLOEXEC));
    if (!fd) return fail_errno("memfd", errno);
    while (!content.empty()) {
        const ssize_t written = ::write(fd.get(), content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return fail_errno("memfd", errno);
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    ::lseek(fd.get(), 0, SEEK_SET);
    return fd;
}

std::string content_of(const Fd& fd) {
    std::string content;
    std::array<char, 64 * 1024> chunk;
    off_t at = 0;
    for (;;) {
        const ssize_t count = ::pread(fd.get(), chunk.data(), chunk.size(), at);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return content;
        content.append(chunk.data(), static_cast<std::size_t>(count));
        at += count;
    }
}

bool limit(__rlimit_resource_t what, std::size_t most) {
    const rlimit both{.rlim_cur = most, .rlim_max = most};
    return ::setrlimit(what, &both) == 0;
}

/// What the child starts with. Between fork() and exec only what is async-signal-safe may be called.
struct Start {
    int program = -1;
    std::array<int, 3> standard{};
    char** arguments = nullptr;
    LimitedRun::Limits limits;
};

[[noreturn]] void become_program(const Start& start) {
    for (int number = 0; number < 3; ++number) {
        if (::dup2(start.standard[static_cast<std::size_t>(number)], number) < 0) ::_exit(70);
    }
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    ::setsid();
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(start.limits.time).count();
    bool good = limit(RLIMIT_CPU, static_cast<std::size_t>(seconds)) && limit(RLIMIT_CORE, 0) &&
                limit(RLIMIT_FSIZE, start.limits.output) && limit(RLIMIT_NOFILE, 32);
    if (start.limits.memory != 0) good = good && limit(RLIMIT_AS, start.limits.memory);
    ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (::geteuid() == 0) {
        good = good && ::setgroups(0, nullptr) == 0 && ::setresgid(nobody, nobody, nobody) == 0 &&
               ::setresuid(nobody, nobody, nobody) == 0;
    }
    good = good && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    if (!good) ::_exit(70);
    char path[] = "PATH=/usr/bin:/bin";
    char locale[] = "LC_ALL=C.UTF-8";
    char no_config[] = "NATKIT_CONFIG=/dev/null";
    char* environment[] = {path, locale, no_config, nullptr};
    // By its descriptor: its folder need not be open to nobody.
    ::syscall(SYS_execveat, start.program, "", start.arguments, environment, AT_EMPTY_PATH);
    ::_exit(70);
}

}  // namespace

LimitedRun::LimitedRun(Loop& loop, OnDone on_done)
    : on_done_(std::move(on_done)), timer_(loop, [this] {
          timed_out_ = true;
          process_->kill(SIGKILL);
      }) {}

LimitedRun::~LimitedRun() {
    if (process_) process_->kill(SIGKILL);
}

Result<std::unique_ptr<LimitedRun>> LimitedRun::start(Loop& loop, const std::vector<std::string>& argv,
                                                      std::string_view input, const Limits& limits, OnDone on_done) {
    std::unique_ptr<LimitedRun> run(new LimitedRun(loop, std::move(on_done)));
    const Fd program(::open(argv.front().c_str(), O_RDONLY | O_CLOEXEC));
    if (!program) return fail_errno(argv.front(), errno);
    const auto given = memory("input", input);
    auto output = memory("output", {});
    auto errors = memory("errors", {});
    if (!given) return std::unexpected(given.error());
    if (!output) return std::unexpected(output.error());
    if (!errors) return std::unexpected(errors.error());
    std::vector<char*> arguments;
    arguments.reserve(argv.size() + 1);
    for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    const Start start{.program = program.get(),
                      .standard = {given->get(), output->get(), errors->get()},
                      .arguments = arguments.data(),
                      .limits = limits};
    const pid_t pid = ::fork();
    if (pid < 0) return fail_errno("fork", errno);
    if (pid == 0) become_program(start);
    auto process = Process::adopt(loop, pid, [self = run.get()](Process::Exit exit) { self->ended(exit); });
    if (!process) {
        ::kill(pid, SIGKILL);
        return std::unexpected(process.error());
    }
    run->output_ = std::move(*output);
    run->errors_ = std::move(*errors);
    run->process_ = std::move(*process);
    run->timer_.start_in(limits.time);
    return run;
}

void LimitedRun::ended(Process::Exit exit) {
    timer_.stop();
    const auto process = std::move(process_);  // it calls us
    const OnDone on_done = std::move(on_done_);
    on_done({.exit = exit, .timed_out = timed_out_, .output = content_of(output_), .errors = content_of(errors_)});
}

}  // namespace natkit::io
