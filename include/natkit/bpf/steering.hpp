#pragma once

#include <memory>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/error.hpp"

namespace natkit::bpf {

/// UDP ports of this network namespace whose packets come to a socket that is bound to none of them (BPF sk_lookup).
/// What is not claimed is heard by whoever is bound to it, as ever; what is claimed is not heard by others, but for
/// sockets that are connected to where a packet comes from. Ends with the object: then the ports are closed.
class Steering {
  public:
    /// `most_ports` may be claimed at once. Errors: refused (no CAP_BPF or CAP_NET_ADMIN), not_found (built without
    /// BPF), system.
    [[nodiscard]] static Result<std::unique_ptr<Steering>> attach(unsigned most_ports);
    ~Steering();
    Steering(const Steering&) = delete;
    Steering& operator=(const Steering&) = delete;

    static constexpr unsigned most_workers = 64;
    /// The bound UDP socket of a worker (a number below most_workers) for a family.
    [[nodiscard]] Result<void> add_worker(unsigned worker, Family family, int socket);

    // The following may be called from any thread.

    /// From now on the port is that worker's. Errc::refused when it is claimed already, exhausted without memory.
    [[nodiscard]] Result<void> claim(const Endpoint& local, unsigned worker);
    /// A claimed port becomes another worker's, without a moment in which it is nobody's.
    void hand_to(const Endpoint& local, unsigned worker) noexcept;
    void release(const Endpoint& local) noexcept;

  private:
    struct Impl;
    explicit Steering(std::unique_ptr<Impl> impl) noexcept;
    std::unique_ptr<Impl> impl_;
};

}  // namespace natkit::bpf
