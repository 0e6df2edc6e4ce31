// natkit: the supervisor.
#include "commands.hpp"
#include "common/tool_main.hpp"
#include "common/words.hpp"
#include "host.hpp"
#include "migrate.hpp"
#include "run.hpp"
#include "settings.hpp"
#include "web.hpp"

using namespace natkit;

namespace {

constexpr const char* examples =
    "Examples:\n"
    "  natkit check --config natkit.toml && natkit run --config natkit.toml\n"
    "  natkit check --kamailio /etc/kamailio/kamailio.cfg\n"
    "  natkit status\n"
    "  natkit calls --format json | jq -r 'select(.relay) | .call_id'\n"
    "  natkit calls --user alice && natkit hangup 3c26-7a8b@192.168.10.20\n"
    "  natkit reload --dry-run && natkit reload\n"
    "  natkit settings set network.nat_servers 203.0.113.64-203.0.113.79 && natkit settings confirm\n"
    "  natkit top --every 2\n"
    "\n"
    "Exit status: 0 fine; 1 no natkit runs, the request failed, or a proxy's wish is refused; 2 usage or "
    "configuration; 70 internal error.";

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Runs and watches the programs of a SIP NAT traversal edge.", "natkit");
    tool::CommonOptions common;
    tool::add_common_options(app, common);
    app.require_subcommand(1);
    app.fallthrough();

    CLI::App* run = app.add_subcommand("run", "Start the edge and stay in the foreground until SIGTERM or SIGINT");
    bool detach = false;
    run->add_flag("--daemon", detach, "Go to the background once everything runs");
    CLI::App* check =
        app.add_subcommand("check", "Read the configuration; report every problem, or the effective values");
    std::string kamailio;
    std::string opensips;
    CLI::Option* for_kamailio =
        check->add_option("--kamailio", kamailio, "Read a Kamailio's instead; say what of it would work with natkit")
            ->type_name("FILE");
    check->add_option("--opensips", opensips, "Read an OpenSIPS' instead; say what of it would work with natkit")
        ->type_name("FILE")
        ->excludes(for_kamailio);
    bool for_host = false;
    check->add_flag("--for-host", for_host,
                    "The file is for another host: leave out, and name, what only that host can tell");
    CLI::App* status = app.add_subcommand("status", "What runs, and how much of it");
    CLI::App* calls = app.add_subcommand("calls", "The calls, a record each, and why each is relayed or not");
    CLI::App* clients = app.add_subcommand("clients", "The registered clients, a record each, and where each is");
    natkit_tool::Filter filter;
    natkit_tool::add_filter(*calls, filter);
    natkit_tool::add_filter(*clients, filter);
    std::string client;
    clients->add_option("--remove", client, "Remove the registrations of this address of record, Contact or id")
        ->type_name("CLIENT");
    CLI::App* hangup = app.add_subcommand("hangup", "End a call: BYE to both parties, or CANCEL while it rings");
    std::string call_id;
    hangup->add_option("CALL", call_id, "Its call_id, as calls tells it")->required();
    CLI::App* reload = app.add_subcommand("reload", "Read the configuration again without dropping a call");
    bool dry_run = false;
    reload->add_flag("--dry-run", dry_run,
                     "Only say what would change, and which registered clients would change place");
    natkit_tool::SettingsOptions settings;
    const CLI::App* settings_command = natkit_tool::add_settings(app, settings);
    CLI::App* top = app.add_subcommand("top", "A live view of status, calls and clients; q ends it");
    unsigned every_s = 1;
    top->add_option("--every", every_s, "Seconds between two looks, 1 to 3600 (default: 1)")
        ->type_name("SECONDS")
        ->check(CLI::Range(1U, 3600U).description(""));
    CLI::App* renew =
        app.add_subcommand("renew", "Put the programs that are installed now in place of those that run; calls go on");
    CLI::App* cluster = app.add_subcommand("cluster", "What this node is among those that take over from each other");
    bool ready = false;
    cluster->add_flag("--ready", ready, "Only say, by the exit status, whether this node may serve (for keepalived)");
    CLI::App* promote =
        app.add_subcommand("promote", "This node serves from now on: the addresses are here (keepalived)");
    CLI::App* demote = app.add_subcommand("demote", "This node serves no longer; another one does (keepalived)");
    CLI::App* drain = app.add_subcommand("drain", "Take no new calls, and end when the last one does");
    CLI::App* stop = app.add_subcommand("stop", "End all programs");
    CLI::App* web = app.add_subcommand("web", "Who may log in to the pages of natkit-web: passwd, remove or list");
    std::string web_action;
    std::string web_user;
    web->add_option("ACTION", web_action, "passwd (asks for a password), remove or list")
        ->required()
        ->type_name("")
        ->check(tool::one_of({"passwd", "remove", "list"}));
    web->add_option("USER", web_user, "Whom; not for list")->type_name("");
    CLI::App* prepare = app.add_subcommand("prepare-host", "As root, before run: what the relay's faster tiers need");
    std::string user;
    prepare->add_option("--user", user, "Whom natkit will run as (default: [daemon] user, else root)")
        ->type_name("USER");
    CLI::App* clean = app.add_subcommand("clean-host", "As root, after stop: take filters and maps out of the kernel");

    app.footer(examples);  // of the program, not of its commands
    return tool::run(app, argc, argv, [&] {
        if (run->parsed()) return natkit_tool::run(common, detach);
        if (!kamailio.empty()) return natkit_tool::check_proxy(common, kamailio, migrate::Proxy::kamailio);
        if (!opensips.empty()) return natkit_tool::check_proxy(common, opensips, migrate::Proxy::opensips);
        if (check->parsed() && for_host) return natkit_tool::check_for_host(common);
        if (check->parsed()) return natkit_tool::check(common);
        if (status->parsed()) return natkit_tool::status(common);
        if (calls->parsed()) return natkit_tool::list(common, "calls", filter);
        if (clients->parsed() && !client.empty()) return natkit_tool::remove_client(common, client);
        if (clients->parsed()) return natkit_tool::list(common, "clients", filter);
        if (hangup->parsed()) return natkit_tool::hang_up(common, call_id);
        if (reload->parsed()) return natkit_tool::reload(common, dry_run);
        if (settings_command->parsed()) return natkit_tool::settings(common, settings);
        if (top->parsed()) return natkit_tool::top(common, std::chrono::seconds(every_s));
        if (renew->parsed()) return natkit_tool::renew(common);
        if (web->parsed()) return natkit_tool::web(common, web_action, web_user);
        if (prepare->parsed()) return natkit_tool::prepare_host(common, user);
        if (clean->parsed()) return natkit_tool::clean_host(natkit_tool::InUse::is_told);
        if (cluster->parsed()) return natkit_tool::cluster(common, ready);
        if (promote->parsed()) return natkit_tool::change_role(common, "promote");
        if (demote->parsed()) return natkit_tool::change_role(common, "demote");
        if (drain->parsed()) return natkit_tool::drain(common);
        static_cast<void>(stop);  // one of them is there
        return natkit_tool::stop(common);
    });
}
