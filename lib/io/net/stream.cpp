#include "natkit/io/net/stream.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "sockaddr.hpp"

namespace natkit::io {
namespace {

using namespace std::chrono_literals;

constexpr int accepts_at_once = 16;
constexpr Duration descriptor_wait = 200ms;

void set(const Fd& socket, int level, int name, int value) {
    // What cannot be set is missed, not needed.
    static_cast<void>(::setsockopt(socket.get(), level, name, &value, sizeof value));
}

std::unexpected<Error> failure(const std::string& what, int error) {
    auto failed = fail_errno(what, error);
    switch (error) {
        case EADDRINUSE: failed.error().code = Errc::refused; break;
        case EADDRNOTAVAIL: failed.error().code = Errc::not_found; break;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM: failed.error().code = Errc::exhausted; break;
        default: break;
    }
    return failed;
}

Fd open_socket(const IpAddress& address) {
    return Fd(::socket(address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

}  // namespace

Result<Fd> open_stream_listener(const Endpoint& local, Presence presence, int backlog) {
    const std::string name = "tcp " + to_string(local);
    Fd socket = open_socket(local.address);
    if (!socket) return failure(name + ": socket", errno);
    set(socket, SOL_SOCKET, SO_REUSEADDR, 1);
    set(socket, SOL_SOCKET, SO_OOBINLINE, 1);  // what connects has it before its first byte comes
    if (!local.address.is_v4()) set(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (presence == Presence::awaited) {
        if (auto done = set_presence(socket, local.address.family(), presence); !done)
            return std::unexpected(done.error());
    }
    const SockAddr address = to_sockaddr(local);
    if (::bind(socket.get(), address.get(), address.length) != 0) return failure(name + ": bind", errno);
    if (::listen(socket.get(), backlog) != 0) return failure(name + ": listen", errno);
    return socket;
}

void set_stream_options(const Fd& connection) {
    set(connection, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(connection, IPPROTO_TCP, TCP_KEEPIDLE, 60);
    set(connection, IPPROTO_TCP, TCP_KEEPINTVL, 15);
    set(connection, IPPROTO_TCP, TCP_KEEPCNT, 4);
    set(connection, IPPROTO_TCP, TCP_NODELAY, 1);
    set(connection, SOL_SOCKET, SO_OOBINLINE, 1);
}

void reset_stream(Fd connection) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    if (connection) {
        static_cast<void>(::setsockopt(connection.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now));
    }
}

// --- listening -----------------------------------------------------------------------------------------------------

struct StreamAcceptor::Impl {
    Fd listener;
    OnAccepted on_accepted;
    bool open = true;
    std::unique_ptr<Poll> poll;
    std::unique_ptr<Timer> later;

    void accept() {
        for (int n = 0; n < accepts_at_once && open; ++n) {
            SockAddr source;
            Fd connection(::accept4(listener.get(), source.get(), &source.length, SOCK_NONBLOCK | SOCK_CLOEXEC));
            if (!connection) {
                if (errno == EINTR || errno == ECONNABORTED) continue;
                if (errno == EAGAIN || errno == EWOULDBLOCK) return;
                poll->watch(false, false);
                return later->start_in(descriptor_wait);
            }
            on_accepted(std::move(connection), from_sockaddr(&source.storage));
        }
    }
};

StreamAcceptor::StreamAcceptor(Loop& loop, Fd listener, OnAccepted on_accepted) : impl_(std::make_shared<Impl>()) {
    impl_->listener = std::move(listener);
    impl_->on_accepted = std::move(on_accepted);
    const std::weak_ptr<Impl> weak = impl_;
    impl_->poll = std::make_unique<Poll>(loop, impl_->listener.get(), [weak](bool, bool) {
        if (const auto keep = weak.lock()) keep->accept();
    });
    impl_->later = std::make_unique<Timer>(loop, [weak] {
        if (const auto keep = weak.lock()) keep->poll->watch(true, false);
    });
    impl_->poll->watch(true, false);
}

StreamAcceptor::~StreamAcceptor() {
    impl_->open = false;
    impl_->poll.reset();
    impl_->later.reset();
    impl_->listener.reset();  // now, not when a running callback ends: the port is free
}

// --- dialling ------------------------------------------------------------------------------------------------------

StreamDialler::StreamDialler(Loop& loop, const IpAddress& from, const Endpoint& remote, OnDone on_done)
    : socket_(open_socket(remote.address)), on_done_(std::move(on_done)) {
    const SockAddr here = to_sockaddr({from, 0});
    const SockAddr there = to_sockaddr(remote);
    if (socket_) {
        set(socket_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
        set_stream_options(socket_);
    }
    if (!socket_ || ::bind(socket_.get(), here.get(), here.length) != 0 ||
        (::connect(socket_.get(), there.get(), there.length) != 0 && errno != EINPROGRESS)) {
        error_ = errno;
        failed_ = std::make_unique<Timer>(loop, [this] { finish(error_); });
        failed_->start_in(Duration::zero());
        return;
    }
    poll_ = std::make_unique<Poll>(loop, socket_.get(), [this](bool, bool) {
        int error = 0;
        socklen_t length = sizeof error;
        if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
        finish(error);
    });
    poll_->watch(false, true);
}

StreamDialler::~StreamDialler() = default;

void StreamDialler::finish(int error_number) {
    poll_.reset();
    const OnDone on_done = std::move(on_done_);
    on_done(error_number == 0 ? std::move(socket_) : Fd(), error_number);  // may destroy this
}

}  // namespace natkit::io
