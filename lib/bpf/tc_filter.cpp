#include "tc_filter.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "object.hpp"

namespace natkit::bpf {

namespace {

constexpr std::string_view filter_name = "natkit_flow";
/// After filters that an operator puts in front by a low number, before what has none (from 49152 down).
constexpr std::uint32_t preference = 4117;
constexpr std::uint32_t handle = 0x6e6b;

bpf_tc_hook ingress_of(unsigned interface) {
    bpf_tc_hook hook{};
    hook.sz = sizeof hook;
    hook.ifindex = static_cast<int>(interface);
    hook.attach_point = BPF_TC_INGRESS;
    return hook;
}

bpf_tc_opts place() {
    bpf_tc_opts options{};
    options.sz = sizeof options;
    options.handle = handle;
    options.priority = preference;
    return options;
}

std::string on(unsigned interface) {
    return " on interface " + std::to_string(interface);
}

/// Who may not ask for the name takes the place for a proof: nobody else comes upon this pair of numbers.
FilterOwner owner_of(std::uint32_t program) {
    const int fd = bpf_prog_get_fd_by_id(program);
    if (fd < 0) return FilterOwner::ours;
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    const bool another = bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && filter_name != info.name;
    close(fd);
    return another ? FilterOwner::another : FilterOwner::ours;
}

}  // namespace

Result<FilterOwner> filter_at(unsigned interface) {
    keep_libbpf_quiet();
    const bpf_tc_hook hook = ingress_of(interface);
    bpf_tc_opts options = place();
    const int status = bpf_tc_query(&hook, &options);
    // Without clsact the kernel says EINVAL.
    if (status == -ENOENT || status == -EINVAL) return FilterOwner::none;
    if (status != 0) return fail_bpf("filter" + on(interface), status);
    return owner_of(options.prog_id);
}

Result<void> attach_filter(unsigned interface, int program_fd) {
    keep_libbpf_quiet();
    bpf_tc_hook hook = ingress_of(interface);
    int status = bpf_tc_hook_create(&hook);
    if (status != 0 && status != -EEXIST) return fail_bpf("clsact" + on(interface), status);
    bpf_tc_opts options = place();
    options.prog_fd = program_fd;
    options.flags = BPF_TC_F_REPLACE;
    status = bpf_tc_attach(&hook, &options);
    if (status != 0) return fail_bpf("filter" + on(interface), status);
    return {};
}

Result<void> detach_filter(unsigned interface) {
    keep_libbpf_quiet();
    const bpf_tc_hook hook = ingress_of(interface);
    const bpf_tc_opts options = place();
    const int status = bpf_tc_detach(&hook, &options);
    if (status != 0 && status != -ENOENT && status != -EINVAL) return fail_bpf("filter" + on(interface), status);
    return {};
}

}  // namespace natkit::bpf
