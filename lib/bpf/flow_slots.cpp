#include "flow_slots.hpp"

namespace natkit::bpf {

namespace {

using namespace std::chrono_literals;

constexpr Duration rest_time = 1s;

}  // namespace

FlowSlots::FlowSlots(const std::vector<bool>& used) {
    for (std::size_t slot = 0; slot < used.size(); ++slot) {
        if (!used[slot]) free_.push(static_cast<Slot>(slot));
    }
}

std::optional<FlowSlots::Slot> FlowSlots::take(Instant now) {
    while (!resting_.empty() && now - resting_.front().since >= rest_time) {
        free_.push(resting_.front().slot);
        resting_.pop_front();
    }
    if (free_.empty()) return std::nullopt;
    const Slot slot = free_.top();
    free_.pop();
    return slot;
}

}  // namespace natkit::bpf
