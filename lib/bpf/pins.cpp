#include "pins.hpp"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace natkit::bpf {

namespace {

constexpr auto bpf_filesystem = 0xcafe4a11L;  // linux/magic.h: BPF_FS_MAGIC

bool on_bpffs(const std::string& path) {
    struct statfs about{};
    return statfs(path.c_str(), &about) == 0 && static_cast<long>(about.f_type) == bpf_filesystem;
}

Result<void> make_folder(const std::string& path) {
    if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
    return fail_errno("make " + path, errno);
}

}  // namespace

OwnFd::OwnFd(OwnFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

OwnFd& OwnFd::operator=(OwnFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

OwnFd::~OwnFd() {
    if (fd_ >= 0) close(fd_);
}

Result<OwnFd> take_pins(const std::string& folder, const char* version) {
    const std::string above = std::filesystem::path(folder).parent_path();
    if (!on_bpffs(folder) && !on_bpffs(above)) return fail(Errc::not_found, "no bpffs is mounted at " + above);
    for (const std::string& path : {folder, folder + "/" + version}) {
        if (const auto made = make_folder(path); !made) return std::unexpected(made.error());
    }
    OwnFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0) return fail_errno("open " + folder, errno);
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return fail(Errc::refused, folder + " is in use by another process");
    return fd;
}

unsigned pinned_capacity(const std::string& path) {
    const OwnFd fd(bpf_obj_get(path.c_str()));
    bpf_map_info info{};
    std::uint32_t size = sizeof info;
    return fd.get() >= 0 && bpf_obj_get_info_by_fd(fd.get(), &info, &size) == 0 ? info.max_entries : 0;
}

Result<void> pins_are_free(const std::string& folder) {
    const OwnFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() >= 0 && flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        return fail(Errc::refused, folder + " is in use by another process");
    }
    return {};
}

Result<void> remove_pins(const std::string& folder) {
    if (!on_bpffs(folder)) return {};
    std::error_code error;
    for (const auto& each : std::filesystem::directory_iterator(folder, error)) {
        std::error_code kept;
        std::filesystem::remove_all(each.path(), kept);
        if (kept) error = kept;
    }
    if (error) return fail_errno("remove " + folder, error.value());
    (void)::rmdir(folder.c_str());  // root may have made it
    return {};
}

}  // namespace natkit::bpf
