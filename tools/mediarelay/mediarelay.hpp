#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/tool_main.hpp"
#include "natkit/engine/daemon/daemon.hpp"
#include "natkit/engine/ng/service.hpp"
#include "natkit/engine/relay/engine.hpp"

/// The parts of the program mediarelay: serve, run, and the commands that talk to a serving one.
namespace natkit::mediarelay {

using Json = nlohmann::ordered_json;

struct ServeOptions {
    std::string base_dir;
    std::string runtime_dir;
};

[[nodiscard]] daemon::Configuration source_of(const tool::CommonOptions& common, const std::string& base_dir = {},
                                              const std::string& runtime_dir = {});
/// The configuration of a command; every problem goes to standard error. Its warnings are for natkit check.
[[nodiscard]] std::optional<config::Config> load_config(const tool::CommonOptions& common);

/// What the engine needs of it.
[[nodiscard]] relay::Options options_from(const config::Config& config);
[[nodiscard]] ng::ServiceOptions ng_options_from(const config::Config& config);

[[nodiscard]] tool::Exit serve(const tool::CommonOptions& common, const ServeOptions& options);

struct RunOptions {
    std::string a;
    std::string b;
    std::string bind_a;
    std::string bind_b;
    std::string stream = "rtp";
    bool tcp = false;
    bool t120 = false;
    std::string setup_a;
    std::string setup_b;
    unsigned connections = 1;
    bool mux = false;
    std::string ports;
    std::string interval = "5s";
    std::string timeout;
    bool any_port = false;
};
void add_run(CLI::App& app, RunOptions& options);
[[nodiscard]] tool::Exit run_relay(const tool::CommonOptions& common, const RunOptions& options);

/// One request to a serving mediarelay, and how its answer is shown.
struct ClientOptions {
    std::string runtime_dir;
    std::string a;
    std::string b;
    std::string party;
    std::string stream;
    std::string side;
    std::string family;
    std::string call_id;
    std::string owner;
    std::string hold;
    std::string setup_a;
    std::string setup_b;
    std::string setup;
    std::string connection;
    std::string mux_switch;
    unsigned connections = 1;
    std::vector<std::string> legs;
    bool mux = false;
};

/// Adds the subcommands relay, list, show, watch, open, reserve, update, join, part, free, status.
void add_client_commands(CLI::App& app, ClientOptions& options);
/// Whether one of them was given.
[[nodiscard]] bool is_client_command(const CLI::App& app);
[[nodiscard]] tool::Exit run_client(const CLI::App& app, const tool::CommonOptions& common,
                                    const ClientOptions& options);

/// "[PLACE:]ENDPOINT" of a command line as a `party` object: "192.168.10.5:4000", "wan:203.0.113.9:4000",
/// "far-end:198.51.100.7". An endpoint needs a port except behind a NAT, where an address is all there is to know; and
/// except for TCP, where a party that connects has none that matters, and T.120 has one of its own. `setup` may be
/// empty.
[[nodiscard]] Result<Json> read_party_argument(const std::string& text, const std::string& stream,
                                               const std::string& setup);

/// RFC 4145's words, for options.
inline const std::vector<std::string> setup_words = {"active", "passive", "actpass", "holdconn"};

}  // namespace natkit::mediarelay
