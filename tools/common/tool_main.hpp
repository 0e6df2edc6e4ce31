#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "natkit/base/error.hpp"
#include "natkit/cluster/role.hpp"
#include "natkit/config/config.hpp"

/// What every program of natkit does the same way: options, exit status, diagnostics.
namespace natkit::tool {

/// Exit status, the same for all programs.
enum class Exit : int {
    fine = 0,
    bad_record = 1,                      ///< some record was bad, the rest is done
    usage = 2,                           ///< usage or configuration
    internal = 70,                       ///< an error of ours
    start_again = cluster::start_again,  ///< of a worker of a cluster: it became a standby, and is to begin anew as one
};

enum class Format : unsigned char { automatic, json, text, dot, svg, html };

struct CommonOptions {
    std::string config;  ///< --config; empty: see load_config()
    Format format = Format::automatic;
    std::string log_level;  ///< --log-level; empty: as configured
};

enum class Drawings : unsigned char { no, yes, page };

/// Adds --config, --format, --log-level and --version to a program (or a subcommand of it). Formats dot and svg are for
/// programs that draw, html for one that writes a page.
void add_common_options(CLI::App& app, CommonOptions& options, Drawings drawings = Drawings::no);

/// Of a program that natkit runs: `serve`.
struct ServeOptions {
    CommonOptions common;
    std::string base_dir;     ///< --base-dir; empty: the configuration's folder
    std::string runtime_dir;  ///< --runtime; empty: that of [control] socket
};

/// Adds the common options, and `serve` with its own, as the one command of the program. The footer is the program's.
CLI::App& add_serve(CLI::App& app, ServeOptions& options, const std::string& footer);

/// Reads the configuration a program is to use: --config, else config::default_file(), else the built-in defaults.
/// Problems and warnings are told on standard error; nothing means Exit::usage.
[[nodiscard]] std::optional<config::Config> load_config(std::string_view program, const CommonOptions& options);

/// Whether results go out as JSON lines: asked for, or `automatic` and standard output is no terminal.
[[nodiscard]] bool wants_json(Format format);

/// Whether standard output is a terminal that likes colour (NO_COLOR unset, TERM not "dumb").
[[nodiscard]] bool wants_colour();

/// Parses the command line and runs `body`; gives the exit status for main(). Usage errors are told on standard error
/// and give 2; an exception that nobody caught gives 70. SIGPIPE is ignored: see Output.
[[nodiscard]] int run(CLI::App& app, int argc, char** argv, const std::function<Exit()>& body);

/// "natclassify: stdin:2: not a JSON object" on standard error.
void complain(std::string_view program, const Error& error);
void complain(std::string_view program, std::string_view message);
/// Every problem of a configuration; gives the exit status that goes with them.
Exit complain(std::string_view program, const config::Problems& problems);
/// "natkit: warning: …" for each.
void warn(std::string_view program, const config::Problems& warnings);

/// Standard output, buffered. When its reader is gone the program ends at once and quietly with 0, as a filter should;
/// any other failure to write ends it with a message and 70.
class Output {
  public:
    explicit Output(std::string_view program) : program_(program) {}
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;
    ~Output() { flush(); }

    void write(std::string_view bytes);
    void flush();

  private:
    std::string program_;
    std::string buffer_;
};

/// "capture.pcap:  37 %" on standard error, over the line before; end_progress() takes it away again.
void show_progress(const std::string& name, double done);
void end_progress();

/// A whole file, or standard input for "-"; Errc::system, or Errc::exhausted above `limit` bytes.
[[nodiscard]] Result<std::string> read_all(const std::string& path, std::size_t limit);

}  // namespace natkit::tool
