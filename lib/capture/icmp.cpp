#include "natkit/capture/icmp.hpp"

#include "wire.hpp"

namespace natkit::capture {
namespace {

IcmpReason unreachable(std::uint8_t code) {
    switch (code) {
        case 2: return IcmpReason::no_protocol;
        case 3: return IcmpReason::no_port;
        case 4: return IcmpReason::too_big;
        case 0:
        case 5:  // a source route that failed
        case 6:
        case 11: return IcmpReason::no_network;
        case 1:
        case 7:
        case 12: return IcmpReason::no_host;
        case 9:
        case 10:
        case 13: return IcmpReason::prohibited;
        default: return IcmpReason::other;
    }
}

IcmpReason unreachable6(std::uint8_t code) {
    switch (code) {
        case 0: return IcmpReason::no_network;
        case 1:
        case 5:  // the source address failed a policy
        case 6: return IcmpReason::prohibited;
        case 3: return IcmpReason::no_host;
        case 4: return IcmpReason::no_port;
        default: return IcmpReason::other;
    }
}

IcmpReason exceeded(std::uint8_t code) {
    return code == 1 ? IcmpReason::fragments_missing : IcmpReason::hops_exceeded;
}

std::optional<IcmpReason> reason_of(Family family, std::uint8_t type, std::uint8_t code) {
    if (family == Family::ipv4) {
        switch (type) {
            case 3: return unreachable(code);
            case 11: return exceeded(code);
            case 12: return IcmpReason::other;  // parameter problem
            default: return std::nullopt;
        }
    }
    switch (type) {
        case 1: return unreachable6(code);
        case 2: return IcmpReason::too_big;
        case 3: return exceeded(code);
        case 4: return IcmpReason::other;
        default: return std::nullopt;
    }
}

/// Ports and what follows, of UDP, TCP and whatever else begins with two ports.
void read_ports(Bytes bytes, IcmpError& error) {
    if ((error.protocol != ip_udp && error.protocol != ip_tcp) || bytes.size() < 4) return;
    error.quoted_source.port = get16(bytes, 0);
    error.quoted_destination.port = get16(bytes, 2);
    const std::size_t header = error.protocol == ip_udp ? 8 : bytes.size() > 12 ? (bytes[12] >> 4U) * 4U : 20;
    if (bytes.size() > header) error.quoted = bytes.subspan(header);
}

bool read_quoted4(Bytes bytes, IcmpError& error) {
    const std::size_t header = (bytes[0] & 15U) * 4U;
    if (header < 20 || bytes.size() < header) return false;
    error.protocol = bytes[9];
    error.quoted_source.address = IpAddress::v4(get32(bytes, 12));
    error.quoted_destination.address = IpAddress::v4(get32(bytes, 16));
    if ((get16(bytes, 6) & 0x1fffU) == 0) read_ports(bytes.subspan(header), error);
    return true;
}

bool read_quoted6(Bytes bytes, IcmpError& error) {
    if (bytes.size() < 40) return false;
    error.quoted_source.address = address6(bytes, 8);
    error.quoted_destination.address = address6(bytes, 24);
    error.protocol = bytes[6];
    bytes = bytes.subspan(40);
    for (unsigned headers = 0; headers < most_levels; ++headers) {
        const std::uint8_t next = error.protocol;
        const bool options = next == ip_hop_options || next == ip_routing || next == ip_destination_options;
        if (!options && next != ip_authentication && next != ip_fragment) break;
        if (bytes.size() < 8) return true;
        error.protocol = bytes[0];
        if (next == ip_fragment && (get16(bytes, 2) & 0xfff8U) != 0) return true;  // a later piece: no ports
        const std::size_t size = next == ip_fragment ? 8U : options ? (bytes[1] + 1U) * 8U : (bytes[1] + 2U) * 4U;
        if (bytes.size() < size) return true;
        bytes = bytes.subspan(size);
    }
    read_ports(bytes, error);
    return true;
}

}  // namespace

std::optional<IcmpError> read_icmp(Family family, Bytes message) {
    if (message.size() < 9) return std::nullopt;
    const auto reason = reason_of(family, message[0], message[1]);
    if (!reason) return std::nullopt;
    IcmpError error{.type = message[0], .code = message[1], .reason = *reason};
    const Bytes quoted = message.subspan(8);
    const unsigned version = quoted[0] >> 4U;
    const bool good = version == 4 ? read_quoted4(quoted, error) : version == 6 && read_quoted6(quoted, error);
    return good ? std::optional(error) : std::nullopt;
}

}  // namespace natkit::capture
