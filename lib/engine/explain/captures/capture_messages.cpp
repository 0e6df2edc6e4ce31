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
    on_message({.frame = found.frame,
                .time_ns = found.time_ns,
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
        tcp_.on_segment(*datagram, packet.frame, packet.time_ns,
                        [this](SipOverTcp::Found&& found) { on_tcp_message(std::move(found)); });
        return;
    }
    const std::string_view payload(reinterpret_cast<const char*>(datagram->payload.data()), datagram->payload.size());
    if (is_sip(payload)) {
        on_message({.frame = packet.frame,
                    .time_ns = packet.time_ns,
                    .transport = "udp",
                    .source = datagram->source,
                    .destination = datagram->destination,
                    .cut = datagram->cut,
                    .bytes = std::string(payload)});
    } else if (on_media) {
        on_media({.frame = packet.frame,
                  .time_ns = packet.time_ns,
                  .source = datagram->source,
                  .destination = datagram->destination,
                  .payload = datagram->payload});
    }
}

Result<void> CaptureMessages::run(capture::PacketReader& reader) {
    for (;;) {
        const auto packet = reader.next();
        if (!packet || !*packet) {
            tcp_.finish([this](SipOverTcp::Found&& found) { on_tcp_message(std::move(found)); });
            return packet ? Result<void>() : std::unexpected(packet.error());
        }
        on_packet(**packet);
        if (on_progress && (*packet)->frame % 16'384 == 0) on_progress();
    }
}

}  // namespace natkit::explain
