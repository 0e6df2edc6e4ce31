#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "natkit/base/hash.hpp"
#include "natkit/base/recent.hpp"
#include "natkit/capture/decoder.hpp"
#include "natkit/diagnose/tcp_connection.hpp"

namespace natkit::explain {

/// What became of the TCP connections of a capture: begun, refused, left unanswered, closed by whom. A SYN between
/// ports that were used before begins another one. Bounded: 4096 connections and 4096 that are over, of which those
/// without news for longest give way.
class TcpConnections {
  public:
    void on_segment(const capture::Datagram& segment);

    /// Those with something to tell that were there between these times: not accepted, closed, or not acknowledged;
    /// those that are over first.
    [[nodiscard]] std::vector<diagnose::TcpConnection> troubled(std::int64_t first_ns, std::int64_t last_ns) const;

  private:
    struct Key {
        Endpoint low, high;
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept {
            return EndpointHash()(key.low) * hash::golden + EndpointHash()(key.high);
        }
    };
    /// Sequence numbers of one side.
    struct Numbers {
        bool known = false;
        std::uint32_t next = 0;   ///< behind all that was sent
        std::uint32_t acked = 0;  ///< what the other side has
        std::uint32_t last = 0;   ///< of the segment before, and when: a copy of it comes within 5 ms
        std::int64_t last_ns = 0;
    };
    struct Followed {
        diagnose::TcpConnection connection;
        Numbers client, server;
        std::uint32_t syn = 0;
        std::int64_t syn_ns = 0;
    };

    [[nodiscard]] static Key key_of(const Endpoint& a, const Endpoint& b);
    [[nodiscard]] Followed& followed(const capture::Datagram& segment);
    static void note_syn(Followed& one, const capture::Datagram& segment, bool by_client);
    static void note_data(diagnose::TcpConnection::Half& half, Numbers& numbers, const capture::Datagram& segment);
    static void note_acknowledged(diagnose::TcpConnection::Half& half, Numbers& numbers, std::uint32_t acknowledged);

    Recent<Key, Followed, KeyHash> open_{4096};
    std::vector<diagnose::TcpConnection> over_;  ///< their ports were used again; a ring
    std::size_t oldest_ = 0;                     ///< of the ring, once it is full
};

}  // namespace natkit::explain
