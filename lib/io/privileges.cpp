#include "natkit/io/privileges.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

namespace natkit::io {

namespace {

/// Some of what is there to standard error; false at the end, or when nothing is there.
bool pass_on(int from) {
    char buffer[4096];
    const ssize_t count = ::read(from, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) return true;
    if (count <= 0) return false;
    const ssize_t written = ::write(STDERR_FILENO, buffer, static_cast<std::size_t>(count));
    static_cast<void>(written);  // nobody listens: nothing to be done about it
    return true;
}

/// Passes on what the child says until it is ready (true) or gone.
bool wait_for_child(int ready, int said) {
    pollfd waits[] = {{.fd = ready, .events = POLLIN, .revents = 0}, {.fd = said, .events = POLLIN, .revents = 0}};
    for (;;) {
        if (::poll(waits, 2, -1) < 0) continue;  // EINTR
        if (waits[1].revents != 0 && !pass_on(said)) waits[1].fd = -1;
        if (waits[0].revents == 0) continue;
        char byte = 0;
        const ssize_t count = ::read(ready, &byte, 1);
        if (count < 0 && errno == EINTR) continue;
        ::fcntl(said, F_SETFL, O_NONBLOCK);  // the child's children may hold the other end
        while (waits[1].fd >= 0 && pass_on(said)) {
        }
        return count == 1;
    }
}

/// The folder and root's own files in it. The user may have written there before: neither the folder nor a file is
/// taken by a link, nor a file that has another name elsewhere.
Result<void> give_folder(const std::string& path, uid_t uid, gid_t gid) {
    const int opened = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (opened < 0) return errno == ENOENT ? Result<void>() : fail_errno(path, errno);
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::fdopendir(opened), &::closedir);
    if (!folder) {
        const int error = errno;
        ::close(opened);
        return fail_errno(path, error);
    }
    if (::fchown(opened, uid, gid) != 0) return fail_errno("chown " + path, errno);
    while (const dirent* entry = ::readdir(folder.get())) {  // NOLINT(concurrency-mt-unsafe): a stream of our own
        struct stat file{};
        if (::fstatat(opened, entry->d_name, &file, AT_SYMLINK_NOFOLLOW) != 0) continue;  // gone by now
        if (!S_ISREG(file.st_mode) || file.st_uid != 0 || file.st_nlink != 1) continue;
        if (::fchownat(opened, entry->d_name, uid, gid, AT_SYMLINK_NOFOLLOW) != 0 && errno != ENOENT)
            return fail_errno("chown " + path + "/" + entry->d_name, errno);
    }
    return {};
}

}  // namespace

std::string user_name(unsigned uid) {
    const passwd* entry = ::getpwuid(uid);
    return entry == nullptr ? "user " + std::to_string(uid) : entry->pw_name;
}

bool user_exists(const std::string& user) {
    return ::getpwnam(user.c_str()) != nullptr;
}

Result<void> check_private_folder(const std::string& path, const std::string& user) {
    struct stat folder{};
    if (::lstat(path.c_str(), &folder) != 0) return fail_errno(path, errno);
    const auto refused = [&](const std::string& why) {
        return fail(Errc::refused,
                    path + " " + why + ": others could replace what is in it; remove it or name another");
    };
    if (!S_ISDIR(folder.st_mode)) return refused("is not a folder itself");
    const passwd* entry = user.empty() || ::geteuid() != 0 ? nullptr : ::getpwnam(user.c_str());
    const bool ours = folder.st_uid == ::geteuid() || (entry != nullptr && folder.st_uid == entry->pw_uid);
    if (!ours) return refused("belongs to " + user_name(folder.st_uid));
    if ((folder.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return refused("can be written to by group or others (chmod go-w)");
    return {};
}

Result<void> become(const std::string& user, std::span<const std::string> paths, const std::string& folder) {
    errno = 0;
    const passwd* entry = ::getpwnam(user.c_str());  // before there are threads
    if (entry == nullptr) return fail(Errc::bad_config, "no such user: '" + user + "'");
    const uid_t uid = entry->pw_uid;
    const gid_t gid = entry->pw_gid;
    if (::geteuid() == uid) return {};
    if (::geteuid() != 0) return fail(Errc::bad_config, "only root can become '" + user + "'");
    for (const std::string& path : paths) {
        if (::lchown(path.c_str(), uid, gid) != 0 && errno != ENOENT) return fail_errno("chown " + path, errno);
    }
    if (const auto given = give_folder(folder, uid, gid); !given) return given;
    if (::initgroups(user.c_str(), gid) != 0) return fail_errno("initgroups " + user, errno);
    if (::setresgid(gid, gid, gid) != 0) return fail_errno("setresgid " + user, errno);
    if (::setresuid(uid, uid, uid) != 0) return fail_errno("setresuid " + user, errno);
    return {};
}

Result<Detached> Detached::split() {
    int ends[2];
    int said[2];
    if (::pipe2(ends, O_CLOEXEC) != 0 || ::pipe2(said, O_CLOEXEC) != 0) return fail_errno("pipe", errno);
    const pid_t child = ::fork();
    if (child < 0) return fail_errno("fork", errno);
    if (child > 0) {
        ::close(ends[1]);
        ::close(said[1]);
        if (wait_for_child(ends[0], said[0])) std::_Exit(0);
        int status = 0;
        ::waitpid(child, &status, 0);
        std::_Exit(WIFEXITED(status) ? WEXITSTATUS(status) : 70);
    }
    ::close(ends[0]);
    // Programs that the child starts keep these: the standard error of whoever waits for its end must not be among
    // them.
    ::dup2(said[1], STDOUT_FILENO);
    ::dup2(said[1], STDERR_FILENO);
    ::close(said[0]);
    ::close(said[1]);
    ::setsid();
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        ::dup2(null, STDIN_FILENO);
        ::close(null);
    }
    return Detached(ends[1]);
}

void Detached::ready() {
    if (pipe_ < 0) return;
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        ::dup2(null, STDOUT_FILENO);
        ::dup2(null, STDERR_FILENO);
        ::close(null);
    }
    const char byte = 1;
    const ssize_t written = ::write(pipe_, &byte, 1);
    static_cast<void>(written);  // a parent that is gone waits for nothing
    ::close(pipe_);
    pipe_ = -1;
}

}  // namespace natkit::io
