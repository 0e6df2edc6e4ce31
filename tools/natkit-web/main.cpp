// natkit-web: the pages of natkit.
#include <CLI/CLI.hpp>

#include "common/tool_main.hpp"
#include "natkit/engine/daemon/daemon.hpp"
#include "natkit/engine/web/service.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/privileges.hpp"
#include "natkit/io/process.hpp"

using namespace natkit;

namespace {

constexpr const char* program = "natkit-web";
constexpr const char* examples =
    "Examples:\n"
    "  natkit-web serve --config /etc/natkit/natkit.toml --runtime /run/natkit\n"
    "  natkit run --config natkit.toml                (starts it where [web] listen says so)\n"
    "  natkit web passwd alice                        (somebody who may log in)\n"
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
    static_cast<void>(io::raise_descriptor_limit());
    const std::string runtime = source.runtime_dir(loaded->config);
    if (const auto own = io::check_private_folder(runtime); !own)
        return tool::complain(program, config::Problems{own.error()});
    io::Loop loop;
    const daemon::Signals signals(loop, [&loop] { loop.stop(); });
    const auto service = web::Service::start(
        loop,
        {.read_again = [&source] { return source.reload(); }, .runtime_dir = runtime, .program_dir = io::own_folder()},
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
    CLI::App app("Shows natkit to a browser: state, calls, settings, the log, and the doctor.", program);
    tool::ServeOptions options;
    tool::add_serve(app, options, examples);
    return tool::run(app, argc, argv, [&] { return serve(options); });
}
