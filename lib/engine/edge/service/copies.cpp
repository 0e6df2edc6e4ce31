// What a collector of HEP is sent: a copy of each message that came or went.
#include "natkit/sip/message/peek.hpp"
#include "service_impl.hpp"

namespace natkit::edge {

void Service::Impl::copy_received(const sip::Flow& flow, std::string_view message) {
    copy(flow, flow.remote, flow.transport == sip::Transport::udp ? flow.local : streams.local_of(flow), message);
}

void Service::Impl::copy_sent(const sip::Packet& packet) {
    if (!collector.on()) return;
    const sip::Flow& flow = packet.flow;
    copy(flow, flow.transport == sip::Transport::udp ? flow.local : streams.local_of(flow), flow.remote, *packet.bytes);
}

/// Keep-alives, and what no phone has sent, are left out: collectors complain of them.
void Service::Impl::copy(const sip::Flow& flow, const Endpoint& source, const Endpoint& destination,
                         std::string_view message) {
    if (!sip::looks_like_message(message)) return;
    collector.send({.source = source,
                    .destination = destination,
                    .protocol = flow.transport == sip::Transport::udp ? hep::over_udp : hep::over_tcp,
                    .content = hep::Packet::Content::sip,
                    .payload = {reinterpret_cast<const std::uint8_t*>(message.data()), message.size()},
                    .correlation = edge.media().first_call_id(sip::peek_call_id(message))});
}

}  // namespace natkit::edge
