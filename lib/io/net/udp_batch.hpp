#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <vector>

#include "natkit/io/net/udp.hpp"
#include "sockaddr.hpp"

namespace natkit::io {

/// Buffers of one thread, for one recvmmsg at a time. A batch is handled before the next one is read.
class UdpBatch {
  public:
    [[nodiscard]] static UdpBatch& of_thread();

    /// Reads once; an error that waits on the socket is thereby taken off it. How many datagrams came: they are there
    /// until release(), which must follow.
    [[nodiscard]] std::size_t receive(int fd) noexcept;
    [[nodiscard]] Datagram datagram(std::size_t i) noexcept;
    void release() noexcept;

  private:
    static constexpr std::size_t size = 16;
    static constexpr std::size_t max_datagram = 65536;

    UdpBatch();
    void prepare(std::size_t i) noexcept;

    std::vector<std::uint8_t> bytes_ = std::vector<std::uint8_t>(size * max_datagram);
    mmsghdr messages_[size]{};
    iovec vectors_[size]{};
    sockaddr_in6 sources_[size]{};
    alignas(cmsghdr) std::uint8_t controls_[size][64]{};
    std::size_t count_ = 0;  ///< datagrams that were read last
    bool busy_ = false;
};

}  // namespace natkit::io
