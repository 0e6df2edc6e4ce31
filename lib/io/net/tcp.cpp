#include "natkit/io/net/tcp.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string>

#include "natkit/io/net/udp.hpp"
#include "sockaddr.hpp"

namespace natkit::io {
namespace {

constexpr std::size_t tcp_read_chunk = 65536;
constexpr unsigned unacknowledged_ms = 20'000;  ///< after that the other end is taken for dead

/// Best effort: a connection works without them.
void set_connection_options(const Fd& socket) {
    const int on = 1;
    const unsigned dead_after = unacknowledged_ms;
    static_cast<void>(::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
    static_cast<void>(::setsockopt(socket.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_after, sizeof dead_after));
}

}  // namespace

TcpListener::TcpListener(Loop& loop, Fd socket, Handlers handlers)
    : socket_(std::move(socket)),
      local_(local_endpoint(socket_).value_or(Endpoint{})),
      acceptor_(loop, socket_,
                {.on_connection =
                     [take = std::move(handlers.on_connection)](Fd accepted) {
                         sockaddr_in6 name{};
                         socklen_t length = sizeof name;
                         // One that was reset meanwhile has no other end any more.
                         if (::getpeername(accepted.get(), reinterpret_cast<sockaddr*>(&name), &length) != 0) return;
                         set_connection_options(accepted);
                         take(std::move(accepted), from_sockaddr(&name));
                     },
                 .on_exhausted = std::move(handlers.on_exhausted)}) {}

struct TcpStream::Impl : std::enable_shared_from_this<TcpStream::Impl> {
    Fd socket;
    Handlers handlers;
    std::unique_ptr<Poll> poll;
    std::string output;
    std::size_t sent = 0;  ///< bytes of `output` that have left
    bool connecting = false;
    bool open = true;

    void shut() {
        open = false;
        poll.reset();
        socket.reset();
        output = {};
        sent = 0;
    }

    void fail_with(const Error& why) {
        if (!open) return;
        shut();
        if (handlers.on_close) handlers.on_close(why);
    }

    void start(Loop& loop) {
        poll = std::make_unique<Poll>(loop, socket.get(), [owner = weak_from_this()](bool readable, bool writable) {
            if (const auto impl = owner.lock()) impl->on_ready(readable, writable);
        });
        watch();
    }

    void watch() const { poll->watch(!connecting, connecting || sent < output.size()); }

    void on_ready(bool readable, bool writable) {
        if (connecting && !finish_connecting()) return;
        if (writable && open) flush();
        if (readable && open) read();
    }

    bool finish_connecting() {
        int error = 0;
        socklen_t length = sizeof error;
        if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
        if (error != 0) {
            fail_with(fail_errno("connect", error).error());
            return false;
        }
        connecting = false;
        watch();
        if (handlers.on_connected) handlers.on_connected();
        return open;
    }

    void read() {
        static thread_local std::array<char, tcp_read_chunk> chunk;
        // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection): it takes weak_ptr::lock() for a mutex
        const ssize_t got = ::recv(socket.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
        if (got > 0) {
            if (handlers.on_bytes) handlers.on_bytes({chunk.data(), static_cast<std::size_t>(got)});
        } else if (got == 0) {
            fail_with({Errc::not_found, {}, "the other end closed the connection"});
        } else if (errno != EAGAIN && errno != EINTR) {
            fail_with(fail_errno("read", errno).error());
        }
    }

    void flush() {
        while (sent < output.size()) {
            const ssize_t count =
                ::send(socket.get(), output.data() + sent, output.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (count < 0) {
                if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS) break;
                return fail_with(fail_errno("write", errno).error());
            }
            sent += static_cast<std::size_t>(count);
        }
        if (sent == output.size()) {
            output.clear();
            if (output.capacity() > tcp_read_chunk) output.shrink_to_fit();
            sent = 0;
        }
        watch();
    }
};

TcpStream::TcpStream(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

TcpStream::TcpStream(Loop& loop, Fd socket, Handlers handlers) : impl_(std::make_shared<Impl>()) {
    impl_->socket = std::move(socket);
    impl_->handlers = std::move(handlers);
    impl_->start(loop);
}

Result<std::unique_ptr<TcpStream>> TcpStream::connect(Loop& loop, const Endpoint& local, const Endpoint& remote,
                                                      Handlers handlers) {
    const std::string name = "connect " + to_string(remote);
    const int family = remote.address.is_v4() ? AF_INET : AF_INET6;
    Fd socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return fail_errno(name, errno);
    set_connection_options(socket);
    const SockAddr here = to_sockaddr(local);
    if (::bind(socket.get(), here.get(), here.length) != 0) return fail_errno(name, errno);
    const SockAddr there = to_sockaddr(remote);
    if (::connect(socket.get(), there.get(), there.length) != 0 && errno != EINPROGRESS) {
        return fail_errno(name, errno);
    }
    auto impl = std::make_shared<Impl>();
    impl->socket = std::move(socket);
    impl->handlers = std::move(handlers);
    impl->connecting = true;
    impl->start(loop);
    return std::unique_ptr<TcpStream>(new TcpStream(std::move(impl)));
}

TcpStream::~TcpStream() {
    impl_->shut();
}

void TcpStream::close() {
    impl_->shut();
}

Result<Endpoint> TcpStream::local() const {
    return local_endpoint(impl_->socket);
}

std::size_t TcpStream::queued() const noexcept {
    return impl_->output.size() - impl_->sent;
}

bool TcpStream::send(std::string_view bytes) {
    if (!impl_->open || queued() + bytes.size() > max_queued) return false;
    const bool idle = impl_->output.empty() && !impl_->connecting;
    std::size_t direct = 0;
    if (idle) {  // mostly the system takes all of it at once; errors are met again by the reader
        const ssize_t count = ::send(impl_->socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count > 0) direct = static_cast<std::size_t>(count);
    }
    if (direct == bytes.size()) return true;
    if (impl_->sent > max_queued) {
        impl_->output.erase(0, impl_->sent);
        impl_->sent = 0;
    }
    impl_->output += bytes.substr(direct);
    impl_->watch();
    return true;
}

}  // namespace natkit::io
