// natpinger: keeps the NAT bindings of SIP clients open.
#include <CLI/CLI.hpp>
#include <csignal>

#include "common/tool_main.hpp"
#include "filter.hpp"
#include "natkit/config/config.hpp"
#include "natkit/engine/log/log.hpp"
#include "natkit/engine/pinger/service.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/loop.hpp"

using namespace natkit;

namespace {

struct ServeOptions {
    std::string base_dir;
    std::string runtime_dir;
    bool adopt = false;
};

/// The configuration, or every problem of it on standard error.
std::optional<config::Config> load_config(const tool::CommonOptions& common, const std::string& base_dir) {
    auto loaded = config::load_or_default(common.config.empty() ? config::default_file() : common.config, base_dir);
    if (!loaded) {
        for (const Error& problem : loaded.error()) tool::complain("natpinger", problem);
        return std::nullopt;
    }
    if (!common.log_level.empty()) loaded->config.pinger.log_level = *parse_log_level(common.log_level);
    return std::move(loaded->config);
}

tool::Exit serve(const tool::CommonOptions& common, const ServeOptions& options) {
    const auto config = load_config(common, options.base_dir);
    if (!config) return tool::Exit::usage;
    const log::Settings settings{
        .format = config->log.format == config::LogFormat::json ? log::Format::json : log::Format::text,
        .target = config->log.target,
        .program = "natpinger"};
    if (const auto done = log::configure(settings); !done) {
        tool::complain("natpinger", done.error());
        return tool::Exit::usage;
    }
    static_cast<void>(io::raise_descriptor_limit());
    io::Loop loop;
    std::string runtime = options.runtime_dir;
    if (runtime.empty()) runtime = config->control.socket.substr(0, config->control.socket.rfind('/'));
    const auto service =
        pinger::Service::start(loop,
                               {.config_file = common.config.empty() ? config::default_file() : common.config,
                                .base_dir = options.base_dir,
                                .runtime_dir = runtime},
                               *config);
    if (!service) {
        tool::complain("natpinger", service.error());
        return tool::Exit::usage;
    }
    const io::SignalWatch terminate(loop, SIGTERM, [&loop](int) { loop.stop(); });
    const io::SignalWatch interrupt(loop, SIGINT, [&loop](int) { loop.stop(); });
    const io::SignalWatch rotate(loop, SIGUSR1, [](int) { static_cast<void>(log::reopen()); });
    loop.run();
    return tool::Exit::fine;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Keeps the NAT bindings of SIP clients open: client records in, ping records out.", "natpinger");
    tool::CommonOptions common;
    tool::add_common_options(app, common);
    natpinger::FilterOptions filter;
    natpinger::add_filter_options(app, filter);

    ServeOptions options;
    CLI::App* serving = app.add_subcommand("serve", "Ping sipedge's clients from the sockets natkit hands over");
    serving->add_option("--base-dir", options.base_dir, "Where relative paths of the configuration start")
        ->type_name("DIR");
    serving
        ->add_option("--runtime", options.runtime_dir,
                     "Folder of the control sockets (default: that of [control] socket)")
        ->type_name("DIR");
    serving->add_flag("--adopt", options.adopt, "Sockets come by the adopt request (always so; for symmetry)");
    serving->fallthrough();
    app.require_subcommand(0, 1);

    return tool::run(app, argc, argv, [&] {
        if (serving->parsed()) return serve(common, options);
        const auto config = load_config(common, "");
        return config ? natpinger::run_filter(*config, filter) : tool::Exit::usage;
    });
}
