#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cassert>
#include <vector>

#include "natkit/io/udp.hpp"
#include "sockaddr.hpp"

namespace natkit::io {

/// Buffers of one thread, for one recvmmsg at a time. A batch is handled before the next one is read.
class UdpBatch {
  public:
    [[nodiscard]] static UdpBatch& of_thread();

    /// Reads once; an error that waits on the socket is thereby taken off it. `handle(datagram)` says whether to go on
    /// with the rest, which is lost otherwise.
    template <class Handle>
    void receive(int fd, const Handle& handle) {
        assert(!busy_ && "a loop inside a datagram callback");
        busy_ = true;
        const int count = ::recvmmsg(fd, messages_, size, MSG_DONTWAIT, nullptr);
        bool wanted = true;
        for (int n = 0; n < count; ++n) {
            const auto i = static_cast<std::size_t>(n);
            wanted = wanted && handle(datagram(i));
            prepare(i);
        }
        busy_ = false;
    }

  private:
    static constexpr std::size_t size = 16;
    static constexpr std::size_t max_datagram = 65536;

    UdpBatch();
    [[nodiscard]] Datagram datagram(std::size_t i) noexcept;
    void prepare(std::size_t i) noexcept;

    std::vector<std::uint8_t> bytes_ = std::vector<std::uint8_t>(size * max_datagram);
    mmsghdr messages_[size]{};
    iovec vectors_[size]{};
    sockaddr_in6 sources_[size]{};
    alignas(cmsghdr) std::uint8_t controls_[size][64]{};
    bool busy_ = false;
};

}  // namespace natkit::io
