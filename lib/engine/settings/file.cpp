#include "file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "natkit/io/fd.hpp"
#include "natkit/io/privileges.hpp"

namespace natkit::settings {
namespace {

constexpr std::size_t largest = std::size_t{4} << 20;

/// Where the bytes are.
std::string followed(const std::string& path) {
    std::error_code error;
    const auto real = std::filesystem::canonical(path, error);
    return error ? path : real.string();
}

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> write_all(int fd, const std::string& path, const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
        const ssize_t count = ::write(fd, text.data() + at, text.size() - at);
        if (count < 0 && errno != EINTR) return fail_errno(path, errno);
        if (count > 0) at += static_cast<std::size_t>(count);
    }
    if (::fsync(fd) != 0) return fail_errno(path, errno);
    return {};
}

/// A new file with the owner and the mode of the old one.
Result<void> write_beside(const std::string& path, const std::string& fresh, const std::string& text) {
    const io::Fd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return fail_errno(fresh, errno);
    struct stat old{};
    struct stat now{};
    if (::stat(path.c_str(), &old) == 0) {
        if (::fstat(file.get(), &now) != 0) return fail_errno(fresh, errno);
        const bool other = now.st_uid != old.st_uid || now.st_gid != old.st_gid;
        if (other && ::fchown(file.get(), old.st_uid, old.st_gid) != 0) {
            return fail_errno(path + ": its owner and group cannot be kept", errno);
        }
        if (::fchmod(file.get(), old.st_mode & 07777) != 0) return fail_errno(fresh, errno);
    }
    return write_all(file.get(), fresh, text);
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
    const io::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return fail_errno(path, errno);
    std::string text;
    std::string piece(65'536, '\0');
    while (true) {
        const ssize_t count = ::read(file.get(), piece.data(), piece.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail_errno(path, errno);
        if (count == 0) return text;
        text.append(piece, 0, static_cast<std::size_t>(count));
        if (text.size() > largest)
            return fail(Errc::bad_config, "longer than 4 MiB; this is hardly a configuration", path);
    }
}

std::string why_not_replaceable(const std::string& path) {
    const std::string file = followed(path);
    const std::string folder = folder_of(file);
    if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
        return to_string(fail_errno("natkit may not write in the folder " + folder, errno).error());
    }
    struct stat state{};
    if (::stat(file.c_str(), &state) != 0) return to_string(fail_errno(file, errno).error());
    if (::geteuid() != 0 && state.st_uid != ::geteuid()) {
        const std::string me = io::user_name(::geteuid());
        return file + " belongs to " + io::user_name(state.st_uid) + ", and what " + me +
               " puts in its place would not; chown it to " + me;
    }
    return {};
}

Result<void> replace_file(const std::string& path, const std::string& text) {
    const std::string file = followed(path);
    const std::string fresh = file + ".new-" + std::to_string(::getpid());
    ::unlink(fresh.c_str());  // of one that died over it
    auto done = write_beside(file, fresh, text);
    if (done && ::rename(fresh.c_str(), file.c_str()) != 0) done = fail_errno(file, errno);
    if (!done) {
        ::unlink(fresh.c_str());
        return done;
    }
    const io::Fd folder(::open(folder_of(file).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder) static_cast<void>(::fsync(folder.get()));
    return {};
}

}  // namespace natkit::settings
