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

void CaptureMessages::on_tcp_message(SipOverTcp::Found&& found) {
    on_message({.seen = found.seen,
                .transport = "tcp",
                .source = found.source,
                .destination = found.destination,
                .cut = found.cut,
                .bytes = std::move(found.bytes)});
}

void CaptureMessages::on_packet(const capture::Packet& packet) {
    const auto datagram = decoder_.decode(packet);
    if (!datagram) return;
    if (datagram->protocol == capture::Datagram::Protocol::tcp) {
        if (events.on_segment) events.on_segment(*datagram);
        tcp_.on_segment(*datagram, [this](SipOverTcp::Found&& found) { on_tcp_message(std::move(found)); });
        return;
    }
    const std::string_view payload(reinterpret_cast<const char*>(datagram->payload.data()), datagram->payload.size());
    if (is_sip(payload)) {
        on_message({.seen = datagram->seen,
                    .transport = "udp",
                    .source = datagram->source,
                    .destination = datagram->destination,
                    .cut = datagram->cut,
                    .bytes = std::string(payload)});
    } else if (events.on_media) {
        events.on_media({.seen = datagram->seen,
                         .source = datagram->source,
                         .destination = datagram->destination,
                         .payload = datagram->payload});
    }
}

Result<void> CaptureMessages::run(capture::PacketReader& reader) {
    decoder_.on_icmp_error = events.on_icmp_error;
    decoder_.on_lost_fragments = events.on_lost_fragments;
    for (;;) {
        const auto packet = reader.next();
        if (!packet || !*packet) {
            decoder_.finish();
            tcp_.finish([this](SipOverTcp::Found&& found) { on_tcp_message(std::move(found)); });
            return packet ? Result<void>() : std::unexpected(packet.error());
        }
        on_packet(**packet);
        if (on_progress && (*packet)->frame % 16'384 == 0) on_progress();
    }
}

}  // namespace natkit::explain
