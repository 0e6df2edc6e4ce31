#include "natkit/relay/nic.hpp"

#include <doctest/doctest.h>

using namespace natkit::relay;

namespace {

constexpr const char* two_cpus =
    "           CPU0       CPU1       \n"
    " 24:          1          0  IO-APIC   5-edge      ACPI:Ged\n"
    " 40:      90000          0 PCI-MSIX-0000:00:04.0   1-edge      virtio3-input.0\n"
    " 41:      10000          5 PCI-MSIX-0000:00:04.0   2-edge      virtio3-input.1\n"
    " 42:        100      90000 PCI-MSIX-0000:00:04.0   3-edge      virtio3-input.2\n"
    " 43:        100        100 PCI-MSIX-0000:00:04.0   4-edge      virtio3-input.3\n"
    "NMI:          0          0   Non-maskable interrupts\n"
    "ERR:          0\n";
constexpr const char* one_cpu =
    "           CPU0       \n"
    " 40:      90000 PCI-MSIX-0000:00:04.0   1-edge      virtio3-input.0\n";

}  // namespace

TEST_CASE("relay::receive_bottleneck: whether one CPU receives all packets of a card") {
    struct Case {
        const char* why;
        Nic nic;
        const char* interrupts;
        const char* want;
    };
    const Case cases[] = {
        {"one queue",
         {"eth0", 1, false, {40}},
         two_cpus,
         "eth0 has one receive queue: one CPU receives all its packets"},
        {"one queue, spread by RPS", {"eth0", 1, true, {40}}, two_cpus, ""},
        {"one queue, one CPU", {"eth0", 1, false, {40}}, one_cpu, ""},
        {"two queues, one CPU has both (but for a few, from the start)",
         {"eth0", 2, false, {40, 41}},
         two_cpus,
         "all interrupts of eth0 are on CPU0: one CPU receives all its packets"},
        {"two queues, two CPUs", {"eth0", 2, false, {40, 42}}, two_cpus, ""},
        {"the other CPU",
         {"eth1", 2, false, {42}},
         two_cpus,
         "all interrupts of eth1 are on CPU1: one CPU receives all its packets"},
        {"too few to tell", {"eth0", 2, false, {43}}, two_cpus, ""},
        {"interrupts that nobody lists", {"eth0", 2, false, {99}}, two_cpus, ""},
        {"no interrupts known", {"eth0", 2, false, {}}, two_cpus, ""},
        {"no queues known", {"eth0", 0, false, {40}}, two_cpus, ""},
        {"no list of interrupts", {"eth0", 1, false, {40}}, "", ""},
        {"something else", {"eth0", 4, false, {40}}, "CPU0 CPU1\n40: x\n:\n\n40:", ""},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(receive_bottleneck(c.nic, c.interrupts).value_or("") == c.want);
    }
}
