#include "natkit/io/host_setup.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

using namespace natkit;
namespace fs = std::filesystem;

namespace {

/// A host as the kernel shows it in /sys and /proc/interrupts.
class FakeHost {
  public:
    FakeHost() {
        std::string pattern = (fs::temp_directory_path() / "natkit-host-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        root_ = pattern;
        fs::create_directories(interfaces());
    }
    FakeHost(const FakeHost&) = delete;
    FakeHost& operator=(const FakeHost&) = delete;
    ~FakeHost() {
        std::error_code error;
        fs::remove_all(root_, error);
    }

    [[nodiscard]] fs::path interfaces() const { return root_ / "class/net"; }
    [[nodiscard]] fs::path interrupts() const { return root_ / "interrupts"; }

    void write(const fs::path& path, const std::string& text) const {
        fs::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path) << text;
    }

    /// A card that is up; its interface links to its device, as it does in /sys. `plugged`: the interrupts are those
    /// of what the device is plugged into.
    void card(const std::string& name, unsigned queues, unsigned first_interrupt, bool plugged = false) const {
        const fs::path device = root_ / "devices" / ("bus-" + name) / name;
        fs::create_directories(device);
        const fs::path interrupts = plugged ? device.parent_path() / "msi_irqs" : device / "msi_irqs";
        fs::create_directories(interrupts);
        fs::create_directories(interfaces() / name);
        fs::create_directory_symlink(device, interfaces() / name / "device");
        write("class/net/" + name + "/operstate", "up\n");
        for (unsigned queue = 0; queue < queues; ++queue) {
            std::ofstream(interrupts / std::to_string(first_interrupt + queue)) << "msix\n";
            write("class/net/" + name + "/queues/rx-" + std::to_string(queue) + "/rps_cpus", "0\n");
            write("class/net/" + name + "/queues/tx-" + std::to_string(queue) + "/xps_cpus", "3\n");
        }
    }

    [[nodiscard]] std::vector<std::string> told() const { return io::receive_bottlenecks(interfaces(), interrupts()); }

  private:
    fs::path root_;
};

constexpr const char* counts =
    "           CPU0       CPU1\n"
    " 40:      90000          0 PCI-MSIX-0000:00:04.0   1-edge      eth0-rx-0\n"
    " 41:      80000          0 PCI-MSIX-0000:00:04.0   2-edge      eth0-rx-1\n"
    " 50:      90000          0 PCI-MSIX-0000:00:05.0   1-edge      eth1-rx-0\n"
    " 51:          0      90000 PCI-MSIX-0000:00:05.0   2-edge      eth1-rx-1\n";

}  // namespace

TEST_CASE("io::receive_bottlenecks: a card of one receive queue, unless its packets are handed on") {
    const FakeHost host;
    host.write("interrupts", counts);
    host.card("eth0", 1, 40);
    CHECK(host.told() == std::vector<std::string>{"eth0 has one receive queue: one CPU receives all its packets"});
    host.write("class/net/eth0/queues/rx-0/rps_cpus", "00000000,00000003\n");
    CHECK(host.told().empty());
}

TEST_CASE("io::receive_bottlenecks: a card whose interrupts are all on one CPU, its own or those of its bus") {
    for (const bool plugged : {false, true}) {
        const FakeHost host;
        host.write("interrupts", counts);
        host.card("eth0", 2, 40, plugged);
        host.card("eth1", 2, 50, plugged);
        CHECK(host.told() ==
              std::vector<std::string>{"all interrupts of eth0 are on CPU0: one CPU receives all its packets"});
    }
}

TEST_CASE("io::receive_bottlenecks: nothing of what is down, has no device, or cannot be read") {
    const FakeHost host;
    CHECK(host.told().empty());
    host.card("eth0", 1, 40);
    CHECK(host.told().empty());  // no /proc/interrupts: how many CPUs there are is not known
    host.write("interrupts", counts);
    REQUIRE(host.told().size() == 1);
    host.write("class/net/eth0/operstate", "down\n");
    host.write("class/net/veth0/operstate", "up\n");
    host.write("class/net/veth0/queues/rx-0/rps_cpus", "0\n");
    CHECK(host.told().empty());
    CHECK(io::receive_bottlenecks("/nowhere/net", "/nowhere/interrupts").empty());
}
