#include "natkit/io/net/host.hpp"

#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <map>

#include "natkit/base/text.hpp"
#include "natkit/io/net/udp.hpp"
#include "sockaddr.hpp"

namespace natkit::io {
namespace {

unsigned prefix_of(const sockaddr* netmask) {
    if (netmask == nullptr) return 0;
    const IpAddress mask = from_sockaddr(netmask).address;
    unsigned bits = 0;
    for (const std::uint8_t byte : mask.bytes()) bits += static_cast<unsigned>(std::popcount(byte));
    return bits;
}

/// A netmask's family may be missing on some kernels; the address has it.
unsigned prefix_of(const ifaddrs& entry, Family family) {
    if (entry.ifa_netmask == nullptr) return family == Family::ipv4 ? 32 : 128;
    return prefix_of(entry.ifa_netmask);
}

}  // namespace

Result<std::vector<HostAddress>> host_addresses() {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return fail_errno("list the addresses of this host", errno);
    std::vector<HostAddress> result;
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr) continue;
        const int family = entry->ifa_addr->sa_family;
        if (family != AF_INET && family != AF_INET6) continue;
        const IpAddress address = from_sockaddr(entry->ifa_addr).address;
        result.push_back({.interface = entry->ifa_name,
                          .index = ::if_nametoindex(entry->ifa_name),
                          .address = address,
                          .prefix = prefix_of(*entry, address.family()),
                          .up = (entry->ifa_flags & IFF_UP) != 0});
    }
    ::freeifaddrs(list);
    return result;
}

Result<std::vector<Interface>> interfaces() {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return fail_errno("list the interfaces of this host", errno);
    std::map<std::string, Interface> found;
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr) continue;
        Interface& interface = found[entry->ifa_name];
        if (entry->ifa_addr->sa_family != AF_PACKET) {
            interface.addressed = true;
            continue;
        }
        const auto& link = *reinterpret_cast<const sockaddr_ll*>(entry->ifa_addr);
        interface.name = entry->ifa_name;
        interface.up = (entry->ifa_flags & IFF_UP) != 0;
        interface.index = static_cast<unsigned>(link.sll_ifindex);
        interface.ethernet = link.sll_hatype == ARPHRD_ETHER && link.sll_halen == interface.hardware_address.size();
        if (interface.ethernet) std::copy_n(link.sll_addr, link.sll_halen, interface.hardware_address.begin());
    }
    ::freeifaddrs(list);
    std::vector<Interface> result;
    for (auto& [name, interface] : found) {
        if (interface.index != 0) result.push_back(std::move(interface));
    }
    return result;
}

