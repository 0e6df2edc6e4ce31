// natpinger: keeps the NAT bindings of SIP clients open.
#include <CLI/CLI.hpp>

#include "common/tool_main.hpp"
#include "filter.hpp"
#include "natkit/engine/daemon/daemon.hpp"
#include "natkit/engine/pinger/service.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/privileges.hpp"

using namespace natkit;

namespace {

constexpr const char* program = "natpinger";
constexpr const char* examples =
    "Examples:\n"
    "  natpinger --from 0.0.0.0:5060 < clients.jsonl\n"
    "  natpinger --from 203.0.113.10:5060 --method options --interval 20s clients.jsonl\n"
    "  grep far-end clients.jsonl | natpinger --from 203.0.113.10:5060 | jq -c 'select(.result == \"failed\")'\n"
    "\n"
    "Exit status: 0 fine; 1 some record was bad, the rest is done; 2 usage or configuration; 70 internal error; 75 to "
    "be\n"
    "started again, as a standby.";

struct ServeOptions {
    std::string base_dir;
    std::string runtime_dir;
    bool adopt = false;
};

daemon::Configuration source_of(const tool::CommonOptions& common, const ServeOptions& options) {
    return daemon::Configuration({.program = program,
                                  .config_file = common.config,
                                  .base_dir = options.base_dir,
                                  .runtime_dir = options.runtime_dir,
                                  .log_level = common.log_level});
}

tool::Exit serve(const tool::CommonOptions& common, const ServeOptions& options) {
    const daemon::Configuration source = source_of(common, options);
    const auto loaded = source.apply();
    if (!loaded) return tool::complain(program, loaded.error());
    static_cast<void>(io::raise_descriptor_limit());
    const std::string runtime = source.runtime_dir(loaded->config);
    if (const auto own = io::check_private_folder(runtime); !own)
        return tool::complain(program, config::Problems{own.error()});
    io::Loop loop;
    const daemon::Signals signals(loop, [&loop] { loop.stop(); });
    const auto service = pinger::Service::start(
        loop, {.read_again = [&source] { return source.reload(); }, .runtime_dir = runtime}, loaded->config);
    if (!service) {
        const tool::Exit wrong = tool::complain(program, config::Problems{service.error()});
        // natkit ends on a configuration that cannot be used, and tries again what the system may grant later.
        return options.adopt && service.error().code != Errc::bad_config ? tool::Exit::internal : wrong;
    }
    loop.run();
    return (*service)->starts_again() ? tool::Exit::start_again : tool::Exit::fine;
}

tool::Exit run_as_filter(const tool::CommonOptions& common, const natpinger::FilterOptions& options) {
    const auto loaded = source_of(common, {}).read();
    if (!loaded) return tool::complain(program, loaded.error());
    return natpinger::run_filter(loaded->config, options);
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

    app.footer(examples);  // of the program, not of its commands
    return tool::run(app, argc, argv, [&] {
        if (serving->parsed()) return serve(common, options);
        return run_as_filter(common, filter);
    });
}
