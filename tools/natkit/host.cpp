#include "host.hpp"

#include <unistd.h>

#include <cstdlib>
#include <string_view>
#include <vector>

#include "commands.hpp"
#include "natkit/bpf/flow_table.hpp"
#include "natkit/engine/daemon/daemon.hpp"
#include "natkit/io/host_setup.hpp"
#include "natkit/io/net/host.hpp"
#include "natkit/io/privileges.hpp"

using namespace natkit;

namespace natkit_tool {
namespace {

/// Tells what failed and what follows from it; whether it went well.
bool told(const Result<void>& done, const char* consequence) {
    if (done) return true;
    tool::complain(program, to_string(done.error()) + ": " + consequence);
    return false;
}

}  // namespace

tool::Exit prepare_host(const tool::CommonOptions& common, const std::string& user) {
    const daemon::Configuration source({.program = program,
                                        .config_file = common.config.empty() ? config::default_file() : common.config,
                                        .base_dir = {},
                                        .runtime_dir = {},
                                        .log_level = common.log_level});
    const auto loaded = source.read();
    if (!loaded) return tool::complain(program, loaded.error());
    const config::Config& config = loaded->config;
    bool good = told(io::reserve_ports(config.media_proxy.ports),
                     "other programs may be given media ports by the system, and calls pass those over");
    if (config.media_proxy.tiers.fast_path != relay::FastPathChoice::off) {
        const char* slow = "media passes through mediarelay and not through the kernel alone";
        for (const Family family : {Family::ipv4, Family::ipv6})
            good = told(bpf::let_filters_route(family), slow) && good;
        std::string owner = user.empty() ? config.daemon.user : user;
        if (owner.empty()) owner = io::user_name(::geteuid());
        good = told(io::make_pin_folder(bpf::FlowTable::Settings{}.folder, owner), slow) && good;
    }
    return good ? tool::Exit::fine : tool::Exit::bad_record;
}

tool::Exit clean_host(InUse when_in_use) {
    const char* result = std::getenv("SERVICE_RESULT");
    if (result != nullptr && std::string_view(result) != "success") return tool::Exit::fine;
    const std::string folder = bpf::FlowTable::Settings{}.folder;
    const auto interfaces = io::interfaces();
    if (!interfaces) {
        tool::complain(program, interfaces.error());
        return tool::Exit::bad_record;
    }
    std::vector<unsigned> all;
    for (const io::Interface& interface : *interfaces) all.push_back(interface.index);
    const auto removed = bpf::remove_flow_table(folder, all);
    if (removed) return tool::Exit::fine;
    const bool lives = removed.error().code == Errc::refused;  // a mediarelay, which keeps its own
    if (lives && when_in_use == InUse::is_fine) return tool::Exit::fine;
    tool::complain(program, to_string(removed.error()) + ": the kernel may go on forwarding media");
    return tool::Exit::bad_record;
}

}  // namespace natkit_tool
