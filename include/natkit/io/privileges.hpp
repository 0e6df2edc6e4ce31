#pragma once

#include <span>
#include <string>

#include "natkit/base/error.hpp"

namespace natkit::io {

[[nodiscard]] bool user_exists(const std::string& user);
/// "alice", or "user 1234" where that has no name.
[[nodiscard]] std::string user_name(unsigned uid);

/// Whether a folder for sockets and state is this process's alone: a real folder, its own (root's processes may use one
/// of `user` too, whom they become later), that group and others cannot write to. Else who put a file there could make
/// it whatever he likes. Refused with what to do about it.
[[nodiscard]] Result<void> check_private_folder(const std::string& path, const std::string& user = {});

/// Becomes another user for good, with its groups and without root's capabilities; `paths`, and `folder` with the files
/// in it, are given to it first (what exists of them; no link is followed). Nothing happens when the process is that
/// user already. Errors: no such user, not root.
[[nodiscard]] Result<void> become(const std::string& user, std::span<const std::string> paths,
                                  const std::string& folder);

/// Splits into a parent that waits and a child that goes on as a daemon: in a session of its own, standard input from
/// /dev/null. Call it before there are threads, loops or sockets.
class Detached {
  public:
    /// Returns in the child only. The parent ends with 0 once the child calls ready(), else with the child's status.
    [[nodiscard]] static Result<Detached> split();
    /// The parent may go; standard output and error become /dev/null.
    void ready();

  private:
    explicit Detached(int pipe) : pipe_(pipe) {}
    int pipe_;
};

}  // namespace natkit::io
