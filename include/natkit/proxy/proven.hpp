#pragma once

#include <cstddef>
#include <unordered_map>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/time.hpp"

namespace natkit::proxy {

/// Who has answered something that was sent there, and so is where its packets say: over UDP anybody can write any
/// source on a packet, but only who is there can know what came. Pure, bounded: the half that was heard of longest ago
/// is forgotten first.
class Proven {
  public:
    explicit Proven(std::size_t most = 20'000) : most_(most) {}

    void note(const Endpoint& remote, Instant now);
    [[nodiscard]] bool knows(const Endpoint& remote, Instant now) const;

  private:
    std::size_t most_;
    std::unordered_map<Endpoint, Instant, EndpointHash> young_, old_;  ///< when it was heard of last
};

}  // namespace natkit::proxy
