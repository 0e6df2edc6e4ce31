#include "natkit/io/net/udp_ports.hpp"

#include <sys/epoll.h>

#include <array>
#include <cstdlib>

#include "udp_batch.hpp"

namespace natkit::io {
namespace {

/// Sockets in a turn; the rest of the loop waits for so many.
constexpr std::size_t most_in_batch = 256;

Fd make_epoll() {
    Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) std::abort();  // as of a loop: only a lack of descriptors or memory can make this fail
    return epoll;
}

}  // namespace

struct UdpPorts::Impl {
    OnDatagram on_datagram;
    Fd epoll = make_epoll();
    Poll poll;
    std::array<epoll_event, most_in_batch> ready{};
    std::size_t count = 0;      ///< of `ready`
    std::size_t next = 0;       ///< to have its turn
    Socket* reading = nullptr;  ///< null once the callback has destroyed it

    Impl(Loop& loop, OnDatagram on)
        : on_datagram(std::move(on)), poll(loop, epoll.get(), [this](bool, bool) { on_ready(); }) {
        poll.watch(true, false);
    }

    void on_ready() {
        const int got = ::epoll_wait(epoll.get(), ready.data(), most_in_batch, 0);
        count = got > 0 ? static_cast<std::size_t>(got) : 0;
        for (next = 0; next < count;) {
            reading = static_cast<Socket*>(ready[next++].data.ptr);
            if (reading != nullptr) read(*reading);
        }
        reading = nullptr;
    }

    /// What is left when the callback destroys the socket is lost.
    void read(const Socket& socket) {
        UdpBatch& batch = UdpBatch::of_thread();
        void* const owner = socket.owner_;
        const std::size_t came = batch.receive(socket.fd_.get());
        for (std::size_t i = 0; i < came && reading != nullptr; ++i) on_datagram(owner, batch.datagram(i));
        batch.release();
    }

    void add(Socket& socket) {
        epoll_event event{.events = EPOLLIN, .data = {.ptr = &socket}};
        // Without memory the port would be deaf.
        if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, socket.fd_.get(), &event) != 0) std::abort();
    }

    /// What is ready and has not had its turn must not be met again.
    void forget(const Socket& socket) {
        if (reading == &socket) reading = nullptr;
        for (std::size_t i = next; i < count; ++i) {
            if (ready[i].data.ptr == &socket) ready[i].data.ptr = nullptr;
        }
    }
};

UdpPorts::UdpPorts(Loop& loop, OnDatagram on_datagram) : impl_(std::make_unique<Impl>(loop, std::move(on_datagram))) {}

UdpPorts::~UdpPorts() = default;

UdpPorts::Socket::Socket(UdpPorts& ports, Fd socket, void* owner)
    : ports_(ports), fd_(std::move(socket)), owner_(owner) {
    ports_.impl_->add(*this);
}

UdpPorts::Socket::~Socket() {
    ports_.impl_->forget(*this);
}

Fd UdpPorts::Socket::release() {
    ports_.impl_->forget(*this);
    ::epoll_ctl(ports_.impl_->epoll.get(), EPOLL_CTL_DEL, fd_.get(), nullptr);
    return std::move(fd_);
}

}  // namespace natkit::io
