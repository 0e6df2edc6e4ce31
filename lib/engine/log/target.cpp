#include "target.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace natkit::log {
namespace {

/// A link that somebody else made in a folder that is open to him names what he likes: only root's and our own are
/// followed (as Linux does with fs.protected_symlinks, where that is on).
bool may_follow(const std::string& path) {
    struct stat link{};
    return ::lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode) &&
           (link.st_uid == 0 || link.st_uid == ::geteuid());
}

/// A file that another user put where all may put files, to read what is logged.
bool is_planted(int fd, const std::string& path) {
    struct stat file{};
    struct stat folder{};
    const std::string in = path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
    return ::fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && file.st_uid != 0 && file.st_uid != ::geteuid() &&
           ::stat(in.c_str(), &folder) == 0 && (folder.st_mode & S_IWOTH) != 0;
}

}  // namespace

Result<int> open_target(const std::string& target) {
    if (target == "stderr" || target == "journal") return STDERR_FILENO;
    constexpr int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    // One that is there, or one that is made now, here: never one that a link in its place has made elsewhere.
    int fd = ::open(target.c_str(), flags | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) fd = ::open(target.c_str(), flags | O_NOFOLLOW | O_CREAT | O_EXCL, 0640);
    if (fd < 0 && errno == ELOOP && may_follow(target)) fd = ::open(target.c_str(), flags | O_CREAT, 0640);
    if (fd < 0) return fail_errno("log " + target, errno);
    if (is_planted(fd, target)) {
        ::close(fd);
        return fail(Errc::refused,
                    "log " + target + ": belongs to another user, in a folder open to all; name another");
    }
    ::fcntl(fd, F_SETFL, O_APPEND);
    return fd;
}

bool write_all(int fd, std::string_view line) {
    while (!line.empty()) {
        const ssize_t written = ::write(fd, line.data(), line.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        line.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

}  // namespace natkit::log
