// What the library is where clang or libbpf was missing when it was built.

#include "natkit/bpf/flow_table.hpp"
#include "natkit/bpf/support.hpp"

namespace natkit::bpf {

bool built_with_bpf() noexcept {
    return false;
}

Result<void> may_load() {
    return fail(Errc::not_found, "built without BPF");
}

}  // namespace natkit::bpf
