#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>

#include "common/tool_main.hpp"
#include "natkit/config/config.hpp"
#include "natkit/engine/edge/service.hpp"
#include "natkit/engine/log/log.hpp"
#include "natkit/io/host.hpp"
#include "natkit/io/loop.hpp"

using namespace natkit;

namespace {

constexpr const char* program = "sipedge";

struct Options {
    tool::CommonOptions common;
    std::string base_dir;
    std::string runtime_dir;
    bool adopt = false;
};

std::string config_file(const Options& options) {
    return options.common.config.empty() ? config::default_file() : options.common.config;
}

/// The configuration, complete for this host; every problem is told.
std::optional<config::Config> read_config(const Options& options) {
    auto loaded = config::load_or_default(config_file(options), options.base_dir);
    if (!loaded) {
        for (const Error& problem : loaded.error()) tool::complain(program, problem);
        return std::nullopt;
    }
    const auto host = io::host_addresses();
    if (!host) {
        tool::complain(program, host.error());
        return std::nullopt;
    }
    for (const Error& warning : config::apply_host(loaded->config, *host)) tool::complain(program, warning);
    if (!options.common.log_level.empty()) {
        const auto level = parse_log_level(options.common.log_level);
        if (!level) {
            tool::complain(program, level.error());
            return std::nullopt;
        }
        loaded->config.sip.log_level = *level;
    }
    return std::move(loaded->config);
}

tool::Exit serve(const Options& options) {
    auto config = read_config(options);
    if (!config) return tool::Exit::usage;
    const auto logging =
        log::configure({.format = config->log.format == config::LogFormat::json ? log::Format::json : log::Format::text,
                        .target = config->log.target,
                        .program = program});
    if (!logging) {
        tool::complain(program, logging.error());
        return tool::Exit::usage;
    }
    io::Loop loop;
    const io::SignalWatch terminated(loop, SIGTERM, [&](int) { loop.stop(); });
    const io::SignalWatch interrupted(loop, SIGINT, [&](int) { loop.stop(); });
    const io::SignalWatch rotated(loop, SIGUSR1, [](int) { static_cast<void>(log::reopen()); });
    std::string runtime = options.runtime_dir;
    if (runtime.empty()) runtime = config->control.socket.substr(0, config->control.socket.rfind('/'));
    auto service = edge::Service::start(loop, std::move(*config),
                                        {.config_file = config_file(options),
                                         .base_dir = options.base_dir,
                                         .runtime_dir = runtime,
                                         .adopt = options.adopt});
    if (!service) {
        tool::complain(program, service.error());
        return tool::Exit::usage;
    }
    loop.run();
    return tool::Exit::fine;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("The SIP side of natkit: registers phones, finds out where each is, and points their media at relays.",
                 program);
    Options options;
    tool::add_common_options(app, options.common);
    CLI::App* command = app.add_subcommand("serve", "run in the foreground until SIGTERM (natkit starts it this way)");
    command->fallthrough();
    command->add_option("--base-dir", options.base_dir, "folder that relative paths in the configuration start from");
    command->add_option("--runtime", options.runtime_dir, "folder of the control sockets");
    command->add_flag("--adopt", options.adopt, "open no SIP socket: they come by the control socket");
    app.require_subcommand(1);
    return tool::run(app, argc, argv, [&] { return serve(options); });
}
