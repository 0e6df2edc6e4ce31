#pragma once

#include <functional>
#include <string>

#include "natkit/capture/decoder.hpp"
#include "natkit/engine/explain/captures/sip_over_tcp.hpp"

namespace natkit::explain {

/// A SIP message out of a capture.
struct CapturedMessage {
    std::uint64_t frame = 0;  ///< where it was complete
    std::int64_t time_ns = 0;
    const char* transport = "udp";
    Endpoint source;
    Endpoint destination;
    bool cut = false;  ///< the capture has less of it than was sent
    std::string bytes;
};

/// A UDP datagram that is not SIP: RTP, RTCP, STUN, or something else. Valid during the call only.
struct CapturedMedia {
    std::uint64_t frame = 0;
    std::int64_t time_ns = 0;
    const Endpoint& source;
    const Endpoint& destination;
    std::span<const std::uint8_t> payload;
};

/// Reads a capture to its end and hands out its SIP messages and its media, in order. Only a message whose TCP segment
/// is missing comes later.
class CaptureMessages {
  public:
    std::function<void(CapturedMessage&&)> on_message;
    std::function<void(const CapturedMedia&)> on_media;  ///< may be empty
    std::function<void()> on_progress;                   ///< every 16,384 packets; may be empty

    /// Errc::bad_input for a broken capture, after what was good.
    [[nodiscard]] Result<void> run(capture::PacketReader& reader);

  private:
    void on_packet(const capture::Packet& packet);
    void on_tcp_message(SipOverTcp::Found&& found);

    capture::Decoder decoder_;
    SipOverTcp tcp_;
};

}  // namespace natkit::explain
