// mediarelay: relays media between two legs.
#include "mediarelay.hpp"

using namespace natkit;

namespace {

constexpr const char* examples =
    "Examples:\n"
    "  mediarelay run --a lan:192.168.10.20:4000 --b 203.0.113.20:5004\n"
    "  mediarelay run --a 192.0.2.5:4000 --bind-a 192.0.2.1 --b far-end:203.0.113.60 --bind-b 203.0.113.10\n"
    "  mediarelay serve --config natkit.toml\n"
    "  mediarelay relay --a lan:192.168.10.20:4000 --b 203.0.113.20:5004\n"
    "  mediarelay watch --format json | jq 'select(.type == \"latch\")'\n"
    "\n"
    "Exit status: 0 fine; 1 the request failed; 2 usage or configuration; 70 internal error.";

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Relays RTP, UDP, TCP and T.120 media between two parties.", "mediarelay");
    tool::CommonOptions common;
    tool::add_common_options(app, common);
    app.require_subcommand(1);

    mediarelay::ServeOptions serving;
    CLI::App* serve = app.add_subcommand("serve", "Serve the control socket until a signal or 'stop'");
    serve->add_option("--base-dir", serving.base_dir, "Where relative paths of the configuration start")
        ->type_name("DIR");
    serve
        ->add_option("--runtime", serving.runtime_dir,
                     "Folder of control socket and journal (default: that of [control] socket)")
        ->type_name("DIR");
    serve->fallthrough();

    mediarelay::RunOptions running;
    CLI::App* run = app.add_subcommand("run", "Relay between two parties in the foreground");
    mediarelay::add_run(*run, running);
    run->fallthrough();

    mediarelay::ClientOptions asking;
    mediarelay::add_client_commands(app, asking);

    app.footer(examples);  // of the program, not of its commands
    return tool::run(app, argc, argv, [&] {
        if (serve->parsed()) return mediarelay::serve(common, serving);
        if (run->parsed()) return mediarelay::run_relay(common, running);
        return mediarelay::run_client(app, common, asking);
    });
}
