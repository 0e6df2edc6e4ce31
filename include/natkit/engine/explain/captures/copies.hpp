#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>

#include "natkit/base/endpoint.hpp"

namespace natkit::explain {

/// The same packet, captured before.
struct Copy {
    std::uint64_t frame = 0;         ///< of the first one
    bool source_translated = false;  ///< a NAT on the capturing machine changed the source
    bool destination_translated = false;
    Endpoint source = {}, destination = {};  ///< of the first one
};

/// Recognises packets that a capture has twice: taken on two interfaces of one machine, on both sides of its NAT
/// perhaps. Retransmissions come later, between the same endpoints, and are none. Remembers 1024 packets.
class CopyFinder {
  public:
    [[nodiscard]] std::optional<Copy> find(std::uint64_t frame, std::int64_t time_ns, const Endpoint& source,
                                           const Endpoint& destination, std::string_view bytes);

  private:
    struct Seen {
        std::size_t hash = 0;
        std::uint64_t frame = 0;
        std::int64_t time_ns = 0;
        Endpoint source, destination;
        std::size_t size = 0;
    };
    std::deque<Seen> seen_;  ///< oldest first
};

}  // namespace natkit::explain
