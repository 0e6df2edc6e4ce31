#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/recent.hpp"
#include "natkit/base/time.hpp"

namespace natkit::proxy {

/// Where those clients listen that send by UDP from one port, name another one in their Via, and ask for no rport
/// (RFC 3581). RFC 3261 section 18.2.2 answers them at the port of the Via; but a NAT's ALG that makes the Via's host
/// the public address, and leaves its port, looks the same, and there only the source port serves. Who has not heard an
/// answer repeats its request (RFC 3261 section 17.1): that tells the two apart, and is remembered.
/// Pure, bounded: who was not heard of for longest is forgotten first.
class ReplyPorts {
  public:
    struct Where {
        Endpoint to;                     ///< where the client is answered, and called
        std::optional<Endpoint> also{};  ///< the answer goes there too: this request has come before
        std::optional<Endpoint> was{};   ///< by this repetition `to` has changed: what it was for the same request
    };

    explicit ReplyPorts(std::size_t most = 20'000) : clients_(most) {}

    /// A request other than ACK has come. `request` tells it from others of this client, and is the same for its
    /// repetitions.
    [[nodiscard]] Where on_request(const Endpoint& source, std::uint16_t via_port, std::uint64_t request, Instant now);
    /// Where that client is answered, as far as is known.
    [[nodiscard]] Endpoint known(const Endpoint& source, std::uint16_t via_port);

  private:
    struct Request {
        std::uint64_t print = 0;
        bool at_source = false;  ///< where it was answered when it came first
    };
    struct Client {
        bool at_source = false;  ///< it is answered at its source port
        bool proved = false;     ///< it has heard an answer there: otherwise it would have repeated its request
        bool repeated = false;   ///< its newest request
        std::uint8_t misses = 0;
        std::array<Request, 4> requests{};  ///< the newest, in a circle
        std::uint8_t next = 0;
        std::optional<Instant> newest;
    };

    Recent<Endpoint, Client, EndpointHash> clients_;  ///< by address, and the port of the Via
};

}  // namespace natkit::proxy
