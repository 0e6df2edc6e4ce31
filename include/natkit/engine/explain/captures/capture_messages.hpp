#pragma once

#include <functional>
#include <string>

#include "natkit/capture/decoder.hpp"
#include "natkit/engine/explain/captures/sip_over_tcp.hpp"
#include "natkit/engine/explain/captures/tally.hpp"

namespace natkit::explain {

/// A SIP message out of a capture.
struct CapturedMessage {
    capture::Sighting seen;  ///< where it was complete
    const char* transport = "udp";
    Endpoint source;
    Endpoint destination;
    bool cut = false;  ///< the capture has less of it than was sent
    std::string bytes;
};

/// A UDP datagram that is not SIP: RTP, RTCP, STUN, or something else. Valid during the call only.
struct CapturedMedia {
    const capture::Sighting& seen;
    const Endpoint& source;
    const Endpoint& destination;
    std::span<const std::uint8_t> payload;
};

/// What a capture tells besides messages; each may be empty.
struct CaptureEvents {
    std::function<void(const CapturedMedia&)> on_media;
    std::function<void(const capture::Datagram&)> on_segment;  ///< each TCP segment, with data or without
    std::function<void(const capture::IcmpError&)> on_icmp_error;
    std::function<void(const capture::LostFragments&)> on_lost_fragments;
};

/// Takes the packets of a capture and hands out its SIP messages and what else it tells, in order. Only a message whose
/// TCP segment is missing, and lost fragments, come later.
class CaptureMessages {
  public:
    using OnMessage = std::function<void(CapturedMessage&&)>;

    CaptureMessages(OnMessage on_message, CaptureEvents events);

    void on_packet(const capture::Packet& packet);
    /// The capture is at its end: what waits for a segment or a fragment.
    void finish();

    /// What was there instead, while there has been no message; nothing once there was one.
    [[nodiscard]] const Tally* without_sip() const noexcept { return found_ ? nullptr : &tally_; }

  private:
    void on_datagram(const capture::Datagram& datagram);
    void on_tcp_message(SipOverTcp::Found&& found);

    OnMessage on_message_;
    CaptureEvents events_;
    capture::Decoder decoder_;
    SipOverTcp tcp_;
    Tally tally_;
    bool found_ = false;  ///< a message
};

}  // namespace natkit::explain
