#pragma once

#include <functional>
#include <memory>

#include "natkit/io/fd.hpp"
#include "natkit/io/loop.hpp"
#include "natkit/io/net/udp.hpp"

namespace natkit::io {

/// UDP sockets by the thousand that come and go, all read alike. They are watched by a descriptor of their own, which
/// the loop watches: to watch a socket takes one system call, to forget it none but its close(). UdpSocket needs five
/// and two, and a closing round of the loop.
class UdpPorts {
  public:
    /// `owner` is the socket's. The callback may destroy any Socket.
    using OnDatagram = std::function<void(void* owner, const Datagram& datagram)>;

    UdpPorts(Loop& loop, OnDatagram on_datagram);
    ~UdpPorts();  ///< after its sockets
    UdpPorts(const UdpPorts&) = delete;
    UdpPorts& operator=(const UdpPorts&) = delete;

    /// A bound socket, read until it is destroyed; the descriptor must have no duplicate then. Stays where it is.
    class Socket {
      public:
        Socket(UdpPorts& ports, Fd socket, void* owner);
        ~Socket();
        Socket(const Socket&) = delete;
        Socket& operator=(const Socket&) = delete;

        [[nodiscard]] const Fd& fd() const noexcept { return fd_; }
        /// Gives the descriptor away, for another loop; this object is of no further use.
        [[nodiscard]] Fd release();

      private:
        friend class UdpPorts;
        UdpPorts& ports_;
        Fd fd_;
        void* owner_;
    };

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace natkit::io
