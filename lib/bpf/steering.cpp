#include "natkit/bpf/steering.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "object.hpp"
#include "steering_shared.h"

namespace natkit::bpf {

static_assert(Steering::most_workers == STEERING_WORKERS);

namespace {

steered_port key_of(const Endpoint& local) noexcept {
    steered_port key{};
    const auto bytes = local.address.bytes();
    std::memcpy(key.address, bytes.data(), bytes.size());
    key.port = local.port;
    key.family = local.address.is_v4() ? STEERING_IPV4 : STEERING_IPV6;
    return key;
}

struct CloseLink {
    void operator()(bpf_link* link) const noexcept { bpf_link__destroy(link); }
};

}  // namespace

struct Steering::Impl {
    Object object;
    std::unique_ptr<bpf_link, CloseLink> link;  ///< goes before the object
    int ports = -1;
    int sockets = -1;
};

Steering::Steering(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

Steering::~Steering() = default;

Result<std::unique_ptr<Steering>> Steering::attach(unsigned most_ports) {
    auto object = Object::open(steering_object, "steering");
    if (!object) return std::unexpected(object.error());
    if (auto sized = object->set_capacity("ports", most_ports); !sized) return std::unexpected(sized.error());
    if (auto loaded = object->load(); !loaded) return std::unexpected(loaded.error());
    const auto ports = object->map_fd("ports");
    const auto sockets = object->map_fd("sockets");
    const auto program = object->find_program("steer");
    if (!ports) return std::unexpected(ports.error());
    if (!sockets) return std::unexpected(sockets.error());
    if (!program) return std::unexpected(program.error());
    const int here = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (here < 0) return fail_errno("/proc/self/ns/net", errno);
    bpf_link* link = bpf_program__attach_netns(*program, here);
    const int error = errno;
    ::close(here);
    if (link == nullptr) return fail_bpf("steering: attach", error);
    return std::unique_ptr<Steering>(new Steering(
        std::make_unique<Impl>(std::move(*object), std::unique_ptr<bpf_link, CloseLink>(link), *ports, *sockets)));
}

Result<void> Steering::add_worker(unsigned worker, Family family, int socket) {
    const std::uint32_t slot = 2 * worker + (family == Family::ipv4 ? 0 : 1);
    const auto value = static_cast<std::uint64_t>(socket);
    if (bpf_map_update_elem(impl_->sockets, &slot, &value, BPF_ANY) == 0) return {};
    return fail_bpf("steering: a socket of a worker", errno);
}

Result<void> Steering::claim(const Endpoint& local, unsigned worker) {
    const steered_port key = key_of(local);
    const std::uint32_t value = worker;
    if (bpf_map_update_elem(impl_->ports, &key, &value, BPF_NOEXIST) == 0) return {};
    const int error = errno;
    auto failure = fail_bpf("steering: udp " + to_string(local), error);
    failure.error().code = error == EEXIST ? Errc::refused : Errc::exhausted;
    return failure;
}

void Steering::hand_to(const Endpoint& local, unsigned worker) noexcept {
    const steered_port key = key_of(local);
    const std::uint32_t value = worker;
    (void)bpf_map_update_elem(impl_->ports, &key, &value, BPF_EXIST);
}

void Steering::release(const Endpoint& local) noexcept {
    const steered_port key = key_of(local);
    (void)bpf_map_delete_elem(impl_->ports, &key);
}

}  // namespace natkit::bpf
