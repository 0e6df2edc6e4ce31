#include "natkit/proxy/proven.hpp"

#include <chrono>
#include <utility>

namespace natkit::proxy {
namespace {

/// An address is somebody else's in time.
constexpr std::chrono::minutes good_for{10};

}  // namespace

void Proven::note(const Endpoint& remote, Instant now) {
    if (young_.size() >= most_ / 2 && !young_.contains(remote)) old_ = std::exchange(young_, {});
    young_[remote] = now;
}

bool Proven::knows(const Endpoint& remote, Instant now) const {
    for (const auto* heard : {&young_, &old_}) {
        if (const auto found = heard->find(remote); found != heard->end()) return found->second + good_for > now;
    }
    return false;
}

}  // namespace natkit::proxy
