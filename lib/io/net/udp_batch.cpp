#include "udp_batch.hpp"

#include <cassert>
#include <chrono>
#include <cstring>

namespace natkit::io {
namespace {

void read_packet_info(msghdr& message, Datagram& datagram) {
    for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr; control = CMSG_NXTHDR(&message, control)) {
        if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
            in_pktinfo info;
            std::memcpy(&info, CMSG_DATA(control), sizeof info);
            datagram.destination = IpAddress::v4(ntohl(info.ipi_addr.s_addr));
            datagram.interface_index = static_cast<std::uint32_t>(info.ipi_ifindex);
        } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
            in6_pktinfo info;
            std::memcpy(&info, CMSG_DATA(control), sizeof info);
            std::array<std::uint8_t, 16> bytes{};
            std::memcpy(bytes.data(), &info.ipi6_addr, 16);
            datagram.destination = IpAddress::v6(bytes);
            datagram.interface_index = info.ipi6_ifindex;
        } else if ((control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_ORIGDSTADDR) ||
                   (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_ORIGDSTADDR)) {
            const Endpoint destination = from_sockaddr(CMSG_DATA(control));
            datagram.destination = destination.address;
            datagram.destination_port = destination.port;
        }
    }
}

}  // namespace

UdpBatch& UdpBatch::of_thread() {
    thread_local UdpBatch one(16);
    return one;
}

UdpBatch::UdpBatch(std::size_t datagrams) : bytes_(datagrams * stride), messages_(datagrams), slots_(datagrams) {
    for (std::size_t i = 0; i < datagrams; ++i) {
        slots_[i].vector = {bytes_.data() + i * stride + headroom, max_datagram};
        messages_[i].msg_hdr.msg_iov = &slots_[i].vector;
        messages_[i].msg_hdr.msg_iovlen = 1;
        messages_[i].msg_hdr.msg_name = &slots_[i].source;
        messages_[i].msg_hdr.msg_control = slots_[i].control;
        prepare(i);
    }
}

void UdpBatch::prepare(std::size_t i) noexcept {
    messages_[i].msg_hdr.msg_namelen = sizeof slots_[i].source;
    messages_[i].msg_hdr.msg_controllen = sizeof slots_[i].control;
    messages_[i].msg_hdr.msg_flags = 0;
}

std::size_t UdpBatch::receive(int fd) noexcept {
    assert(!busy_ && "a loop inside a datagram callback");
    busy_ = true;
    const int got = ::recvmmsg(fd, messages_.data(), static_cast<unsigned>(messages_.size()), MSG_DONTWAIT, nullptr);
    count_ = got > 0 ? static_cast<std::size_t>(got) : 0;
    if (count_ > 0) came_ = std::chrono::steady_clock::now();
    return count_;
}

void UdpBatch::release() noexcept {
    for (std::size_t i = 0; i < count_; ++i) prepare(i);
    busy_ = false;
}

Datagram UdpBatch::datagram(std::size_t i) noexcept {
    Datagram datagram;
    datagram.bytes = {bytes_.data() + i * stride + headroom, messages_[i].msg_len};
    datagram.came = came_;
    datagram.source = from_sockaddr(&slots_[i].source);
    msghdr& message = messages_[i].msg_hdr;
    if (message.msg_controllen > 0) read_packet_info(message, datagram);
    return datagram;
}

}  // namespace natkit::io