Result<Fd> open_tcp_listener(const Endpoint& local, Presence presence) {
    const std::string name = "tcp " + to_string(local);
    Fd socket(::socket(local.address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return fail_errno(name + ": socket", errno);
    const int on = 1;
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
        return fail_errno(name + ": set SO_REUSEADDR", errno);
    }
    if (!local.address.is_v4() && ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) {
        return fail_errno(name + ": set IPV6_V6ONLY", errno);
    }
    if (presence == Presence::awaited) {
        if (auto done = set_presence(socket, local.address.family(), presence); !done)
            return std::unexpected(done.error());
    }
    const SockAddr address = to_sockaddr(local);
    if (::bind(socket.get(), address.get(), address.length) != 0) return fail_errno(name + ": bind", errno);
    if (::listen(socket.get(), SOMAXCONN) != 0) return fail_errno(name + ": listen", errno);
    return socket;
}

SharedSendResult send_shared(const Fd& socket, const Endpoint& to, std::string_view bytes) noexcept {
    sockaddr_in6 address;
    const socklen_t length = write_sockaddr(to, &address);
    const auto* name = reinterpret_cast<const sockaddr*>(&address);
    // ECONNREFUSED speaks of some earlier datagram; the second attempt is this one's own.
    for (int attempt = 0; attempt < 2; ++attempt) {
        if (::sendto(socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL, name, length) >= 0)
            return {};
        if (errno != ECONNREFUSED && errno != EINTR) break;
    }
    const int error = errno;
    switch (error) {
        case EAGAIN:
        case ENOBUFS:
        case ECONNREFUSED:
        case EINTR: return {SharedSend::later, error};
        default: return {is_of_this_host(error) ? SharedSend::unable : SharedSend::failed, error};
    }
}

bool is_of_this_host(int error) noexcept {
    switch (error) {
        case ENETUNREACH:
        case EHOSTUNREACH:
        case ENETDOWN:
        case EADDRNOTAVAIL:
        case EPERM:                // what nft says to a packet it drops
        case EINVAL: return true;  // the socket's own address has gone with its interface, or to another node
        default: return false;
    }
}

Result<void> prepare_listener(const Fd& socket, int receive_buffer) {
    const auto name = socket_name(socket);
    if (!name) return std::unexpected(name.error());
    const std::string what = (name->stream ? "tcp " : "udp ") + to_string(name->local);
    const int flags = ::fcntl(socket.get(), F_GETFL);
    if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0) return fail_errno(what, errno);
    int shared = 0;
    socklen_t length = sizeof shared;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &shared, &length) != 0) return fail_errno(what, errno);
    // For TCP the kernel remembers with the port that it may be shared; for UDP it asks the socket.
    if (name->stream && shared != 0) {
        return fail(Errc::bad_config, what + ": bound with ReusePort=, so others can take the port; take that out");
    }
    if (name->stream) return {};
    const int off = 0;
    for (const int option : {SO_REUSEADDR, SO_REUSEPORT}) {
        if (::setsockopt(socket.get(), SOL_SOCKET, option, &off, sizeof off) != 0) return fail_errno(what, errno);
    }
    return set_udp_options(socket, name->local.address.family(), {.tos = {}, .receive_buffer = receive_buffer});
}

std::vector<Fd> take_listen_fds() {
    constexpr int first = 3;  // SD_LISTEN_FDS_START
    const char* pid = std::getenv("LISTEN_PID");
    const char* count = std::getenv("LISTEN_FDS");
    std::vector<Fd> result;
    if (pid != nullptr && count != nullptr && text::parse_number(pid, ~0U) == static_cast<unsigned>(::getpid())) {
        const int last = first + static_cast<int>(text::parse_number(count, 1024).value_or(0));
        for (int fd = first; fd < last; ++fd) {
            if (::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) result.emplace_back(fd);
        }
    }
    for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
    return result;
}

Result<SocketName> socket_name(const Fd& socket) {
    SockAddr address;
    if (::getsockname(socket.get(), address.get(), &address.length) != 0) return fail_errno("getsockname", errno);
    int type = 0;
    int listening = 0;
    socklen_t length = sizeof type;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &length) != 0) return fail_errno("SO_TYPE", errno);
    length = sizeof listening;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &length);
    const int family = address.storage.ss_family;
    if ((family != AF_INET && family != AF_INET6) || (type == SOCK_STREAM && listening == 0)) {
        return fail(Errc::bad_config, "not a bound UDP or a listening TCP socket");
    }
    return SocketName{.stream = type == SOCK_STREAM, .local = from_sockaddr(&address.storage)};
}

Result<Endpoint> peer_of(int socket) {
    SockAddr address;
    if (::getpeername(socket, address.get(), &address.length) != 0) return fail_errno("getpeername", errno);
    return from_sockaddr(&address.storage);
}

void shut_down(int socket) noexcept {
    ::shutdown(socket, SHUT_RDWR);
}

Result<int> peer_pid(const Fd& socket) {
    ucred credentials{};
    socklen_t length = sizeof credentials;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
        return fail_errno("SO_PEERCRED", errno);
    }
    if (credentials.pid <= 0) return fail(Errc::not_found, "the other end is in another PID namespace");
    return credentials.pid;
}

}  // namespace natkit::io
