#include "natkit/io/host_setup.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <sstream>

#include "natkit/base/text.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/relay/nic.hpp"
#include "natkit/relay/reservation.hpp"

namespace natkit::io {
namespace {

constexpr const char* reserved_ports = "/proc/sys/net/ipv4/ip_local_reserved_ports";
constexpr const char* port_range = "/proc/sys/net/ipv4/ip_local_port_range";

/// Ports that others need, for connections and questions of their own.
constexpr unsigned fewest_left = 1024;

/// linux/magic.h: BPF_FS_MAGIC
constexpr auto bpf_filesystem = 0xcafe4a11L;

Result<std::string> read_setting(const char* path) {
    const Fd file(::open(path, O_RDONLY | O_CLOEXEC));
    if (!file) return fail_errno(path, errno);
    std::string text;
    std::array<char, 4096> part;
    for (;;) {
        const ssize_t got = ::read(file.get(), part.data(), part.size());
        if (got < 0) return fail_errno(path, errno);
        if (got == 0) return text;
        text.append(part.data(), static_cast<std::size_t>(got));
    }
}

/// What the system gives to programs that name no port; where it cannot be told, what Linux begins with.
relay::PortRange given_ports() {
    relay::PortRange given{.first = 32768, .last = 60999};
    std::istringstream(read_setting(port_range).value_or("")) >> given.first >> given.last;
    return given;
}

/// In one piece: each write() replaces the whole.
Result<void> write_setting(const char* path, const std::string& text) {
    const Fd file(::open(path, O_WRONLY | O_CLOEXEC));
    if (!file) return fail_errno(path, errno);
    if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        return fail_errno(path, errno);
    return {};
}

/// The numbers of a device's interrupts, or those of what it is plugged into (virtio).
std::vector<unsigned> interrupts_of(const std::filesystem::path& device) {
    std::vector<unsigned> numbers;
    std::error_code error;
    for (const auto& folder : {device / "msi_irqs", device / ".." / "msi_irqs"}) {
        for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
             entry.increment(error)) {
            if (const auto number = text::parse_number(entry->path().filename().string(), 1U << 30))
                numbers.push_back(static_cast<unsigned>(*number));
        }
        if (!numbers.empty()) break;
    }
    return numbers;
}

relay::Nic read_nic(const std::filesystem::path& interface) {
    relay::Nic nic{.name = interface.filename().string()};
    std::error_code error;
    for (std::filesystem::directory_iterator queue(interface / "queues", error), end; !error && queue != end;
         queue.increment(error)) {
        if (!queue->path().filename().string().starts_with("rx-")) continue;
        ++nic.receive_queues;
        const auto cpus = read_setting((queue->path() / "rps_cpus").c_str()).value_or("");
        nic.spread = nic.spread || cpus.find_first_not_of("0,\n") != std::string::npos;
    }
    nic.interrupts = interrupts_of(std::filesystem::canonical(interface / "device", error));
    return nic;
}

}  // namespace

Result<void> reserve_ports(relay::PortRange ports) {
    const auto now = read_setting(reserved_ports);
    if (!now) return std::unexpected(now.error());
    if (relay::holds_range(*now, ports)) return {};
    const auto given = given_ports();
    const unsigned shared_first = std::max<unsigned>(given.first, ports.first);
    const unsigned shared_last = std::min<unsigned>(given.last, ports.last);
    const unsigned shared = shared_first <= shared_last ? shared_last - shared_first + 1 : 0;
    // A host without ports to give can ask no name server and connect to nobody.
    if (shared > 0 && given.last - given.first + 1U < shared + fewest_left) {
        return fail(Errc::refused, std::string(reserved_ports) + ": media ports leave fewer than " +
                                       std::to_string(fewest_left) + " of ip_local_port_range to others");
    }
    return write_setting(reserved_ports, relay::with_range(*now, ports));
}

bool ports_given_to_others(relay::PortRange ports) {
    const auto reserved = read_setting(reserved_ports);
    if (!reserved || relay::holds_range(*reserved, ports)) return false;
    const relay::PortRange given = given_ports();
    return given.first <= ports.last && ports.first <= given.last;
}

Result<void> make_pin_folder(const std::string& folder, const std::string& user) {
    const std::string above = std::filesystem::path(folder).parent_path();
    struct statfs about{};
    if (::statfs(above.c_str(), &about) != 0) return fail_errno(above, errno);
    if (static_cast<long>(about.f_type) != bpf_filesystem &&
        ::mount("bpf", above.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0711") != 0) {
        return fail_errno("mount a bpffs at " + above, errno);
    }
    // systemd mounts it for root alone; what lies in it has rights of its own.
    struct stat mounted{};
    if (::stat(above.c_str(), &mounted) != 0) return fail_errno(above, errno);
    if ((mounted.st_mode & S_IXOTH) == 0 && ::chmod(above.c_str(), (mounted.st_mode & 07777U) | S_IXOTH) != 0)
        return fail_errno("let others through " + above, errno);
    const passwd* entry = ::getpwnam(user.c_str());
    if (entry == nullptr) return fail(Errc::bad_config, "no such user: '" + user + "'");
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("make " + folder, errno);
    if (::lchown(folder.c_str(), entry->pw_uid, entry->pw_gid) != 0) return fail_errno("chown " + folder, errno);
    return {};
}

std::vector<std::string> receive_bottlenecks(const std::filesystem::path& interfaces,
                                             const std::filesystem::path& interrupts) {
    std::vector<std::string> result;
    const std::string counted = read_setting(interrupts.c_str()).value_or("");
    std::error_code error;
    for (std::filesystem::directory_iterator entry(interfaces, error), end; !error && entry != end;
         entry.increment(error)) {
        std::error_code none;
        const bool card = std::filesystem::exists(entry->path() / "device", none);
        if (!card || read_setting((entry->path() / "operstate").c_str()).value_or("") != "up\n") continue;
        if (auto told = relay::receive_bottleneck(read_nic(entry->path()), counted)) result.push_back(std::move(*told));
    }
    return result;
}

}  // namespace natkit::io
