#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "natkit/base/error.hpp"
#include "natkit/relay/ports.hpp"

/// What the host must have before the relay's tiers work, as far as it takes root. Each step may be done again.
namespace natkit::io {

/// Keeps the system from giving these ports to programs that name none (net.ipv4.ip_local_reserved_ports, of this
/// network namespace and for IPv6 too); what others reserved stays. Nothing is written where they are reserved already;
/// refused where the system would have fewer than 1,024 left to give.
[[nodiscard]] Result<void> reserve_ports(relay::PortRange ports);

/// Whether the system may give one of these ports to a program that names none (ip_local_port_range, less what is
/// reserved). False where that cannot be told.
[[nodiscard]] bool ports_given_to_others(relay::PortRange ports);

/// A folder of a bpffs that belongs to `user` alone, made where it is not there; a bpffs is mounted where there is none
/// at the folder above, which others may pass through then (o+x). What is in it stays.
[[nodiscard]] Result<void> make_pin_folder(const std::string& folder, const std::string& user);

/// A sentence for each card of this host, of those that are up, whose packets one CPU receives
/// (relay::receive_bottleneck). Interfaces without a device (veth, bridges: those of a container) have no queues to
/// speak of. `interfaces` and `interrupts`: where the kernel tells of them.
[[nodiscard]] std::vector<std::string> receive_bottlenecks(
    const std::filesystem::path& interfaces = "/sys/class/net",
    const std::filesystem::path& interrupts = "/proc/interrupts");

}  // namespace natkit::io
