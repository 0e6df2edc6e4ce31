#pragma once

#include <cstdint>
#include <optional>

#include "natkit/base/endpoint.hpp"

namespace natkit::diagnose {

/// A TCP connection as its segments show it, whatever they carry.
struct TcpConnection {
    /// What one side sent.
    struct Half {
        std::uint64_t segments = 0;  ///< with data
        std::uint64_t again = 0;     ///< of them those with bytes that had been sent before; copies are none
        std::int64_t last_ns = 0;    ///< of any segment, data or not; 0: none
        std::uint64_t after_close = 0;
        /// Since when the other side has not acknowledged what was sent, and the frame that it was first sent in.
        std::optional<std::int64_t> unacknowledged_ns = {};
        std::uint64_t unacknowledged_frame = 0;
    };
    /// The first FIN or RST.
    struct Close {
        std::uint64_t frame = 0;
        std::int64_t time_ns = 0;
        bool by_client = false;
        bool reset = false;
    };

    Endpoint client;  ///< who sent the SYN; who was heard first where the capture begins later
    Endpoint server;
    std::uint64_t first_frame = 0;
    std::int64_t first_ns = 0, last_ns = 0;
    unsigned syns = 0;      ///< that the client sent, copies not counted; 0: the capture begins later
    bool accepted = false;  ///< the server answered one with SYN and ACK
    std::optional<Close> closed = {};
    Half from_client = {}, from_server = {};

    /// A SYN that was answered by RST: nobody listens, or a firewall says so.
    [[nodiscard]] bool refused() const noexcept {
        return syns > 0 && !accepted && closed && closed->reset && !closed->by_client;
    }
};

}  // namespace natkit::diagnose
