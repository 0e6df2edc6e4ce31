#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "natkit/capture/decoder.hpp"

namespace natkit::explain {

/// What a capture holds that is not SIP, counted for who wonders why nothing was found. Bounded: 16 link types, 256
/// ports.
class Tally {
  public:
    /// A packet, and what the decoder made of it; null: nothing.
    void add(const capture::Packet& packet, const capture::Datagram* datagram);

    /// "no SIP in 812 frames (Ethernet): 700 of RTP, 12 of RTCP, 96 of TLS, 4 others (UDP port 4500); SIP over TLS
    /// (port 5061) cannot be read".
    [[nodiscard]] std::string text() const;

  private:
    enum class Kind : std::uint8_t { rtp, rtcp, stun, dns, tls, dtls, connection, other, unread };
    [[nodiscard]] static Kind kind_of(const capture::Datagram& datagram);
    void count_port(const capture::Datagram& datagram);

    std::uint64_t frames_ = 0;
    std::array<std::uint64_t, 9> counts_{};                          ///< by Kind
    std::map<int, std::uint64_t> link_types_;                        ///< frames
    std::map<int, std::uint64_t> unread_;                            ///< of them those without UDP and TCP
    std::map<std::pair<bool, std::uint16_t>, std::uint64_t> ports_;  ///< of others: whether TCP, port; frames
    bool sips_ = false;                                              ///< TLS at port 5061
};

}  // namespace natkit::explain
