#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "natkit/io/fd.hpp"
#include "natkit/io/loop.hpp"

namespace natkit::io {

/// The folder that this program lies in; empty where /proc cannot be read.
[[nodiscard]] std::string own_folder();

/// The kernel's boot id, which changes with each start of the host; empty when there is none.
[[nodiscard]] std::string boot_id();

/// Another process, held by a pidfd: its number cannot come to mean some other process meanwhile. A process that this
/// one started is reaped; one that was adopted belongs to somebody else (init), and its exit status stays unknown.
class Process {
  public:
    struct Exit {
        bool known = false;  ///< false for adopted processes that are no children of this one
        int status = 0;      ///< exit status, when it ended by itself
        int signal = 0;      ///< the signal that ended it, else 0
    };
    using OnExit = std::function<void(Exit)>;

    /// Starts `argv[0]` (a path) in a session of its own: it gets no signal of this program's terminal and lives on
    /// when this program ends. Standard input is /dev/null, standard output goes to standard error; all else closes,
    /// signal handling is the default. Errors: the program cannot be executed, no process left.
    [[nodiscard]] static Result<std::unique_ptr<Process>> spawn(Loop& loop, const std::vector<std::string>& argv,
                                                                OnExit on_exit);

    /// Holds a process that somebody else started. Errc::not_found when there is none.
    [[nodiscard]] static Result<std::unique_ptr<Process>> adopt(Loop& loop, pid_t pid, OnExit on_exit);

    /// Lets go of the process; it lives on.
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] bool running() const noexcept { return poll_ != nullptr; }
    /// Sends a signal; nothing happens when it has ended.
    void kill(int signal) const;

  private:
    Process() = default;
    [[nodiscard]] static Result<std::unique_ptr<Process>> hold(Loop& loop, pid_t pid, OnExit on_exit);
    void ended();

    pid_t pid_ = 0;
    Fd pidfd_;
    OnExit on_exit_;
    std::unique_ptr<Poll> poll_;
};

/// "exited with status 2", "was killed by signal 9 (killed)", "ended".
[[nodiscard]] std::string to_string(const Process::Exit& exit);

}  // namespace natkit::io
