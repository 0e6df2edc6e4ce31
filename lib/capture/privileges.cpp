#include "natkit/capture/privileges.hpp"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include "natkit/base/text.hpp"

namespace natkit::capture {
namespace {

constexpr std::uint64_t highest_id = 0xffff'fffe;  // all bits set stand for "no change"

struct User {
    uid_t id = 0;
    gid_t group = 0;
    std::string name;
};

std::optional<std::uint64_t> number_from(const char* variable) {
    const char* value = std::getenv(variable);
    const auto number = value == nullptr ? std::nullopt : text::parse_number(value, highest_id - 1);
    return number && *number != 0 ? number : std::nullopt;
}

std::optional<User> less_than_root() {
    const auto id = number_from("SUDO_UID");
    const auto group = number_from("SUDO_GID");
    if (id && group) {
        const passwd* known = ::getpwuid(static_cast<uid_t>(*id));
        return User{.id = static_cast<uid_t>(*id),
                    .group = static_cast<gid_t>(*group),
                    .name = known == nullptr ? std::to_string(*id) : known->pw_name};
    }
    const passwd* nobody = ::getpwnam("nobody");
    if (nobody == nullptr || nobody->pw_uid == 0) return std::nullopt;
    return User{.id = nobody->pw_uid, .group = nobody->pw_gid, .name = "nobody"};
}

bool drop_capabilities() {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, 2> none{};
    return ::syscall(SYS_capset, &header, none.data()) == 0;
}

}  // namespace

Result<std::string> drop_privileges() {
    std::string name;
    if (::geteuid() == 0) {
        const auto user = less_than_root();
        if (!user) return fail(Errc::system, "no user 'nobody' to become");
        if (::setgroups(1, &user->group) != 0 || ::setresgid(user->group, user->group, user->group) != 0 ||
            ::setresuid(user->id, user->id, user->id) != 0)
            return fail_errno("to become " + user->name, errno);
        if (::setuid(0) == 0) return fail(Errc::system, "privileges came back");
        name = user->name;
    }
    if (!drop_capabilities()) return fail_errno("to give capabilities up", errno);
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return name;
}

}  // namespace natkit::capture
