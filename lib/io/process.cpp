#include "natkit/io/process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "natkit/base/text.hpp"

extern char** environ;

namespace natkit::io {
namespace {

int pidfd_open(pid_t pid) {
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

/// What the child starts with, freed at the end.
struct SpawnSetup {
    posix_spawn_file_actions_t actions{};
    posix_spawnattr_t attributes{};

    SpawnSetup() {
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        ::posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
        ::posix_spawnattr_init(&attributes);
        sigset_t none;
        sigset_t all;
        ::sigemptyset(&none);
        ::sigfillset(&all);
        ::posix_spawnattr_setsigmask(&attributes, &none);
        ::posix_spawnattr_setsigdefault(&attributes, &all);
        ::posix_spawnattr_setflags(
            &attributes, static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID));
    }
    ~SpawnSetup() {
        ::posix_spawn_file_actions_destroy(&actions);
        ::posix_spawnattr_destroy(&attributes);
    }
    SpawnSetup(const SpawnSetup&) = delete;
    SpawnSetup& operator=(const SpawnSetup&) = delete;
};

}  // namespace

std::string own_folder() {
    std::error_code error;
    return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

std::string boot_id() {
    const Fd file(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
    std::array<char, 64> bytes{};
    const ssize_t got = file ? ::read(file.get(), bytes.data(), bytes.size()) : 0;
    return std::string(text::trim(std::string_view(bytes.data(), got > 0 ? static_cast<std::size_t>(got) : 0)));
}

Result<std::unique_ptr<Process>> Process::spawn(Loop& loop, const std::vector<std::string>& argv, OnExit on_exit) {
    std::vector<char*> arguments;
    arguments.reserve(argv.size() + 1);
    for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    const SpawnSetup setup;
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, arguments[0], &setup.actions, &setup.attributes, arguments.data(), environ);
    if (error != 0) return fail_errno("start " + argv.front(), error);
    auto process = hold(loop, pid, std::move(on_exit));
    if (!process) {
        // Without a pidfd nobody would notice its end: better none than one that is not watched.
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
    return process;
}

Result<std::unique_ptr<Process>> Process::adopt(Loop& loop, pid_t pid, OnExit on_exit) {
    return hold(loop, pid, std::move(on_exit));
}

Result<std::unique_ptr<Process>> Process::hold(Loop& loop, pid_t pid, OnExit on_exit) {
    Fd pidfd(pidfd_open(pid));
    if (!pidfd && errno == ESRCH) return fail(Errc::not_found, "no process " + std::to_string(pid));
    if (!pidfd) return fail_errno("pidfd of process " + std::to_string(pid), errno);
    std::unique_ptr<Process> process(new Process);
    process->pid_ = pid;
    process->pidfd_ = std::move(pidfd);
    process->on_exit_ = std::move(on_exit);
    process->poll_ =
        std::make_unique<Poll>(loop, process->pidfd_.get(), [self = process.get()](bool, bool) { self->ended(); });
    process->poll_->watch(true, false);
    return process;
}

Process::~Process() = default;

void Process::kill(int signal) const {
    if (running()) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0);
}

void Process::ended() {
    Exit exit;
    siginfo_t info{};
    // An adopted process may be a child all the same: of this process before it became another program.
    if (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG) == 0) {
        if (info.si_pid == 0) return;  // not yet to be reaped
        exit.known = true;
        (info.si_code == CLD_EXITED ? exit.status : exit.signal) = info.si_status;
    }
    poll_.reset();
    const OnExit on_exit = std::move(on_exit_);  // it may destroy this object
    if (on_exit) on_exit(exit);
}

std::string to_string(const Process::Exit& exit) {
    if (!exit.known) return "ended";
    if (exit.signal == 0) return "exited with status " + std::to_string(exit.status);
    return "was killed by signal " + std::to_string(exit.signal) + " (" + ::strsignal(exit.signal) + ")";
}

}  // namespace natkit::io
