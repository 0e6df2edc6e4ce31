#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "natkit/base/endpoint.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/loop.hpp"
#include "natkit/io/net/udp.hpp"

namespace natkit::io {

/// UDP of many local ports over four sockets. Something else (BPF sk_lookup) sees to it that the packets of the ports
/// come to the two that receive; what is sent leaves by raw sockets from whatever port it is to come from, through the
/// same output hooks and queues of the system as anything else. Both in batches, across ports.
class SharedUdp {
  public:
    /// By family: IPv4, IPv6. Of a family that the host does not have, none.
    struct Sockets {
        std::array<Fd, 2> receiving;
        std::array<Fd, 2> raw;
    };
    /// Errors: refused (no CAP_NET_RAW),
    /// exhausted (descriptors), system.
    [[nodiscard]] static Result<Sockets> open();

    /// A packet to be sent, or that could not be.
    struct Departure {
        Endpoint from;
        Endpoint to;
        std::uint8_t tos = 0;
        std::span<const std::uint8_t> bytes;
        bool headroom =
            false;  ///< `bytes` are those of a datagram that on_datagram was given; what lies before is ours
        std::array<void*, 2> context{};  ///< the caller's
    };
    struct Callbacks {
        /// With destination and its port. What it sends may refer to the datagram's bytes.
        std::function<void(const Datagram&)> on_datagram;
        /// Comes before the batch ends in which send() was called.
        std::function<void(const Departure&, int error)> on_unsent;
        /// An ICMP message says that nobody hears there.
        std::function<void(const Endpoint& remote)> on_refused;
    };

    SharedUdp(Loop& loop, Sockets sockets, Callbacks callbacks);
    ~SharedUdp();
    SharedUdp(const SharedUdp&) = delete;
    SharedUdp& operator=(const SharedUdp&) = delete;

    [[nodiscard]] int receiving(Family family) const noexcept;

    /// Queues it until the batch ends or flush(); `bytes` must stay until then. Beyond what the way there takes in one
    /// piece it is sent in fragments.
    void send(const Departure& departure);
    void flush();
    /// Reads what waits in the sockets now.
    void drain();
    /// Gives the sockets away, for another loop; this object is of no further use.
    [[nodiscard]] Sockets release();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace natkit::io
