#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

#include "natkit/base/time.hpp"
#include "natkit/engine/hep/sender.hpp"
#include "natkit/relay/udp.hpp"

namespace natkit::relay {

/// What a collector of HEP is sent of the legs of one thread: the reports of RTCP that are relayed, and one on what
/// came from each party at the end of its leg.
class Reports {
  public:
    /// What the collector is told of a leg, and the relay does not know.
    struct About {
        std::string call_id;
        std::array<Endpoint, 2> local;  ///< by component; of a muxed leg both are the first
        WallTime opened{};
    };

    void set(std::shared_ptr<hep::Counters> counters, std::optional<hep::Destination> destination);
    [[nodiscard]] bool on() const noexcept { return sender_ && sender_->on(); }

    void add(LegKey leg, About about) { legs_.insert_or_assign(leg, std::move(about)); }
    /// The leg is another thread's from now on.
    [[nodiscard]] About take(LegKey leg);

    /// While on(): a packet of the leg's party that was relayed. Nothing is sent unless it is RTCP in clear, with a
    /// report.
    void on_packet(const UdpLeg& leg, Component component, const Endpoint& source, std::span<const std::uint8_t> bytes);
    /// The leg is freed: what has come from its party, or should have.
    void on_end(const UdpLeg& leg, Instant now);
    void forget(LegKey leg) { legs_.erase(leg); }

  private:
    void send(hep::Packet::Content content, const Endpoint& source, const Endpoint& destination,
              const std::string& call_id, const std::string& text);

    std::optional<hep::Sender> sender_;
    std::unordered_map<LegKey, About> legs_;
    std::string room_;  ///< for texts
};

}  // namespace natkit::relay
