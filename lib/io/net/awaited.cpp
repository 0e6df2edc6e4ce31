#include "natkit/io/net/awaited.hpp"

#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "natkit/io/net/udp.hpp"

namespace natkit::io {

bool is_here(const IpAddress& address) {
    const auto bound = open_udp({address, 0}, {.packet_info = false});
    return bound || bound.error().code != Errc::not_found;
}

Result<void> set_presence(const Fd& socket, Family family, Presence presence) {
    const bool v4 = family == Family::ipv4;
    const int on = presence == Presence::awaited ? 1 : 0;
    const int done =
        ::setsockopt(socket.get(), v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_FREEBIND : IPV6_FREEBIND, &on, sizeof on);
    if (done != 0) return fail_errno(v4 ? "set IP_FREEBIND" : "set IPV6_FREEBIND", errno);
    return {};
}

Presence presence_of(const Fd& socket, Family family) noexcept {
    const bool v4 = family == Family::ipv4;
    int value = 0;
    socklen_t length = sizeof value;
    const int done =
        ::getsockopt(socket.get(), v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_FREEBIND : IPV6_FREEBIND, &value, &length);
    return done == 0 && value != 0 ? Presence::awaited : Presence::needed;
}

Result<void> set_deaf(int socket, bool deaf) {
    sock_filter nothing{.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = 0};  // of each packet no byte is kept
    const sock_fprog filter{.len = 1, .filter = &nothing};
    const int none = 0;
    const int done = deaf ? ::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter)
                          : ::setsockopt(socket, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
    if (done == 0 || (!deaf && errno == ENOENT)) return {};
    return fail_errno(deaf ? "set SO_ATTACH_FILTER" : "set SO_DETACH_FILTER", errno);
}

}  // namespace natkit::io
