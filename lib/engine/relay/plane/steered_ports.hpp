#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "natkit/base/time.hpp"
#include "natkit/bpf/steering.hpp"
#include "natkit/io/net/shared_udp.hpp"
#include "natkit/relay/ports.hpp"

namespace natkit::relay {

/// The steered receive of all workers: which of them has which media port, and packets that came when it had nobody
/// yet. Claimed by the control thread; the workers hand ports to themselves and release them.
class SteeredPorts {
  public:
    /// Attached, and proven by a packet to itself. The error says what is in the way.
    [[nodiscard]] static Result<std::unique_ptr<SteeredPorts>> start(PortRange range, unsigned workers);

    [[nodiscard]] PortRange range() const noexcept { return range_; }
    /// Whether ports of that family can be steered: not where the host does not have it.
    [[nodiscard]] bool serves(Family family) const noexcept { return served_[family == Family::ipv4 ? 0 : 1]; }
    /// What comes is dropped, as no leg of ours is to hear it (io::set_deaf()), until it is set again.
    void set_deaf(bool deaf) noexcept;
    /// The sockets of a worker, once.
    [[nodiscard]] io::SharedUdp::Sockets take_sockets(unsigned worker) { return std::move(sockets_[worker]); }

    [[nodiscard]] Result<void> claim(const Endpoint& local);
    void hand_to(const Endpoint& local, unsigned worker) noexcept { steering_->hand_to(local, worker); }
    void release(const Endpoint& local) noexcept;
    /// How many ports are claimed now.
    [[nodiscard]] std::size_t claimed() const noexcept { return claimed_; }

    /// `on_stray` is called on other workers' threads, from now until it is set to none, when keep() has kept a packet.
    void listen(unsigned worker, std::function<void()> on_stray);
    /// A packet to a port that this worker has not attached, nor perhaps any yet: it waits for that, as it would in a
    /// socket. Of many the last 256 are kept, none longer than a second; larger ones than any of RTP's are not.
    void keep(unsigned worker, const io::Datagram& packet);
    /// Takes those that `wanted` says are its own.
    struct Stray {
        Endpoint source;
        Endpoint destination;
        std::uint32_t interface_index = 0;
        Instant came{};
        std::vector<std::uint8_t> bytes;
    };
    [[nodiscard]] std::vector<Stray> take(const std::function<bool(const Endpoint& destination)>& wanted, Instant now);

  private:
    SteeredPorts(PortRange range, std::unique_ptr<bpf::Steering> steering)
        : range_(range), steering_(std::move(steering)) {}
    [[nodiscard]] Result<void> prove(Family family);

    PortRange range_;
    std::unique_ptr<bpf::Steering> steering_;
    std::array<bool, 2> served_{};
    std::vector<io::SharedUdp::Sockets> sockets_;  ///< by worker
    std::vector<int> receiving_;                   ///< those that receive, whoever has them
    std::atomic<std::size_t> claimed_ = 0;
    std::mutex mutex_;                             ///< of what follows
    std::vector<std::function<void()>> on_stray_;  ///< by worker
    std::vector<Stray> strays_;                    ///< oldest first
};

}  // namespace natkit::relay
