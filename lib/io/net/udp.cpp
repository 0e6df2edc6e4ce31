#include "natkit/io/net/udp.hpp"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>

#include <cerrno>

#include "sockaddr.hpp"
#include "udp_batch.hpp"

namespace natkit::io {
namespace {

Result<void> set_option(const Fd& socket, int level, int name, int value, const char* what) {
    if (::setsockopt(socket.get(), level, name, &value, sizeof value) != 0) return fail_errno(what, errno);
    return {};
}

/// What the callers of open_udp() have to tell apart.
std::unexpected<Error> open_failure(const std::string& what, int error) {
    auto failure = fail_errno(what, error);
    switch (error) {
        case EADDRINUSE: failure.error().code = Errc::refused; break;
        case EADDRNOTAVAIL: failure.error().code = Errc::not_found; break;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM: failure.error().code = Errc::exhausted; break;
        default: break;
    }
    return failure;
}

SendResult failed_send(int error) {
    const bool later =
        error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS || error == ECONNREFUSED || error == EINTR;
    return {later ? SendStatus::later : SendStatus::failed, error};
}

}  // namespace

Result<void> set_udp_options(const Fd& socket, Family family, const UdpOptions& options) {
    const bool v4 = family == Family::ipv4;
    if (options.tos) {
        const auto done = v4 ? set_option(socket, IPPROTO_IP, IP_TOS, *options.tos, "set IP_TOS")
                             : set_option(socket, IPPROTO_IPV6, IPV6_TCLASS, *options.tos, "set IPV6_TCLASS");
        if (!done) return done;
    }
    if (options.packet_info) {
        const auto done = v4 ? set_option(socket, IPPROTO_IP, IP_PKTINFO, 1, "set IP_PKTINFO")
                             : set_option(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "set IPV6_RECVPKTINFO");
        if (!done) return done;
    }
    if (options.receive_buffer > 0) {
        // Beyond the host's limit where we have the right (CAP_NET_ADMIN), else up to it.
        const int size = options.receive_buffer;
        if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) == 0) return {};
        return set_option(socket, SOL_SOCKET, SO_RCVBUF, options.receive_buffer, "set SO_RCVBUF");
    }
    return {};
}

Result<Fd> open_udp(const Endpoint& local, const UdpOptions& options) {
    const std::string name = "udp " + to_string(local);
    const bool v4 = local.address.is_v4();
    Fd socket(::socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return open_failure(name + ": socket", errno);
    if (!v4) {
        if (auto done = set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1, "set IPV6_V6ONLY"); !done) {
            return std::unexpected(done.error());
        }
    }
    if (auto done = set_udp_options(socket, local.address.family(), options); !done)
        return std::unexpected(done.error());
    if (options.address == Presence::awaited) {
        if (auto done = set_presence(socket, local.address.family(), options.address); !done)
            return std::unexpected(done.error());
    }
    const SockAddr address = to_sockaddr(local);
    if (::bind(socket.get(), address.get(), address.length) != 0) {
        return open_failure(name + ": bind", errno);
    }
    return socket;
}

