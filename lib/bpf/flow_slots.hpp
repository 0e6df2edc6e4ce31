#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <vector>

#include "natkit/bpf/flow_table.hpp"

namespace natkit::bpf {

/// The free slots of the flow table. One that was released rests for a second: what a packet under way may still read
/// stays as it was.
class FlowSlots {
  public:
    using Slot = FlowTable::Slot;

    FlowSlots() = default;
    /// By slot, whether it has a flow already.
    explicit FlowSlots(const std::vector<bool>& used);

    /// The lowest: flows that lie close together are found soonest.
    [[nodiscard]] std::optional<Slot> take(Instant now);
    void release(Slot slot, Instant now) { resting_.push_back({.slot = slot, .since = now}); }

  private:
    struct Resting {
        Slot slot;
        Instant since;
    };
    std::priority_queue<Slot, std::vector<Slot>, std::greater<>> free_;
    std::deque<Resting> resting_;
};

}  // namespace natkit::bpf
