#include "natkit/io/net/address_watch.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace natkit::io {
namespace {

constexpr std::chrono::milliseconds settling{50};

}  // namespace

Result<std::unique_ptr<AddressWatch>> AddressWatch::open(Loop& loop, std::function<void()> on_change) {
    Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!socket) return fail_errno("watch the addresses of this host", errno);
    sockaddr_nl wanted{};
    wanted.nl_family = AF_NETLINK;
    wanted.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&wanted), sizeof wanted) != 0) {
        return fail_errno("watch the addresses of this host", errno);
    }
    return std::unique_ptr<AddressWatch>(new AddressWatch(loop, std::move(socket), std::move(on_change)));
}

AddressWatch::AddressWatch(Loop& loop, Fd socket, std::function<void()> on_change)
    : socket_(std::move(socket)),
      on_change_(std::move(on_change)),
      settle_(loop, [this] { on_change_(); }),
      poll_(loop, socket_.get(), [this](bool, bool) { drain(); }) {
    poll_.watch(true, false);
}

/// What changed is not read from the messages: where the kernel dropped some (ENOBUFS), they would not say it.
void AddressWatch::drain() {
    std::array<char, 16384> message;
    for (;;) {
        const ssize_t got = ::recv(socket_.get(), message.data(), message.size(), MSG_DONTWAIT);
        if (got < 0 && (errno == EINTR || errno == ENOBUFS)) continue;
        if (got <= 0) break;
    }
    if (!settle_.active()) settle_.start_in(settling);
}

}  // namespace natkit::io
