#include "natkit/store/secret.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "natkit/base/text.hpp"

namespace natkit::store {
namespace {

Result<Secret> read_secret(int file, const std::string& path) {
    struct stat status{};
    if (::fstat(file, &status) != 0) return fail_errno("secret " + path, errno);
    if (!S_ISREG(status.st_mode) || (status.st_uid != ::geteuid() && ::geteuid() != 0)) {
        return fail(Errc::refused, "the key is not a file of this user; remove it to have a new one made", path);
    }
    if ((status.st_mode & 077) != 0) {
        return fail(Errc::refused, "the key is readable for others; remove the file or set its mode to 0600", path);
    }
    Secret secret{};
    if (status.st_size != static_cast<off_t>(secret.size()) ||
        ::read(file, secret.data(), secret.size()) != static_cast<ssize_t>(secret.size())) {
        return fail(Errc::bad_input, "not a key of 32 bytes; remove the file to have a new one made", path);
    }
    return secret;
}

}  // namespace

Result<Secret> load_or_make_secret(const std::string& path,
                                   const std::function<void(std::span<std::uint8_t>)>& random) {
    if (const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); file >= 0) {
        auto secret = read_secret(file, path);
        ::close(file);
        return secret;
    }
    if (errno != ENOENT) return fail_errno("secret " + path, errno);
    Secret secret{};
    random(secret);
    // Written beside and renamed, so that no half a key is ever read.
    const std::string temporary = path + ".new";
    ::unlink(temporary.c_str());  // of one that died over it
    const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0) return fail_errno("secret " + temporary, errno);
    const bool written =
        ::write(file, secret.data(), secret.size()) == static_cast<ssize_t>(secret.size()) && ::fsync(file) == 0;
    const int error = errno;
    ::close(file);
    if (!written) return fail_errno("secret " + temporary, error);
    if (std::rename(temporary.c_str(), path.c_str()) != 0) return fail_errno("secret " + path, errno);
    return secret;
}

std::optional<WallTime> used_since(const std::string& path, WallTime now) {
    const auto at = [](std::int64_t seconds) {
        return seconds > 0 ? std::optional(WallTime(std::chrono::seconds(seconds))) : std::nullopt;
    };
    const std::string mark = path + since_suffix;
    std::array<char, 24> text{};
    if (const int file = ::open(mark.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW); file >= 0) {
        const auto size = ::read(file, text.data(), text.size() - 1);
        ::close(file);
        const auto seconds = text::parse_number(
            text::trim(std::string_view(text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)))),
            0xffffffff);
        if (seconds) return at(static_cast<std::int64_t>(*seconds));
    }
    const bool used_before = ::access(path.c_str(), F_OK) == 0;
    const std::int64_t seconds =
        used_before ? std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count() : 0;
    // What cannot be written is found out anew at the next start: old tokens hold for longer then, and no call is lost.
    ::unlink(mark.c_str());
    if (const int file = ::open(mark.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600); file >= 0) {
        const std::string line = std::to_string(seconds) + "\n";
        if (::write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::unlink(mark.c_str());
        ::close(file);
    }
    return at(seconds);
}

}  // namespace natkit::store