Result<Fd> open_udp_to(const Endpoint& remote) {
    Fd socket(::socket(remote.address.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const SockAddr address = to_sockaddr(remote);
    if (!socket || ::connect(socket.get(), address.get(), address.length) != 0)
        return open_failure("udp to " + to_string(remote), errno);
    return socket;
}

Result<Fd> open_connected_twin(const Fd& bound, const Endpoint& remote, const UdpOptions& options) {
    const auto local = local_endpoint(bound);
    if (!local) return std::unexpected(local.error());
    const bool v4 = local->address.is_v4();
    const std::string name = "udp " + to_string(*local) + " to " + to_string(remote);
    Fd twin(::socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!twin) return open_failure(name + ": socket", errno);
    if (!v4) {
        if (auto done = set_option(twin, IPPROTO_IPV6, IPV6_V6ONLY, 1, "set IPV6_V6ONLY"); !done) {
            return std::unexpected(done.error());
        }
    }
    if (auto done = set_udp_options(twin, local->address.family(), options); !done)
        return std::unexpected(done.error());
    if (presence_of(bound, local->address.family()) == Presence::awaited) {
        if (auto done = set_presence(twin, local->address.family(), Presence::awaited); !done)
            return std::unexpected(done.error());
    }
    const auto share = [&](int on) {
        const bool first = set_option(bound, SOL_SOCKET, SO_REUSEPORT, on, "set SO_REUSEPORT").has_value();
        const bool second = set_option(twin, SOL_SOCKET, SO_REUSEPORT, on, "set SO_REUSEPORT").has_value();
        return first && second;
    };
    const SockAddr here = to_sockaddr(*local);
    const SockAddr there = to_sockaddr(remote);
    int error = share(1) && ::bind(twin.get(), here.get(), here.length) == 0 ? 0 : errno;
    if (error == 0 && ::connect(twin.get(), there.get(), there.length) != 0) error = errno;
    share(0);
    if (error != 0) return open_failure(name, error);
    return twin;
}

std::optional<std::uint8_t> tos_of(const Fd& socket, Family family) {
    const bool v4 = family == Family::ipv4;
    int value = 0;
    socklen_t length = sizeof value;
    const int done =
        ::getsockopt(socket.get(), v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &value, &length);
    if (done != 0 || value < 0) return std::nullopt;
    return static_cast<std::uint8_t>(value);
}

bool tells_packet_info(const Fd& socket, Family family) {
    const bool v4 = family == Family::ipv4;
    int value = 0;
    socklen_t length = sizeof value;
    return ::getsockopt(socket.get(), v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_PKTINFO : IPV6_RECVPKTINFO, &value,
                        &length) == 0 &&
           value != 0;
}

Result<Endpoint> local_endpoint(const Fd& socket) {
    SockAddr address;
    if (::getsockname(socket.get(), address.get(), &address.length) != 0) return fail_errno("getsockname", errno);
    return from_sockaddr(&address.storage);
}

SendResult send_udp(const Fd& connected, std::span<const std::uint8_t> bytes) {
    if (::send(connected.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return {};
    return failed_send(errno);
}

SendResult send_udp(const Fd& socket, const Endpoint& to, std::span<const std::uint8_t> bytes) {
    sockaddr_in6 address;
    const socklen_t length = write_sockaddr(to, &address);
    const auto* name = reinterpret_cast<const sockaddr*>(&address);
    if (::sendto(socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL, name, length) >= 0) return {};
    return failed_send(errno);
}

struct UdpSocket::Receiver {
    OnDatagram on_datagram;
    Poll* poll = nullptr;
    bool reading = true;
    bool open = true;

    /// An error, as of an ICMP message to a connected socket, ends the watch and is no reason to be deaf from then on:
    /// recvmmsg() has taken it off the socket.
    void go_on() {
        if (open && reading) poll->watch(true, false);
    }
    void receive(int fd) {
        UdpBatch& batch = UdpBatch::of_thread();
        const std::size_t came = batch.receive(fd);
        for (std::size_t i = 0; i < came && open; ++i) on_datagram(batch.datagram(i));
        batch.release();
    }
};

UdpSocket::UdpSocket(Loop& loop, Fd socket, OnDatagram on_datagram)
    : socket_(std::move(socket)), receiver_(std::make_shared<Receiver>()) {
    receiver_->on_datagram = std::move(on_datagram);
    local_ = local_endpoint(socket_).value_or(Endpoint{});
    poll_ = std::make_unique<Poll>(
        loop, socket_.get(),
        [receiver = receiver_.get(), owner = std::weak_ptr(receiver_), fd = socket_.get()](bool, bool failed) {
            const auto keep = owner.lock();  // the callback may destroy the socket
            if (!keep) return;
            receiver->receive(fd);
            if (failed) receiver->go_on();
        });
    receiver_->poll = poll_.get();
    poll_->watch(true, false);
}

UdpSocket::~UdpSocket() {
    receiver_->open = false;
}

Fd UdpSocket::release() {
    receiver_->open = false;
    poll_.reset();
    return std::move(socket_);
}

void UdpSocket::read(bool on) {
    receiver_->reading = on;
    poll_->watch(on, false);
}

SendResult UdpSocket::send(std::span<const std::uint8_t> bytes) {
    return send_udp(socket_, bytes);
}

SendResult UdpSocket::send(const Endpoint& to, std::span<const std::uint8_t> bytes) {
    return send_udp(socket_, to, bytes);
}

SendResult UdpSocket::send(const Endpoint& to, std::string_view text) {
    return send(to, std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

}  // namespace natkit::io
