#include "natkit/bpf/support.hpp"

#include <bpf/bpf.h>

#include <array>

#include "object.hpp"

namespace natkit::bpf {

bool built_with_bpf() noexcept {
    return true;
}

Result<void> may_load() {
    auto object = Object::open(probe_object, "probe");
    if (!object) return std::unexpected(object.error());
    if (const auto loaded = object->load(); !loaded) return loaded;
    const auto program = object->program_fd("probe");
    if (!program) return std::unexpected(program.error());
    std::array<unsigned char, 64> packet{};
    bpf_test_run_opts options{};
    options.sz = sizeof options;
    options.data_in = packet.data();
    options.data_size_in = packet.size();
    const int status = bpf_prog_test_run_opts(*program, &options);
    if (status != 0) return fail_bpf("probe: run", status);
    return {};
}

}  // namespace natkit::bpf
