#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "natkit/base/endpoint.hpp"
#include "natkit/io/acceptor.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/loop.hpp"

namespace natkit::io {

/// Accepts connections on a listening socket, which other processes may hold too (see open_tcp_listener()). When no
/// more descriptors can be had, the connections that wait are accepted and closed at once (Acceptor).
class TcpListener {
  public:
    struct Handlers {
        std::function<void(Fd socket, const Endpoint& remote)> on_connection;
        std::function<void()> on_exhausted;  ///< a connection was closed for want of descriptors
    };

    TcpListener(Loop& loop, Fd socket, Handlers handlers);
    ~TcpListener() = default;
    TcpListener(const TcpListener&) = delete;
    TcpListener& operator=(const TcpListener&) = delete;

    [[nodiscard]] const Endpoint& local() const noexcept { return local_; }
    [[nodiscard]] const Fd& fd() const noexcept { return socket_; }

  private:
    Fd socket_;
    Endpoint local_;
    Acceptor acceptor_;
};

/// One TCP connection: bytes in, bytes out. What the other end does not read waits here, within a bound.
class TcpStream {
  public:
    static constexpr std::size_t max_queued = std::size_t{256} << 10;  ///< bytes waiting to be written

    struct Handlers {
        std::function<void()> on_connected;  ///< of connect() only
        std::function<void(std::string_view bytes)> on_bytes;
        /// The other end closed, or the system failed; the last call of this connection.
        std::function<void(const Error& why)> on_close;
    };

    /// An accepted socket.
    TcpStream(Loop& loop, Fd socket, Handlers handlers);
    /// A connection in the making, from `local` (its port 0: any). What is sent meanwhile waits.
    [[nodiscard]] static Result<std::unique_ptr<TcpStream>> connect(Loop& loop, const Endpoint& local,
                                                                    const Endpoint& remote, Handlers handlers);
    ~TcpStream();
    TcpStream(const TcpStream&) = delete;
    TcpStream& operator=(const TcpStream&) = delete;

    /// False when the connection is closed, or the other end has left more than max_queued bytes unread: nothing was
    /// taken, and the connection had better be closed.
    bool send(std::string_view bytes);
    [[nodiscard]] std::size_t queued() const noexcept;
    /// Where it begins on this host; Errc::system once it is closed.
    [[nodiscard]] Result<Endpoint> local() const;
    /// Closes without on_close; what waits is lost.
    void close();

  private:
    struct Impl;
    explicit TcpStream(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace natkit::io
