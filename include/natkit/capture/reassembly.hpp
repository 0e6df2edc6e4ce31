#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "natkit/base/ip.hpp"
#include "natkit/capture/sighting.hpp"

namespace natkit::capture {

/// Puts the fragments of IP datagrams together (RFC 791, RFC 8200 section 4.5), in any order, each once or more; of
/// bytes that come twice the first stay. A datagram without news for 10 s is given up, as systems do after 15 to 60 s
/// of waiting. Bounded: 128 datagrams, of which the one without news for longest gives way.
class Reassembly {
  public:
    struct Key {
        IpAddress source, destination;
        std::uint32_t id = 0;
        std::uint8_t protocol = 0;
        auto operator<=>(const Key&) const = default;
    };
    struct Piece {
        std::uint32_t offset = 0;  ///< in the datagram's payload
        bool more = false;         ///< others follow it
        bool cut = false;          ///< the capture has less of it than was sent
        std::span<const std::uint8_t> bytes;
    };
    /// A datagram that never became whole.
    struct Incomplete {
        Key key;
        Sighting first;                       ///< its first piece
        std::span<const std::uint8_t> begin;  ///< from its first byte up to the first gap; empty: that is missing
        unsigned pieces = 0;
        bool end_seen = false;           ///< the last fragment was there
        bool cut = false;                ///< some of its pieces were longer than what the capture has of them
        bool later_pieces_seen = false;  ///< of this or any datagram: the capture's filter lets them pass
    };

    /// Called from within the other functions; may be empty. Not for a datagram that was whole as another copy.
    std::function<void(const Incomplete&)> on_incomplete;

    /// The whole payload when this was the last piece that was missing, valid until the next call.
    [[nodiscard]] std::optional<std::span<const std::uint8_t>> add(const Key& key, const Piece& piece,
                                                                   const Sighting& seen);
    /// Gives up what has waited too long. Cheap where nothing has.
    void on_time(std::int64_t now_ns);
    /// No more packets will come: gives up all.
    void finish();

  private:
    struct Fragments {
        std::vector<std::uint8_t> bytes;
        std::vector<std::pair<std::uint32_t, std::uint32_t>> holes;  ///< [first, last) not here yet
        std::optional<std::uint32_t> total;
        Sighting first, last;
        unsigned pieces = 0;
        bool cut = false;
    };
    using Pending = std::map<Key, Fragments>;

    [[nodiscard]] Fragments& fragments_of(const Key& key, const Sighting& seen);
    static void fill_holes(Fragments& all, const Piece& piece);
    Pending::iterator give_up(Pending::iterator datagram);
    [[nodiscard]] bool was_whole(const Key& key, std::int64_t time_ns) const;

    Pending pending_;
    std::int64_t oldest_ns_ = 0;                         ///< no pending datagram had its last piece before
    std::deque<std::pair<Key, std::int64_t>> complete_;  ///< the latest 128, with the time of their last piece
    std::vector<std::uint8_t> whole_;                    ///< the last one put together
    bool later_pieces_seen_ = false;
};

}  // namespace natkit::capture
