#include "natkit/io/net/udp_lookup.hpp"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>

#include "natkit/io/net/udp.hpp"

namespace natkit::io {
namespace {

constexpr unsigned most_ports = 2;

struct Request {
    nlmsghdr header;
    inet_diag_req_v2 wanted;
};

/// sock_diag(7): for UDP the kernel looks as for a packet, from "src" to "dst"; the local end is "dst" then.
Request request_for(const Endpoint& local, std::uint32_t interface, std::uint32_t sequence) {
    Request request{};
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request.header.nlmsg_flags = NLM_F_REQUEST;
    request.header.nlmsg_seq = sequence;
    inet_diag_req_v2& wanted = request.wanted;
    wanted.sdiag_family = local.address.is_v4() ? AF_INET : AF_INET6;
    wanted.sdiag_protocol = IPPROTO_UDP;
    wanted.idiag_states = ~0U;
    wanted.id.idiag_dport = htons(local.port);
    const auto bytes = local.address.bytes();
    std::memcpy(wanted.id.idiag_dst, bytes.data(), bytes.size());
    wanted.id.idiag_if = interface;
    wanted.id.idiag_cookie[0] = wanted.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    return request;
}

/// What an answer says: a socket (0) or why there is none.
int verdict_of(const nlmsghdr& header, const std::byte* body) {
    if (header.nlmsg_type != NLMSG_ERROR) return 0;
    int error = 0;
    std::memcpy(&error, body, sizeof error);
    return -error;
}

}  // namespace

Result<UdpLookup> UdpLookup::open() {
    Fd socket(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
    if (!socket) return fail_errno("look up UDP sockets (sock_diag)", errno);
    UdpLookup lookup(std::move(socket));
    // "No such socket" and "no such module" are one answer.
    const auto probe = open_udp({IpAddress::v4(0), 0}, {.packet_info = false});
    if (!probe) return std::unexpected(probe.error());
    const auto at = local_endpoint(*probe);
    if (!at) return std::unexpected(at.error());
    const auto found = lookup.taken({IpAddress::v4(INADDR_LOOPBACK), at->port});
    if (!found) return std::unexpected(found.error());
    if (!*found) return fail(Errc::system, "look up UDP sockets: the kernel has no udp_diag");
    return lookup;
}

Result<bool> UdpLookup::taken(const Endpoint& first, unsigned count, std::uint32_t interface) {
    assert(count >= 1 && count <= most_ports);
    std::array<Request, most_ports> requests;
    for (unsigned i = 0; i < count; ++i) {
        const Endpoint each{first.address, static_cast<std::uint16_t>(first.port + i)};
        requests[i] = request_for(each, interface, ++sequence_);
    }
    const std::size_t length = count * sizeof(Request);
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    ssize_t sent = 0;
    do {
        sent = ::sendto(socket_.get(), requests.data(), length, 0, reinterpret_cast<const sockaddr*>(&kernel),
                        sizeof kernel);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) return fail_errno("look up UDP sockets", errno);
    // The kernel has answered before sendto() returns, each request by a message of its own.
    bool any = false;
    for (unsigned answered = 0; answered < count;) {
        alignas(nlmsghdr) std::array<std::byte, 2048> answer;
        const ssize_t got = ::recv(socket_.get(), answer.data(), answer.size(), MSG_DONTWAIT);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno("look up UDP sockets", errno);
        nlmsghdr header{};
        if (static_cast<std::size_t>(got) < sizeof header + sizeof(int)) continue;
        std::memcpy(&header, answer.data(), sizeof header);
        if (sequence_ - header.nlmsg_seq >= count) continue;  // of a request that failed halfway
        ++answered;
        const int error = verdict_of(header, answer.data() + sizeof header);
        if (error != 0 && error != ENOENT) return fail_errno("look up UDP sockets", error);
        any = any || error == 0;
    }
    return any;
}

}  // namespace natkit::io
