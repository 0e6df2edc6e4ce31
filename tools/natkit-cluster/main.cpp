// natkit-cluster: keeps what another node would need, and decides which one is active.
#include <CLI/CLI.hpp>

#include "common/tool_main.hpp"
#include "natkit/engine/cluster/service.hpp"
#include "natkit/engine/daemon/daemon.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/privileges.hpp"

using namespace natkit;

namespace {

constexpr const char* program = "natkit-cluster";
constexpr const char* examples =
    "Examples:\n"
    "  natkit-cluster serve --config /etc/natkit/natkit.toml --runtime /run/natkit\n"
    "  natkit run --config natkit.toml                (starts it where [cluster] state says so)\n"
    "\n"
    "Exit status: 0 fine; 2 usage or configuration; 70 internal error.";

tool::Exit serve(const tool::ServeOptions& options) {
    const daemon::Configuration source({.program = program,
                                        .config_file = options.common.config,
                                        .base_dir = options.base_dir,
                                        .runtime_dir = options.runtime_dir,
                                        .log_level = options.common.log_level});
    auto loaded = source.apply();
    if (!loaded) return tool::complain(program, loaded.error());
    if (!loaded->config.cluster.state) {
        return tool::complain(program, config::Problems{{.code = Errc::bad_config,
                                                         .where = options.common.config,
                                                         .message = "[cluster] state: natkit-cluster needs one; write "
                                                                    "\"redis://HOST:PORT/DATABASE\""}});
    }
    static_cast<void>(io::raise_descriptor_limit());
    const std::string runtime = source.runtime_dir(loaded->config);
    if (const auto own = io::check_private_folder(runtime); !own)
        return tool::complain(program, config::Problems{own.error()});
    io::Loop loop;
    const daemon::Signals signals(loop, [&loop] { loop.stop(); });
    const bool sip = config::wants_sip(loaded->written);
    const auto service = cluster::Service::start(
        loop, {.read_again = [&source] { return source.reload(); }, .runtime_dir = runtime, .sip = sip},
        std::move(loaded->config));
    if (!service) {
        static_cast<void>(tool::complain(program, config::Problems{service.error()}));
        return tool::Exit::internal;
    }
    loop.run();
    return tool::Exit::fine;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Keeps what another node would need in Redis, and decides which node is active.", program);
    tool::ServeOptions options;
    tool::add_serve(app, options, examples);
    return tool::run(app, argc, argv, [&] { return serve(options); });
}
