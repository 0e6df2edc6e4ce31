#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <utility>
#include <vector>

#include "natkit/io/fd.hpp"
#include "natkit/io/net/shared_udp.hpp"
#include "sockaddr.hpp"
#include "udp_batch.hpp"

namespace natkit::io {

/// Sends UDP datagrams of one family through a raw socket, headers included, many at a call.
class RawUdp {
  public:
    using OnUnsent = std::function<void(const SharedUdp::Departure&, int error)>;

    /// Errno where there is none.
    [[nodiscard]] static Fd open(Family family) noexcept;
    RawUdp(Fd socket, Family family, const OnUnsent& on_unsent);

    void queue(const SharedUdp::Departure& departure);
    void flush();
    [[nodiscard]] Fd release() { return std::move(socket_); }

  private:
    static constexpr std::size_t most = 64;
    static constexpr std::size_t most_header = 48;  ///< IPv6 and UDP
    static_assert(most_header <= UdpBatch::headroom);

    struct Slot {
        SharedUdp::Departure departure;
        alignas(std::uint32_t) std::uint8_t header[most_header];
        iovec vectors[2];
        sockaddr_in6 to;
        alignas(cmsghdr) std::uint8_t control[CMSG_SPACE(sizeof(in6_pktinfo))];
    };
    void write_ipv4(const SharedUdp::Departure& departure, std::uint8_t* header) const noexcept;
    void write_ipv6(const SharedUdp::Departure& departure, std::uint8_t* header) const noexcept;
    void write_route(Slot& slot, msghdr& message) const noexcept;
    void failed(const Slot& slot, int error);

    Fd socket_;
    bool v4_;
    std::size_t ip_header_;
    std::uint8_t hops_;
    const OnUnsent& on_unsent_;
    std::vector<Slot> slots_;
    std::vector<mmsghdr> messages_;
    std::size_t count_ = 0;
};

}  // namespace natkit::io
