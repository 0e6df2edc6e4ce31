#include "natkit/io/net/shared_udp.hpp"

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "raw_udp.hpp"
#include "sockaddr.hpp"
#include "udp_batch.hpp"

namespace natkit::io {
namespace {

constexpr std::size_t batch_size = 64;
/// Batches in a turn; the rest of the loop waits for so many.
constexpr int most_batches = 4;
constexpr int most_errors = 64;
/// Of all ports of a worker together, as the system counts small packets: half a second of 1,000 calls, for which a
/// host that is busy may keep a thread waiting. (It doubles the number; memory is taken while packets wait.)
constexpr int receive_buffer = 24 * 1024 * 1024;

constexpr std::array families{Family::ipv4, Family::ipv6};

std::size_t index(Family family) noexcept {
    return family == Family::ipv4 ? 0 : 1;
}

/// Bound to loopback, where nobody but this host could send to the port that it has besides.
Result<Fd> open_receiving(Family family) {
    const bool v4 = family == Family::ipv4;
    const auto loopback = IpAddress::parse(v4 ? "127.0.0.1" : "::1");
    auto socket = open_udp({*loopback, 0}, {.receive_buffer = receive_buffer});
    if (!socket) return socket;
    const int on = 1;
    const int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
    for (const int option : {v4 ? IP_RECVORIGDSTADDR : IPV6_RECVORIGDSTADDR, v4 ? IP_RECVERR : IPV6_RECVERR}) {
        if (::setsockopt(socket->get(), level, option, &on, sizeof on) != 0) {
            return fail_errno("an option of the shared socket", errno);
        }
    }
    return socket;
}

}  // namespace

Result<SharedUdp::Sockets> SharedUdp::open() {
    Sockets sockets;
    for (const Family family : families) {
        auto receiving = open_receiving(family);
        if (!receiving) {
            if (family == Family::ipv6 && receiving.error().code != Errc::exhausted) continue;
            return std::unexpected(receiving.error());
        }
        Fd raw = RawUdp::open(family);
        if (!raw) {
            const int error = errno;
            auto failure = fail_errno("raw socket", error);
            if (error == EPERM || error == EACCES) failure.error().code = Errc::refused;
            return failure;
        }
        sockets.receiving[index(family)] = std::move(*receiving);
        sockets.raw[index(family)] = std::move(raw);
    }
    return sockets;
}

struct SharedUdp::Impl {
    Callbacks callbacks;
    std::array<Fd, 2> receiving;
    std::array<std::unique_ptr<RawUdp>, 2> raw;
    std::array<std::unique_ptr<Poll>, 2> polls;
    UdpBatch batch{batch_size};

    Impl(Loop& loop, Sockets sockets, Callbacks on)
        : callbacks(std::move(on)), receiving(std::move(sockets.receiving)) {
        for (const Family family : families) {
            const std::size_t i = index(family);
            if (!receiving[i]) continue;
            raw[i] = std::make_unique<RawUdp>(std::move(sockets.raw[i]), family, callbacks.on_unsent);
            polls[i] = std::make_unique<Poll>(loop, receiving[i].get(), [this, i](bool, bool failed) {
                if (failed) take_errors(receiving[i].get());
                read(receiving[i].get());
                // An error ends the watch, and is no reason to be deaf from then on.
                if (failed) polls[i]->watch(true, false);
            });
            polls[i]->watch(true, false);
        }
    }

    void flush() {
        for (const auto& each : raw) {
            if (each) each->flush();
        }
    }

    void read(int fd) {
        for (int round = 0; round < most_batches; ++round) {
            const std::size_t came = batch.receive(fd);
            for (std::size_t i = 0; i < came; ++i) callbacks.on_datagram(batch.datagram(i));
            flush();
            batch.release();
            if (came < batch_size) return;
        }
    }

    void take_errors(int fd) {
        for (int i = 0; i < most_errors; ++i) {
            sockaddr_storage to{};
            alignas(cmsghdr) std::array<std::uint8_t, 512> control{};
            msghdr message{};
            message.msg_name = &to;
            message.msg_namelen = sizeof to;
            message.msg_control = control.data();
            message.msg_controllen = control.size();
            if (::recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return;
            for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr; each = CMSG_NXTHDR(&message, each)) {
                const bool told = (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_RECVERR) ||
                                  (each->cmsg_level == IPPROTO_IPV6 && each->cmsg_type == IPV6_RECVERR);
                sock_extended_err why{};
                if (told) std::memcpy(&why, CMSG_DATA(each), sizeof why);
                if (why.ee_errno == ECONNREFUSED) callbacks.on_refused(from_sockaddr(&to));
            }
        }
    }
};

SharedUdp::SharedUdp(Loop& loop, Sockets sockets, Callbacks callbacks)
    : impl_(std::make_unique<Impl>(loop, std::move(sockets), std::move(callbacks))) {}

SharedUdp::~SharedUdp() = default;

int SharedUdp::receiving(Family family) const noexcept {
    return impl_->receiving[index(family)].get();
}

void SharedUdp::send(const Departure& departure) {
    RawUdp* raw = impl_->raw[index(departure.to.address.family())].get();
    if (raw == nullptr) return impl_->callbacks.on_unsent(departure, EAFNOSUPPORT);
    raw->queue(departure);
}

void SharedUdp::flush() {
    impl_->flush();
}

void SharedUdp::drain() {
    for (const Fd& fd : impl_->receiving) {
        if (fd) impl_->read(fd.get());
    }
}

SharedUdp::Sockets SharedUdp::release() {
    Sockets sockets;
    for (const std::size_t i : {0U, 1U}) {
        impl_->polls[i].reset();
        sockets.receiving[i] = std::move(impl_->receiving[i]);
        if (impl_->raw[i]) sockets.raw[i] = impl_->raw[i]->release();
    }
    return sockets;
}

}  // namespace natkit::io
