#include "natclassify/live.hpp"

#include <csignal>
#include <utility>

#include "natkit/capture/privileges.hpp"

namespace natkit::natclassify {
namespace {

constexpr std::uint16_t hep_port = 9060;  // what agents send to where nothing else is said
constexpr int looks = 4;                  // a quarter of a second each

volatile std::sig_atomic_t signalled = 0;

void on_signal(int number) {
    signalled = 1;
    std::signal(number, SIG_DFL);
}

}  // namespace

void stop_on_signals() {
    for (const int number : {SIGINT, SIGTERM}) {
        struct sigaction action{};
        action.sa_handler = on_signal;  // without SA_RESTART: who waits is woken
        sigemptyset(&action.sa_mask);
        sigaction(number, &action, nullptr);
    }
}

bool stop_wanted() {
    static int looked = 0;
    static const bool ready = (stop_on_signals(), true);
    return ready && signalled != 0 && ++looked > looks;
}

Result<capture::PacketReader> open_interface(const std::string& name) {
    auto packets = capture::PacketReader::live(name);
    if (!packets) return packets;
    if (const auto dropped = capture::drop_privileges(); !dropped) return std::unexpected(dropped.error());
    return packets;
}

Result<capture::PacketReader> open_hep(const std::string& endpoint) {
    const auto local = Endpoint::parse(endpoint, hep_port);
    if (!local) return fail(Errc::usage, "--hep: " + local.error().message);
    auto packets = capture::PacketReader::hep(*local);
    if (!packets) return packets;
    if (const auto dropped = capture::drop_privileges(); !dropped) return std::unexpected(dropped.error());
    return packets;
}

}  // namespace natkit::natclassify
