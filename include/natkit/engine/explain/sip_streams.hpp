#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>

#include "natkit/capture/decoder.hpp"

namespace natkit::explain {

/// Finds SIP messages in captured TCP segments: many in one, one over many, segments out of order, again or lost.
/// Connections that do not begin with SIP cost nothing. Bounded: 1024 directions of 512 kB at most.
class SipStreams {
  public:
    using OnMessage = std::function<void(std::string&& bytes)>;

    /// One segment; calls back for each message that it completes.
    void on_segment(const capture::Datagram& segment, std::uint64_t frame, const OnMessage& on_message);

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
    struct Stream {
        std::uint32_t next = 0;                           ///< sequence number of the first byte not in `buffer`
        std::string buffer = {};                          ///< in order, from the start of a message
        std::map<std::uint32_t, std::string> later = {};  ///< segments ahead of a gap
        std::uint64_t frame = 0;
    };

    [[nodiscard]] Stream* stream_for(const Key& key, const capture::Datagram& segment, std::uint64_t frame);
    [[nodiscard]] static bool append(Stream& stream, std::uint32_t sequence, std::string_view bytes);
    [[nodiscard]] static bool take_messages(Stream& stream, const OnMessage& on_message);

    std::unordered_map<Key, Stream, KeyHash> streams_;
};

}  // namespace natkit::explain
