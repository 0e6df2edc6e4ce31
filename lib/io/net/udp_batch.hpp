#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <vector>

#include "natkit/io/net/udp.hpp"
#include "sockaddr.hpp"

namespace natkit::io {

/// Buffers for one recvmmsg at a time. A batch is handled before the next one is read.
class UdpBatch {
  public:
    /// Of 16 datagrams, for all sockets of a thread.
    [[nodiscard]] static UdpBatch& of_thread();
    explicit UdpBatch(std::size_t datagrams);

    /// Before each datagram's bytes there is room for so many more, which is the reader's to write.
    static constexpr std::size_t headroom = 64;

    /// Reads once; an error that waits on the socket is thereby taken off it. How many datagrams came: they are there
    /// until release(), which must follow.
    [[nodiscard]] std::size_t receive(int fd) noexcept;
    [[nodiscard]] Datagram datagram(std::size_t i) noexcept;
    void release() noexcept;

  private:
    static constexpr std::size_t max_datagram = 65536;
    /// Not a power of two: the beginnings of all buffers, where small packets lie, would share a few cache lines.
    static constexpr std::size_t stride = max_datagram + 2112;

    struct Slot {
        iovec vector;
        sockaddr_in6 source;
        alignas(cmsghdr) std::uint8_t control[128];
    };
    void prepare(std::size_t i) noexcept;

    std::vector<std::uint8_t> bytes_;
    std::vector<mmsghdr> messages_;
    std::vector<Slot> slots_;
    Instant came_{};
    std::size_t count_ = 0;  ///< datagrams that were read last
    bool busy_ = false;
};

}  // namespace natkit::io
