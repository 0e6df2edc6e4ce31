#include "raw_udp.hpp"

#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "natkit/base/inet_checksum.hpp"

namespace natkit::io {
namespace {

constexpr std::uint8_t usual_hops = 64;

/// What other sockets of the host send with.
std::uint8_t hops_of(const Fd& socket, bool v4) noexcept {
    int value = 0;
    socklen_t length = sizeof value;
    const int done =
        ::getsockopt(socket.get(), v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TTL : IPV6_UNICAST_HOPS, &value, &length);
    return done == 0 && value > 0 && value < 256 ? static_cast<std::uint8_t>(value) : usual_hops;
}

/// The checksum over pseudo header, header and payload (RFC 768, RFC 8200 section 8.1); 0 stands for none.
udphdr udp_header(const SharedUdp::Departure& departure) noexcept {
    const auto length = static_cast<std::uint16_t>(sizeof(udphdr) + departure.bytes.size());
    udphdr header{};
    header.source = htons(departure.from.port);
    header.dest = htons(departure.to.port);
    header.len = htons(length);
    InetChecksum checksum;
    checksum.add(departure.from.address.bytes());
    checksum.add(departure.to.address.bytes());
    checksum.add_word(IPPROTO_UDP);
    checksum.add_word(length);
    checksum.add({reinterpret_cast<const std::uint8_t*>(&header), sizeof header});
    checksum.add(departure.bytes);
    header.check = checksum.value();
    if (header.check == 0) header.check = 0xffff;
    return header;
}

}  // namespace

Fd RawUdp::open(Family family) noexcept {
    const bool v4 = family == Family::ipv4;
    // Of this protocol nothing is received.
    Fd socket(::socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW));
    const int on = 1;
    if (socket && !v4 && ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_HDRINCL, &on, sizeof on) != 0) socket.reset();
    return socket;
}

RawUdp::RawUdp(Fd socket, Family family, const OnUnsent& on_unsent)
    : socket_(std::move(socket)),
      v4_(family == Family::ipv4),
      ip_header_(v4_ ? sizeof(iphdr) : sizeof(ip6_hdr)),
      hops_(hops_of(socket_, v4_)),
      on_unsent_(on_unsent),
      slots_(most),
      messages_(most) {
    for (std::size_t i = 0; i < most; ++i) {
        msghdr& message = messages_[i].msg_hdr;
        message.msg_name = &slots_[i].to;
        message.msg_iov = slots_[i].vectors;
        message.msg_control = slots_[i].control;
    }
}

void RawUdp::write_ipv4(const SharedUdp::Departure& departure, std::uint8_t* header) const noexcept {
    iphdr ip{};
    ip.version = 4;
    ip.ihl = 5;
    ip.tos = departure.tos;
    ip.tot_len = htons(static_cast<std::uint16_t>(sizeof ip + sizeof(udphdr) + departure.bytes.size()));
    ip.frag_off = htons(IP_DF);
    ip.ttl = hops_;
    ip.protocol = IPPROTO_UDP;  // the system writes id and checksum
    std::memcpy(&ip.saddr, departure.from.address.bytes().data(), 4);
    std::memcpy(&ip.daddr, departure.to.address.bytes().data(), 4);
    std::memcpy(header, &ip, sizeof ip);
}

void RawUdp::write_ipv6(const SharedUdp::Departure& departure, std::uint8_t* header) const noexcept {
    ip6_hdr ip{};
    ip.ip6_flow = htonl(6U << 28 | std::uint32_t{departure.tos} << 20);
    ip.ip6_plen = htons(static_cast<std::uint16_t>(sizeof(udphdr) + departure.bytes.size()));
    ip.ip6_nxt = IPPROTO_UDP;
    ip.ip6_hlim = hops_;
    std::memcpy(&ip.ip6_src, departure.from.address.bytes().data(), 16);
    std::memcpy(&ip.ip6_dst, departure.to.address.bytes().data(), 16);
    std::memcpy(header, &ip, sizeof ip);
}

/// The source takes part in the choice of the route, as with a bound socket. (Of IPv4 it is not looked at whether this
/// host has it: whoever writes headers may write any.)
void RawUdp::write_route(Slot& slot, msghdr& message) const noexcept {
    auto* control = reinterpret_cast<cmsghdr*>(slot.control);
    const auto source = slot.departure.from.address.bytes();
    if (v4_) {
        in_pktinfo info{};
        std::memcpy(&info.ipi_spec_dst, source.data(), 4);
        control->cmsg_level = IPPROTO_IP;
        control->cmsg_type = IP_PKTINFO;
        control->cmsg_len = CMSG_LEN(sizeof info);
        std::memcpy(CMSG_DATA(control), &info, sizeof info);
        message.msg_controllen = CMSG_SPACE(sizeof info);
    } else {
        in6_pktinfo info{};
        std::memcpy(&info.ipi6_addr, source.data(), 16);
        control->cmsg_level = IPPROTO_IPV6;
        control->cmsg_type = IPV6_PKTINFO;
        control->cmsg_len = CMSG_LEN(sizeof info);
        std::memcpy(CMSG_DATA(control), &info, sizeof info);
        message.msg_controllen = CMSG_SPACE(sizeof info);
    }
    // A raw socket has no port: the system wants 0 or its own protocol's number there.
    message.msg_namelen = write_sockaddr({slot.departure.to.address, 0}, &slot.to);
}

void RawUdp::queue(const SharedUdp::Departure& departure) {
    if (count_ == most) flush();
    Slot& slot = slots_[count_];
    slot.departure = departure;
    const std::size_t length = ip_header_ + sizeof(udphdr);
    // Where there is room the headers go before the bytes, and the system has one piece to fetch.
    auto* bytes = const_cast<std::uint8_t*>(departure.bytes.data());
    std::uint8_t* header = departure.headroom ? bytes - length : slot.header;
    if (v4_) {
        write_ipv4(departure, header);
    } else {
        write_ipv6(departure, header);
    }
    const udphdr udp = udp_header(departure);
    std::memcpy(header + ip_header_, &udp, sizeof udp);
    slot.vectors[0] = {header, departure.headroom ? length + departure.bytes.size() : length};
    slot.vectors[1] = {bytes, departure.bytes.size()};
    messages_[count_].msg_hdr.msg_iovlen = departure.headroom ? 1 : 2;
    write_route(slot, messages_[count_].msg_hdr);
    ++count_;
}

void RawUdp::flush() {
    for (std::size_t next = 0; next < count_;) {
        const auto left = static_cast<unsigned>(count_ - next);
        const int sent = ::sendmmsg(socket_.get(), messages_.data() + next, left, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            next += static_cast<std::size_t>(sent);
            continue;
        }
        const int error = errno;
        if (error != EINTR) failed(slots_[next++], error);
    }
    count_ = 0;
}

void RawUdp::failed(const Slot& slot, int error) {
    const SharedUdp::Departure& departure = slot.departure;
    if (error != EMSGSIZE) return on_unsent_(departure, error);
    // A socket of that port for a moment, which makes fragments; what comes to the port goes past it.
    const auto socket = open_udp(departure.from, {.tos = departure.tos, .packet_info = false});
    if (!socket) return on_unsent_(departure, error);
    const SendResult result = send_udp(*socket, departure.to, departure.bytes);
    if (result.status != SendStatus::sent) on_unsent_(departure, result.error_number);
}

}  // namespace natkit::io
