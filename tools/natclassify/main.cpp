#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/network_options.hpp"
#include "common/tool_main.hpp"
#include "common/words.hpp"
#include "natclassify/classifier.hpp"
#include "natclassify/live.hpp"
#include "natkit/base/text.hpp"

namespace {

using namespace natkit;

constexpr const char* program = "natclassify";
constexpr const char* description =
    "Says where SIP parties are (LAN, WAN, behind a far-end NAT), by which rule, and whether calls need a media "
    "proxy.\n"
    "Reads captures (pcap, pcapng), raw SIP, JSON lines or bare SDP, plain or gzip, from FILEs or standard input.";
constexpr const char* examples =
    "Examples:\n"
    "  natclassify capture.pcap\n"
    "  natclassify --explain ticket-4711.pcapng\n"
    "  natclassify --explain --format html ticket-4711.pcapng > ticket-4711.html\n"
    "  sudo natclassify --explain -i any\n"
    "  natclassify --source 203.0.113.9:51234 < register.sip\n"
    "  natclassify --nat-servers 203.0.113.64-203.0.113.79 --same 203.0.113.65 203.0.113.70\n"
    "  natclassify --format json capture.pcap | jq 'select(.nat.place == \"far-end\")'\n"
    "\n"
    "Exit status: 0 fine; 1 some message was bad, the rest is done; 2 usage or configuration; 70 internal error.";

struct Options {
    tool::CommonOptions common;
    std::vector<std::string> files;
    tool::NetworkOptions networks;
    std::vector<std::string> same;
    std::string source;
    std::string interface;
    std::string from, to;  ///< moments
    std::string hep;
    natclassify::Settings settings;
};

/// Which calls --explain shows.
void add_selection_options(CLI::App& app, Options& options, CLI::Option* explain) {
    explain::Selection& selection = options.settings.selection;
    app.add_option("--call-id", selection.call_id, "With --explain: only this call")->type_name("ID")->needs(explain);
    app.add_option("--user", selection.user,
                   "With --explain: only calls with this user part in From, To, the request URI or P-Asserted-Identity")
        ->type_name("NAME")
        ->needs(explain);
    app.add_flag("--faulty", selection.faulty, "With --explain: only calls in which something is wrong")
        ->needs(explain);
    app.add_option("--from", options.from,
                   "With --explain: only calls that went on after this: 2026-11-29T10:15:00Z, 10:15:00 (UTC), or "
                   "seconds from the start of the capture")
        ->type_name("TIME")
        ->needs(explain);
    app.add_option("--to", options.to, "With --explain: only calls that began before this")
        ->type_name("TIME")
        ->needs(explain);
}

void add_options(CLI::App& app, Options& options) {
    app.description(description);
    app.footer(examples);
    tool::add_common_options(app, options.common, tool::Drawings::page);
    auto* files = app.add_option("FILE", options.files, "Inputs; - or nothing is standard input");
    files->type_name("");
    auto* interface = app.add_option("-i,--interface", options.interface,
                                     "Read what passes this interface (any: all) until a signal or Ctrl-C");
    interface->type_name("INTERFACE")->excludes(files);
    app.add_option("--hep", options.hep, "Read the HEP packets that capture agents send to this address (port 9060)")
        ->type_name("ADDRESS[:PORT]")
        ->excludes(files)
        ->excludes(interface);
    app.add_option("--source", options.source,
                   "Where raw messages or bare SDP came from; else their Via's received and rport")
        ->type_name("ADDRESS[:PORT]");
    app.add_option("--transport", options.settings.transport, "How raw messages came: udp (default), tcp or tls")
        ->type_name("NAME")
        ->check(tool::one_of({"udp", "tcp", "tls"}));
    app.add_option("--same", options.same,
                   "Say whether two addresses are the same site, and whether a call between them needs a media proxy")
        ->type_name("A B")
        ->expected(2);
    auto* explain =
        app.add_flag("--explain", options.settings.explain,
                     "The one-way-audio doctor: for each call, which direction is dead, why, and what to change");
    add_selection_options(app, options, explain);
    app.add_flag("--policy", options.settings.policy,
                 "With --explain: also say of each call whether it needs a media proxy, and why")
        ->needs(explain);
    app.add_flag("--anonymize", options.settings.anonymize,
                 "Put other names, numbers, hosts and addresses in place of the real ones, the same everywhere");
    app.add_option("--compare", options.settings.compare,
                   "Also say what kamailio, opensips or freeswitch (or all) would find")
        ->type_name("PEER")
        ->check(tool::one_of({"kamailio", "opensips", "freeswitch", "all"}));
    tool::add_network_options(app, options.networks);
}

bool read_moment(const char* option, const std::string& text, std::optional<explain::Moment>& moment) {
    if (text.empty()) return true;
    const auto parsed = explain::parse_moment(text);
    if (parsed) {
        moment = *parsed;
    } else {
        tool::complain(program, std::string(option) + ": " + parsed.error().message);
    }
    return parsed.has_value();
}

bool prepare(Options& options) {
    options.settings.html = options.common.format == tool::Format::html;
    if (options.settings.html && (!options.settings.explain || !options.same.empty())) {
        tool::complain(program, "--format html goes with --explain alone: it is the doctor's page");
        return false;
    }
    const auto config = tool::load_config(program, options.common);
    if (!config) return false;
    explain::Rules& rules = options.settings.rules;
    rules.networks = config->network.lists;
    rules.policy = config->media_proxy.policy;
    if (!tool::apply(program, options.networks, rules.networks, rules.policy.same_nat)) return false;
    if (!options.source.empty()) {
        const auto source = Endpoint::parse(options.source, 5060);
        if (!source) {
            tool::complain(program, "--source: " + source.error().message);
            return false;
        }
        options.settings.source = *source;
    }
    if (!read_moment("--from", options.from, options.settings.selection.from) ||
        !read_moment("--to", options.to, options.settings.selection.to))
        return false;
    options.settings.json = tool::wants_json(options.common.format);
    options.settings.colour = tool::wants_colour();
    options.settings.show_progress =
        ::isatty(STDERR_FILENO) != 0 && (::isatty(STDOUT_FILENO) == 0 || options.settings.explain);
    options.settings.one_terminal = options.settings.show_progress && ::isatty(STDOUT_FILENO) != 0;
    return true;
}

tool::Exit compare_two(const Options& options) {
    std::vector<IpAddress> addresses;
    for (const std::string& text : options.same) {
        const auto address = IpAddress::parse(text);
        if (!address) {
            tool::complain(program, "--same: " + address.error().message);
            return tool::Exit::usage;
        }
        addresses.push_back(*address);
    }
    const explain::Rules& rules = options.settings.rules;
    const record::Decision decision = explain::decide_pair(addresses[0], addresses[1], rules);
    const bool same = nat::same_site(addresses[0], addresses[1], rules.networks);
    tool::Output output(program);
    if (options.settings.json) {
        nlohmann::ordered_json json = record::to_json(decision);
        json["same"] = same;
        output.write(record::to_line(json));
    } else {
        output.write(natclassify::Text(options.settings.colour).pair(decision, same));
    }
    return tool::Exit::fine;
}

bool read_files(const std::vector<std::string>& files, natclassify::Classifier& classifier) {
    return explain::read_files(
        files, [&](capture::ByteSource input) { classifier.read(std::move(input)); },
        [](const Error& error) { tool::complain(program, error); });
}

bool read_live(const Options& options, natclassify::Classifier& classifier) {
    auto packets =
        options.hep.empty() ? natclassify::open_interface(options.interface) : natclassify::open_hep(options.hep);
    if (!packets) {
        tool::complain(program, packets.error());
        return false;
    }
    natclassify::stop_on_signals();
    classifier.read(*std::move(packets));
    return true;
}

/// ", and 50 µs more earlier each second, as its clock goes too fast"; nothing where it does not drift.
std::string drift_of(const explain::ClockMatch::Offset& clock) {
    const auto micros = static_cast<int>(std::lround(clock.rate * 1e6));
    if (micros == 0) return {};
    return ", and " + std::to_string(std::abs(micros)) + " µs more " + (micros > 0 ? "earlier" : "later") +
           " each second, as its clock goes too " + (micros > 0 ? "fast" : "slowly");
}

/// "b.pcap: 120 of its packets are in a.pcap too: they are read as one, its times made 3.250 s earlier".
void tell_joined(const explain::CaptureGroup& group) {
    for (std::size_t i = 1; i < group.size(); ++i) {
        const std::int64_t shift_ms = -group[i].clock.ns / 1'000'000;
        const std::string ms = std::to_string(1'000 + std::abs(shift_ms) % 1'000).substr(1);
        tool::complain(program, group[i].path + ": " + std::to_string(group[i].clock.packets) +
                                    " of its packets are in " + group[0].path +
                                    " too: they are read as one, its times made " +
                                    std::to_string(std::abs(shift_ms) / 1'000) + "." + ms + " s " +
                                    (shift_ms < 0 ? "earlier" : "later") + drift_of(group[i].clock));
    }
}

/// Captures of one thing as one, all else one after the other.
bool read_groups(const std::vector<std::string>& files, natclassify::Classifier& classifier) {
    bool all = true;
    for (const explain::CaptureGroup& group : explain::group_captures(files)) {
        if (group.size() == 1) {
            all = read_files({group[0].path}, classifier) && all;
            continue;
        }
        tell_joined(group);
        auto captures = explain::open_group(group);
        if (captures) {
            classifier.read(*std::move(captures));
        } else {
            tool::complain(program, captures.error());
            all = false;
        }
    }
    return all;
}

tool::Exit run(Options& options) {
    if (!prepare(options)) return tool::Exit::usage;
    if (!options.same.empty()) return compare_two(options);
    natclassify::Classifier classifier(options.settings);
    const bool live = !options.interface.empty() || !options.hep.empty();
    const bool several = options.settings.explain && options.files.size() > 1;
    const bool all_read = live      ? read_live(options, classifier)
                          : several ? read_groups(options.files, classifier)
                                    : read_files(options.files, classifier);
    const bool bad = classifier.finish();
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
