#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/tool_main.hpp"
#include "common/words.hpp"
#include "natkit/engine/explain/input.hpp"
#include "natkit/engine/explain/rewrite_message.hpp"
#include "natkit/record/sip.hpp"
#include "sdprewrite/rewriter.hpp"

namespace {

using namespace natkit;

constexpr const char* description =
    "Points session descriptions (SDP) at a media relay and leaves every other byte as it is.\n"
    "Reads raw SIP, bare SDP or JSON lines from FILE or standard input and answers in the same form.";

constexpr const char* examples =
    "Examples:\n"
    "  sdprewrite --to 203.0.113.10:40000 < invite.sip\n"
    "  sdprewrite --to audio=203.0.113.10:40000 --explain < offer.sdp\n"
    "  natclassify --format json < sip.jsonl | sdprewrite --relay /run/natkit/mediarelay.sock\n"
    "  natclassify --format json capture.pcap | sdprewrite --to 203.0.113.10:40000 | jq .rewrite\n"
    "\n"
    "Exit status: 0 fine; 1 something could not be rewritten and was passed on unchanged; 2 usage; 70 internal error.";

struct Options {
    tool::CommonOptions common;
    std::string file = "-";
    std::vector<std::string> to;
    std::string origin;
    std::string relay;
    sdprewrite::Settings settings;
};

void add_options(CLI::App& app, Options& options) {
    app.description(description);
    app.footer(examples);
    tool::add_common_options(app, options.common);
    app.add_option("FILE", options.file, "Input; - or nothing is standard input")->type_name("");
    app.add_option(
           "--to", options.to,
           "Where media is to go: ADDRESS:PORT, or ADDRESS (ports stay), each with KIND= before it for streams of "
           "that kind. Repeat for several streams; further streams take the following port pairs")
        ->type_name("[KIND=]ADDRESS[:PORT]")
        ->allow_extra_args(false);
    app.add_option("--relay", options.relay,
                   "Ask the mediarelay at this control socket for the endpoints, call by call")
        ->type_name("SOCKET")
        ->excludes("--to");
    const std::vector<std::pair<std::string, sdp::IcePolicy>> policies = {{"drop", sdp::IcePolicy::drop},
                                                                          {"keep", sdp::IcePolicy::keep},
                                                                          {"add", sdp::IcePolicy::add},
                                                                          {"replace", sdp::IcePolicy::replace}};
    app.add_option(
           "--ice", options.settings.sdp.ice,
           "What becomes of ICE candidates: drop (default), keep, add the relay to them, replace them by the relay")
        ->type_name("POLICY")
        ->transform(tool::one_of(policies));
    app.add_option("--origin", options.origin, "Also replace the address of o=")->type_name("ADDRESS");
    app.add_option("--session-version", options.settings.sdp.session_version, "Also replace the version in o=")
        ->type_name("NUMBER");
    app.add_flag("--hide-rejected", options.settings.sdp.hide_rejected,
                 "Also replace the address of rejected streams (port 0)");
    app.add_flag("--explain", options.settings.explain, "Tell each edit with its line and reason on standard error");
}

tool::Exit run(Options& options) {
    for (const std::string& text : options.to) {
        const auto to = rewrite::To::parse(text);
        if (!to) {
            tool::complain("sdprewrite", "--to: " + to.error().message);
            return tool::Exit::usage;
        }
        options.settings.to.push_back(*to);
    }
    if (!options.origin.empty()) {
        const auto address = IpAddress::parse(options.origin);
        if (!address) {
            tool::complain("sdprewrite", "--origin: " + address.error().message);
            return tool::Exit::usage;
        }
        options.settings.sdp.origin_address = *address;
    }
    options.settings.records = options.common.format == tool::Format::json;
    auto source = capture::ByteSource::open(options.file);
    if (!source) {
        tool::complain("sdprewrite", source.error());
        return tool::Exit::usage;
    }
    std::optional<rewrite::Relay> relay;
    if (!options.relay.empty()) {
        const auto config = tool::load_config("sdprewrite", options.common);
        if (!config) return tool::Exit::usage;
        relay.emplace(options.relay, config->network.lists);
    }
    return sdprewrite::Rewriter(*source, options.settings, relay ? &*relay : nullptr).run();
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app;
    app.name("sdprewrite");
    Options options;
    add_options(app, options);
    return tool::run(app, argc, argv, [&] { return run(options); });
}
