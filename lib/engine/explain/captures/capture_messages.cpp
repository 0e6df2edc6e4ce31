#include "natkit/engine/explain/captures/capture_messages.hpp"

#include <algorithm>
#include <utility>

#include "natkit/engine/explain/input.hpp"

namespace natkit::explain {
namespace {

/// SIP in a datagram: what RTP, RTCP and STUN cannot begin with, checked cheaply first.
bool is_sip(std::string_view payload) {
    payload.remove_prefix(std::min(payload.find_first_not_of("\r\n"), payload.size()));
    return !payload.empty() && payload[0] > ' ' && payload[0] < 0x7f && starts_message(payload);
}

}  // namespace

CaptureMessages::CaptureMessages(OnMessage on_message, CaptureEvents events)
    : on_message_(std::move(on_message)), events_(std::move(events)) {
    decoder_.on_icmp_error = events_.on_icmp_error;
    decoder_.on_lost_fragments = events_.on_lost_fragments;
}

void CaptureMessages::on_tcp_message(SipOverTcp::Found&& found) {
    found_ = true;
    on_message_({.seen = found.seen,
                 .transport = "tcp",
                 .source = found.source,
                 .destination = found.destination,
                 .cut = found.cut,
                 .bytes = std::move(found.bytes)});
}

void CaptureMessages::on_packet(const capture::Packet& packet) {
    const auto datagram = decoder_.decode(packet);
    if (!found_) tally_.add(packet, datagram ? &*datagram : nullptr);
    if (datagram) on_datagram(*datagram);
    while (decoder_.more()) {
        if (const auto next = decoder_.decode_more()) on_datagram(*next);
    }
}

void CaptureMessages::on_datagram(const capture::Datagram& datagram) {
    const bool tcp = datagram.protocol == capture::Datagram::Protocol::tcp;
    if (tcp && !datagram.whole) {
        if (events_.on_segment) events_.on_segment(datagram);
        tcp_.on_segment(datagram, [this](SipOverTcp::Found&& found) { on_tcp_message(std::move(found)); });
        return;
    }
    const std::string_view payload(reinterpret_cast<const char*>(datagram.payload.data()), datagram.payload.size());
    if (is_sip(payload)) {
        found_ = true;
        on_message_({.seen = datagram.seen,
                     .transport = tcp ? "tcp" : "udp",
                     .source = datagram.source,
                     .destination = datagram.destination,
                     .cut = datagram.cut,
                     .bytes = std::string(payload)});
    } else if (events_.on_media && !tcp) {
        events_.on_media({.seen = datagram.seen,
                          .source = datagram.source,
                          .destination = datagram.destination,
                          .payload = datagram.payload});
    }
}

void CaptureMessages::finish() {
    decoder_.finish();
    tcp_.finish([this](SipOverTcp::Found&& found) { on_tcp_message(std::move(found)); });
}

}  // namespace natkit::explain
