// sipedge: the SIP side of natkit.
#include <CLI/CLI.hpp>

#include "common/tool_main.hpp"
#include "natkit/engine/daemon/daemon.hpp"
#include "natkit/engine/edge/service.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/privileges.hpp"

using namespace natkit;

namespace {

constexpr const char* program = "sipedge";
constexpr const char* examples =
    "Examples:\n"
    "  natkit run --config natkit.toml                (starts sipedge with all it needs)\n"
    "  sipedge serve --config /etc/natkit/natkit.toml --runtime /run/natkit\n"
    "\n"
    "Exit status: 0 fine; 2 usage or configuration; 70 internal error; 75 to be started again, as a standby.";

struct Options : tool::ServeOptions {
    bool adopt = false;
};

tool::Exit serve(const Options& options) {
    const daemon::Configuration source({.program = program,
                                        .config_file = options.common.config,
                                        .base_dir = options.base_dir,
                                        .runtime_dir = options.runtime_dir,
                                        .log_level = options.common.log_level});
    auto loaded = source.apply();
    if (!loaded) return tool::complain(program, loaded.error());
    if (!options.adopt) tool::warn(program, loaded->warnings);  // natkit has told them otherwise
    static_cast<void>(io::raise_descriptor_limit());
    io::Loop loop;
    edge::Service* running = nullptr;
    const auto rotate = [&running] {
        if (running != nullptr) running->rotate();
    };
    const daemon::Signals signals(loop, [&loop] { loop.stop(); }, rotate);
    const std::string runtime = source.runtime_dir(loaded->config);
    if (const auto own = io::check_private_folder(runtime); !own)
        return tool::complain(program, config::Problems{own.error()});
    const auto service = edge::Service::start(
        loop, std::move(loaded->config),
        {.read_again = [&source] { return source.reload(); }, .runtime_dir = runtime, .adopt = options.adopt});
    if (!service) {
        const tool::Exit wrong = tool::complain(program, config::Problems{service.error()});
        // natkit ends on a configuration that cannot be used, and tries again what the system may grant later.
        return options.adopt && service.error().code != Errc::bad_config ? tool::Exit::internal : wrong;
    }
    running = service->get();
    loop.run();
    return (*service)->starts_again() ? tool::Exit::start_again : tool::Exit::fine;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("The SIP side of natkit: registers phones, finds out where each is, and points their media at relays.",
                 program);
    Options options;
    CLI::App& command = tool::add_serve(app, options, examples);
    command.add_flag("--adopt", options.adopt, "open no SIP socket: they come by the control socket");
    return tool::run(app, argc, argv, [&] { return serve(options); });
}
