#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "natkit/base/ip.hpp"

namespace natkit::capture {

/// Puts the fragments of IP datagrams together (RFC 791, RFC 8200 section 4.5), in any order, each once or more; of
/// bytes that come twice the first stay. Bounded: 128 datagrams, of which the one without news for longest gives way.
class Reassembly {
  public:
    struct Key {
        IpAddress source, destination;
        std::uint32_t id = 0;
        std::uint8_t protocol = 0;
        auto operator<=>(const Key&) const = default;
    };

    /// One piece, at `offset` of the datagram's payload; `more`: others follow it. The whole payload when it was the
    /// last that was missing, valid until the next call.
    [[nodiscard]] std::optional<std::span<const std::uint8_t>> add(const Key& key, std::uint32_t offset, bool more,
                                                                   std::span<const std::uint8_t> piece,
                                                                   std::uint64_t frame);

  private:
    struct Fragments {
        std::vector<std::uint8_t> bytes;
        std::vector<std::pair<std::uint32_t, std::uint32_t>> holes;  ///< [first, last) not here yet
        std::optional<std::uint32_t> total;
        std::uint64_t frame = 0;
    };

    [[nodiscard]] Fragments& fragments_of(const Key& key, std::uint64_t frame);
    static void fill_holes(Fragments& all, std::uint32_t offset, std::span<const std::uint8_t> piece);

    std::map<Key, Fragments> pending_;
    std::vector<std::uint8_t> whole_;  ///< the last one put together
};

}  // namespace natkit::capture
