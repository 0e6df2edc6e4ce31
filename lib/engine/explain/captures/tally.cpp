#include "natkit/engine/explain/captures/tally.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include "natkit/rtp/packet.hpp"

namespace natkit::explain {
namespace {

constexpr std::size_t most_link_types = 16;
constexpr std::size_t most_ports = 256;
constexpr std::size_t shown_ports = 4;
constexpr std::uint16_t tls_port = 5061;

using Bytes = std::span<const std::uint8_t>;

bool at_port(const capture::Datagram& datagram, std::uint16_t port) {
    return datagram.source.port == port || datagram.destination.port == port;
}

bool is_tls(Bytes bytes) {  // a record of TLS 1.0 and later, RFC 8446 section 5.1
    return bytes.size() >= 5 && bytes[0] >= 20 && bytes[0] <= 24 && bytes[1] == 3 && bytes[2] <= 4;
}

bool is_dtls(Bytes bytes) {  // RFC 9147 section 4, RFC 7983
    return bytes.size() >= 13 && bytes[0] >= 20 && bytes[0] <= 63 && bytes[1] == 0xfe;
}

/// The names of https://www.tcpdump.org/linktypes.html, for people.
std::string link_name(int type) {
    constexpr std::array<std::pair<int, std::string_view>, 14> names = {{{0, "BSD loopback"},
                                                                         {1, "Ethernet"},
                                                                         {9, "PPP"},
                                                                         {12, "raw IP"},
                                                                         {51, "PPPoE"},
                                                                         {101, "raw IP"},
                                                                         {105, "802.11"},
                                                                         {108, "BSD loopback"},
                                                                         {113, "Linux cooked"},
                                                                         {127, "802.11 with radiotap"},
                                                                         {192, "802.11 with PPI"},
                                                                         {228, "raw IPv4"},
                                                                         {229, "raw IPv6"},
                                                                         {276, "Linux cooked v2"}}};
    if (type == capture::link_type_hep) return "HEP";
    const auto* const known = std::ranges::find(names, type, &std::pair<int, std::string_view>::first);
    if (known != names.end()) return std::string(known->second);
    return "link type " + std::to_string(type) + ", which is not known here";
}

bool is_wifi(int type) {
    return type == 105 || type == 127 || type == 192;
}

std::string plural(std::uint64_t count, std::string_view what) {
    return std::to_string(count) + " " + std::string(what) + (count == 1 ? "" : "s");
}

std::string joined(const std::vector<std::string>& parts) {
    std::string all;
    for (const std::string& part : parts) all += (all.empty() ? "" : ", ") + part;
    return all;
}

}  // namespace

Tally::Kind Tally::kind_of(const capture::Datagram& datagram) {
    const Bytes bytes = datagram.payload;
    if (datagram.protocol == capture::Datagram::Protocol::tcp) {
        if (bytes.empty()) return Kind::connection;
        return is_tls(bytes) ? Kind::tls : at_port(datagram, 53) ? Kind::dns : Kind::other;
    }
    if (at_port(datagram, 53) || at_port(datagram, 5353)) return Kind::dns;
    if (rtp::is_stun(bytes)) return Kind::stun;
    if (is_dtls(bytes)) return Kind::dtls;
    if (bytes.size() < 8 || (bytes[0] & 0xc0U) != 0x80) return Kind::other;
    if (bytes[1] >= 192 && bytes[1] <= 223) return Kind::rtcp;  // RFC 5761 section 4
    return bytes.size() >= 12 ? Kind::rtp : Kind::other;
}

/// The lower port is most often the server's.
void Tally::count_port(const capture::Datagram& datagram) {
    const bool tcp = datagram.protocol == capture::Datagram::Protocol::tcp;
    const auto key = std::pair(tcp, std::min(datagram.source.port, datagram.destination.port));
    if (ports_.size() < most_ports || ports_.contains(key)) ++ports_[key];
}

void Tally::add(const capture::Packet& packet, const capture::Datagram* datagram) {
    ++frames_;
    if (link_types_.size() < most_link_types || link_types_.contains(packet.link_type)) ++link_types_[packet.link_type];
    const Kind kind = datagram == nullptr ? Kind::unread : kind_of(*datagram);
    ++counts_[static_cast<std::size_t>(kind)];
    if (kind == Kind::unread && (unread_.size() < most_link_types || unread_.contains(packet.link_type)))
        ++unread_[packet.link_type];
    if (datagram == nullptr) return;
    if (kind == Kind::other) count_port(*datagram);
    if (datagram->protocol == capture::Datagram::Protocol::tcp && at_port(*datagram, tls_port)) sips_ = true;
}

std::string Tally::text() const {
    if (frames_ == 0) return "no SIP: the capture has no frames";
    constexpr std::array<std::string_view, 9> names = {
        "RTP", "RTCP", "STUN", "DNS", "TLS", "DTLS", "TCP without data", "others", "neither UDP nor TCP"};
    std::vector<std::string> links;
    links.reserve(link_types_.size());
    for (const auto& [type, frames] : link_types_) links.push_back(link_name(type));
    std::vector<std::pair<std::uint64_t, std::pair<bool, std::uint16_t>>> ports;
    ports.reserve(ports_.size());
    for (const auto& [port, frames] : ports_) ports.emplace_back(frames, port);
    std::ranges::sort(ports, std::greater());
    std::vector<std::string> shown;
    for (std::size_t i = 0; i < std::min(shown_ports, ports.size()); ++i)
        shown.push_back((ports[i].second.first ? "TCP port " : "UDP port ") + std::to_string(ports[i].second.second));
    if (ports.size() > shown_ports) shown.emplace_back("…");
    std::vector<std::string> kinds;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        if (counts_[i] == 0) continue;
        kinds.push_back(std::to_string(counts_[i]) + " " + std::string(names[i]));
        if (static_cast<Kind>(i) == Kind::other) kinds.back() += " (" + joined(shown) + ")";
    }
    std::string text = "no SIP in " + plural(frames_, "frame") + " (" + joined(links) + "): " + joined(kinds);
    if (sips_) text += "; SIP over TLS (port 5061) cannot be read";
    const bool wifi = std::ranges::any_of(unread_, [](const auto& one) { return is_wifi(one.first); });
    if (wifi) text += "; encrypted frames of 802.11 cannot be read";
    return text;
}

}  // namespace natkit::explain
