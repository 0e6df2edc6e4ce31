// What the library is where clang or libbpf was missing when it was built.

#include "natkit/bpf/flow_table.hpp"
#include "natkit/bpf/steering.hpp"
#include "natkit/bpf/support.hpp"

namespace natkit::bpf {

bool built_with_bpf() noexcept {
    return false;
}

Result<void> may_load() {
    return fail(Errc::not_found, "built without BPF");
}

struct Steering::Impl {};

Steering::~Steering() = default;

Result<std::unique_ptr<Steering>> Steering::attach(unsigned) {
    return fail(Errc::not_found, "built without BPF");
}

Result<void> Steering::add_worker(unsigned, Family, int) {
    return {};
}

Result<void> Steering::claim(const Endpoint&, unsigned) {
    return {};
}

void Steering::hand_to(const Endpoint&, unsigned) noexcept {}

void Steering::release(const Endpoint&) noexcept {}

}  // namespace natkit::bpf
