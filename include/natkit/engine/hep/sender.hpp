#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/time.hpp"
#include "natkit/hep/packet.hpp"
#include "natkit/io/fd.hpp"

namespace natkit::hep {

/// What all threads of a program have made of their packets.
struct Counters {
    std::atomic<std::uint64_t> sent = 0;     ///< given to the network
    std::atomic<std::uint64_t> dropped = 0;  ///< could not be sent at once, or the collector refused one before
};

/// Where packets go, and who is said to have captured them.
struct Destination {
    std::optional<Endpoint> collector;  ///< nothing: its name is not known yet, and packets are dropped
    std::uint32_t agent = 0;
    std::string node;

    friend bool operator==(const Destination&, const Destination&) = default;
};

/// Sends the packets of one thread to a collector, and waits for nothing: what the system does not take at once is
/// dropped and counted.
class Sender {
  public:
    explicit Sender(std::shared_ptr<Counters> counters) : counters_(std::move(counters)) {}

    /// Nothing: send() does nothing any more.
    void set(std::optional<Destination> destination);
    [[nodiscard]] bool on() const noexcept { return destination_.has_value(); }
    /// `time_ns`, `agent` and `node` are set here. No allocation, but for a socket that is made anew.
    void send(Packet packet);

  private:
    [[nodiscard]] bool connect();

    std::shared_ptr<Counters> counters_;
    std::optional<Destination> destination_;
    io::Fd socket_;
    Instant retry_at_{};                                                ///< when a socket that failed may be made anew
    std::unique_ptr<std::array<std::uint8_t, largest_datagram>> room_;  ///< for a packet; while there is a destination
};

}  // namespace natkit::hep
