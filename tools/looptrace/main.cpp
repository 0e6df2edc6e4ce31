#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "common/network_options.hpp"
#include "common/tool_main.hpp"
#include "looptrace/tracer.hpp"

namespace {

using namespace natkit;

constexpr const char* program = "looptrace";
constexpr const char* description =
    "Traces the media of calls from hop to hop, finds loops (also across Call-IDs), says which relays can go, and "
    "draws "
    "the path.\n"
    "Reads captures (pcap, pcapng) or JSON lines, plain or gzip, from FILEs or standard input.";
constexpr const char* examples =
    "Examples:\n"
    "  looptrace capture.pcap\n"
    "  looptrace --loops --format svg capture.pcap > ticket-4711.svg\n"
    "  natclassify --format json capture.pcap | looptrace --format text\n"
    "  looptrace --format dot capture.pcap | dot -Tpng > path.png\n"
    "\n"
    "Exit status: 0 fine; 1 some message was bad, the rest is done; 2 usage or configuration; 70 internal error.";

struct Options {
    tool::CommonOptions common;
    tool::NetworkOptions networks;
    std::vector<std::string> files;
    looptrace::Settings settings;
};

void add_options(CLI::App& app, Options& options) {
    app.description(description);
    app.footer(examples);
    tool::add_common_options(app, options.common, tool::Drawings::yes);
    app.add_option("FILE", options.files, "Inputs; - or nothing is standard input")->type_name("");
    app.add_flag("--loops", options.settings.loops_only, "Only calls that come to a relaying host more than once");
    tool::add_network_options(app, options.networks);
}

bool prepare(Options& options) {
    const auto config = tool::load_config(program, options.common);
    if (!config) return false;
    looptrace::Settings& settings = options.settings;
    settings.rules = {.networks = config->network.lists, .policy = config->media_proxy.policy};
    settings.format = options.common.format;
    if (settings.format == tool::Format::automatic)
        settings.format = tool::wants_json(settings.format) ? tool::Format::json : tool::Format::text;
    settings.colour = tool::wants_colour();
    settings.show_progress = ::isatty(STDERR_FILENO) != 0 && ::isatty(STDOUT_FILENO) == 0;
    return tool::apply(program, options.networks, settings.rules.networks, settings.rules.policy.same_nat);
}

tool::Exit run(Options& options) {
    if (!prepare(options)) return tool::Exit::usage;
    looptrace::Tracer tracer(options.settings);
    const bool all_read = explain::read_files(
        options.files, [&](capture::ByteSource input) { tracer.read(std::move(input)); },
        [](const Error& error) { tool::complain(program, error); });
    const bool bad = tracer.finish();
    if (!all_read) return tool::Exit::usage;
    return bad ? tool::Exit::bad_record : tool::Exit::fine;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app;
    app.name(program);
    Options options;
    add_options(app, options);
    return tool::run(app, argc, argv, [&] { return run(options); });
}
