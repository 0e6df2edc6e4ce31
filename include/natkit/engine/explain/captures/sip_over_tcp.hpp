#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>

#include "natkit/capture/decoder.hpp"

namespace natkit::explain {

/// Finds SIP messages in captured TCP segments: many in one, one over many, segments out of order or again. Where the
/// capture lacks a segment, the message it belonged to is handed out as cut, and reading goes on with the next.
/// Connections that do not begin with SIP cost nothing. Bounded: 1024 directions, of 256 kB and together 12 MB at most;
/// then the one not heard for longest is given up.
class SipOverTcp {
  public:
    struct Found {
        std::string bytes;
        Endpoint source, destination;
        capture::Sighting seen;  ///< the last segment that it took
        bool cut = false;
    };
    using OnMessage = std::function<void(Found&& message)>;

    /// One segment; calls back for each message that it completes.
    void on_segment(const capture::Datagram& segment, const OnMessage& on_message);
    /// The capture is at its end: what waits for a segment that never came.
    void finish(const OnMessage& on_message);
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }  ///< that are held

  private:
    struct Key {
        Endpoint source, destination;
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept {
            return EndpointHash()(key.source) * 31 + EndpointHash()(key.destination);
        }
    };
    struct Direction {                                    ///< of a connection
        std::uint32_t next = 0;                           ///< sequence number of the first byte not in `buffer`
        std::string buffer = {};                          ///< in order, from the start of a message on
        std::map<std::uint32_t, std::string> later = {};  ///< segments ahead of a gap
        std::size_t waiting = 0;                          ///< bytes in `later`
        bool known = false;                               ///< a message was found in it
        bool searching = false;                           ///< the buffer starts within a message
        capture::Sighting seen = {};                      ///< its newest segment

        [[nodiscard]] std::size_t bytes() const noexcept { return buffer.capacity() + waiting; }
    };
    using Directions = std::unordered_map<Key, Direction, KeyHash>;

    [[nodiscard]] Direction* direction_for(const Key& key, const capture::Datagram& segment);
    /// False when it is ahead of a gap that is too large.
    [[nodiscard]] static bool append(Direction& direction, std::uint32_t sequence, std::string_view bytes);
    static void join_later(Direction& direction);
    static void skip_gap(const Key& key, Direction& direction, const OnMessage& on_message);
    [[nodiscard]] static bool take_messages(const Key& key, Direction& direction, const OnMessage& on_message);
    void acknowledge(const capture::Datagram& segment, const OnMessage& on_message);
    void drop(Directions::iterator direction);
    void account(Directions::iterator direction, std::size_t before);
    void close(const Key& key, const OnMessage& on_message);

    Directions directions_;
    std::size_t bytes_ = 0;  ///< of all directions
};

}  // namespace natkit::explain
