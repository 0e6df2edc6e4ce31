#pragma once

#include <functional>
#include <optional>
#include <string>

#include "natkit/config/config.hpp"
#include "natkit/engine/log/log.hpp"
#include "natkit/io/loop.hpp"

/// What all long-running programs of natkit do alike: where their configuration comes from, at start and at a reload,
/// what it says of the log, and the signals they obey.
namespace natkit::daemon {

/// Where a program's configuration comes from. Values; read() looks at the file and the host anew each time.
class Configuration {
  public:
    struct Options {
        std::string program;                   ///< "sipedge": the identifier in the journal
        std::string config_file;               ///< empty: config::default_file()
        std::string base_dir;                  ///< where relative paths in it start; empty: its folder
        std::string runtime_dir;               ///< folder of the control sockets; empty: that of [control] socket
        std::string log_level;                 ///< instead of the configured ones; empty, or a level
        std::optional<std::string> text = {};  ///< instead of what the file holds
    };
    explicit Configuration(Options options);

    /// The configuration, complete for this host (config::apply_host()), with the warnings of both; or every problem.
    [[nodiscard]] std::expected<config::Loaded, config::Problems> read() const;

    /// The same for a file that may have mistakes: what can be used of it, and the problems so far.
    [[nodiscard]] config::Draft draft() const;

    /// read(), and [log] takes effect. On failure nothing has changed.
    [[nodiscard]] std::expected<config::Loaded, config::Problems> apply() const;

    /// For a reload: apply(), without the warnings, which natkit tells. All problems are in the one error's message, a
    /// line each.
    [[nodiscard]] Result<config::Config> reload() const;

    [[nodiscard]] const Options& options() const noexcept { return options_; }
    [[nodiscard]] std::string runtime_dir(const config::Config& config) const;

  private:
    Options options_;
};

/// What [log] says to the program of this name.
[[nodiscard]] log::Settings log_settings(const config::Log& from, const std::string& program);

/// Files that the configuration names and that cannot be read or hold mistakes, and a log that cannot be written: a
/// problem for each.
[[nodiscard]] config::Problems missing_files(const config::Loaded& loaded);

/// Keeps the log: tells every few seconds, and at the end, how often texts were repeated.
class LogKeeper {
  public:
    explicit LogKeeper(io::Loop& loop);
    ~LogKeeper();
    LogKeeper(const LogKeeper&) = delete;
    LogKeeper& operator=(const LogKeeper&) = delete;

  private:
    io::Timer timer_;
};

/// SIGTERM and SIGINT call `on_end`; SIGUSR1 opens the log file again and then calls `on_rotate`, if there is one.
class Signals {
  public:
    Signals(io::Loop& loop, std::function<void()> on_end, std::function<void()> on_rotate = {});

  private:
    std::function<void()> on_end_;
    std::function<void()> on_rotate_;
    io::SignalWatch terminate_;
    io::SignalWatch interrupt_;
    io::SignalWatch rotate_;
    LogKeeper log_;
};

}  // namespace natkit::daemon
