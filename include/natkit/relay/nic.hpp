#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace natkit::relay {

/// A network card as far as it says who receives its packets.
struct Nic {
    std::string name;
    unsigned receive_queues = 0;
    bool spread = false;               ///< RPS hands its packets to other CPUs
    std::vector<unsigned> interrupts;  ///< numbers
};

/// What makes one CPU receive all packets of the card, in words; nothing where none does, where there is one CPU, and
/// where it cannot be told. `interrupts`: /proc/interrupts, counted since the start of the host. Total.
[[nodiscard]] std::optional<std::string> receive_bottleneck(const Nic& nic, std::string_view interrupts);

}  // namespace natkit::relay
