#include "run.hpp"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "natkit/engine/daemon/daemon.hpp"
#include "natkit/engine/settings/put_back.hpp"
#include "natkit/engine/supervise/check.hpp"
#include "natkit/engine/supervise/supervisor.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/privileges.hpp"
#include "natkit/io/process.hpp"

using namespace natkit;

namespace natkit_tool {
namespace {

constexpr const char* renewal_variable = "NATKIT_RENEWAL";

std::string absolute(const std::string& path) {
    std::error_code error;
    return path.empty() ? path : std::filesystem::absolute(path, error).string();
}

/// With absolute paths: the workers get them, and natkit --daemon changes its folder.
daemon::Configuration source_of(const tool::CommonOptions& common) {
    const std::string file = absolute(common.config.empty() ? config::default_file() : common.config);
    return daemon::Configuration(
        {.program = program,
         .config_file = file,
         .base_dir = file.empty() ? absolute(".") : std::filesystem::path(file).parent_path().string(),
         .runtime_dir = {},
         .log_level = common.log_level});
}

/// The configuration, complete for this host; every problem and warning is told on standard error.
std::optional<config::Loaded> read_config(const daemon::Configuration& source, supervise::Addresses addresses) {
    auto loaded = supervise::check(source, addresses);
    if (!loaded) {
        static_cast<void>(tool::complain(program, loaded.error()));
        return std::nullopt;
    }
    tool::warn(program, loaded->warnings);
    return std::move(*loaded);
}

/// Undoes what nobody confirmed of the last change of the settings; whether the file is another one now.
bool undo_unconfirmed(const daemon::Configuration& source, settings::When when) {
    const std::string done = settings::put_back(source, when);
    if (!done.empty()) tool::complain(program, done);
    return !done.empty();
}

/// The configuration for a start: one that cannot be used may be a change that waited to be confirmed.
std::optional<config::Loaded> read_for_start(const daemon::Configuration& source) {
    undo_unconfirmed(source, settings::When::overdue);
    auto loaded = read_config(source, supervise::Addresses::any);
    if (!loaded && undo_unconfirmed(source, settings::When::now))
        loaded = read_config(source, supervise::Addresses::any);
    return loaded;
}

/// Becomes the program that lies where this one was started from; everything but standard streams closes.
Error become_installed(const std::string& path, const std::string& token) {
    std::ifstream command_line("/proc/self/cmdline", std::ios::binary);
    std::vector<std::string> words;
    for (std::string word; std::getline(command_line, word, '\0');) words.push_back(word);
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::setenv(renewal_variable, token.c_str(), 1);
    ::execv(path.c_str(), argv.data());
    const int error = errno;
    ::unsetenv(renewal_variable);
    return fail_errno(path, error).error();
}

/// The token of the natkit whose place this one takes; empty at an ordinary start.
std::string take_renewal() {
    const char* value = std::getenv(renewal_variable);
    std::string token = value == nullptr ? "" : value;
    ::unsetenv(renewal_variable);
    return token;
}

/// What a `natkit run` owns from its start to its end.
class Run {
  public:
    Run(daemon::Configuration source, std::string renewal, std::optional<io::Detached> detached)
        : source_(std::move(source)), renewal_(std::move(renewal)), detached_(detached) {}

    tool::Exit operator()(config::Loaded loaded);

  private:
    [[nodiscard]] std::expected<std::unique_ptr<supervise::Supervisor>, config::Problems> start(config::Loaded loaded);
    void end() {
        ended_ = true;
        if (supervisor_) supervisor_->stop();
    }

    daemon::Configuration source_;
    std::string renewal_;
    std::optional<io::Detached> detached_;
    std::string programs_ = io::own_folder();  ///< now: what is installed later lies under the same name
    io::Loop loop_;
    std::unique_ptr<supervise::Supervisor> supervisor_;
    bool ended_ = false;
};

std::expected<std::unique_ptr<supervise::Supervisor>, config::Problems> Run::start(config::Loaded loaded) {
    return supervise::Supervisor::start(
        loop_,
        {.source = source_,
         .program_dir = programs_,
         .on_ready =
             [this] {
                 if (detached_) detached_->ready();
             },
         .on_renew = [this](const std::string& token) { return become_installed(programs_ + "/natkit", token); },
         .renewal = renewal_},
        std::move(loaded));
}

tool::Exit Run::operator()(config::Loaded loaded) {
    const std::string log_target = loaded.config.log.target;
    // Before anything else is there: a signal without a handler would end natkit and leave its workers.
    const daemon::Signals signals(
        loop_, [this] { end(); },
        [this] {
            if (supervisor_) supervisor_->rotate_logs();
        });
    const io::SignalWatch hangup(loop_, SIGHUP, [this](int) {
        if (supervisor_) supervisor_->reload();
    });
    auto started = start(std::move(loaded));
    if (!started) {
        const tool::Exit exit = tool::complain(program, started.error());
        if (!undo_unconfirmed(source_, settings::When::now)) return exit;
        auto earlier = read_config(source_, supervise::Addresses::any);
        if (earlier) started = start(std::move(*earlier));
        if (!started) return earlier ? tool::complain(program, started.error()) : exit;
    }
    supervisor_ = std::move(*started);
    if (ended_) supervisor_->stop();
    loop_.run();
    if (supervisor_->good()) return tool::Exit::fine;
    if (log_target != "stderr")
        tool::complain(program, "one of the programs cannot run; the log (" + log_target + ") says why");
    return tool::Exit::usage;
}

}  // namespace

tool::Exit run(const tool::CommonOptions& common, bool detach) {
    std::string renewal = take_renewal();
    daemon::Configuration source = source_of(common);
    auto loaded = read_for_start(source);
    if (!loaded) return tool::Exit::usage;
    const config::Log& logging = loaded->config.log;
    if (const auto done = log::configure(daemon::log_settings(logging, program)); !done) {
        tool::complain(program, "[log] target: " + done.error().message);
        return tool::Exit::usage;
    }
    std::optional<io::Detached> detached;
    if (detach && renewal.empty()) {
        if (logging.target == "stderr") {
            tool::complain(program,
                           "--daemon leaves no standard error to log to; write [log] target = \"journal\" or a file");
            return tool::Exit::usage;
        }
        auto split = io::Detached::split();
        if (!split) {
            tool::complain(program, split.error());
            return tool::Exit::internal;
        }
        detached = *split;
    }
    static_cast<void>(io::raise_descriptor_limit());
    return Run(std::move(source), std::move(renewal), detached)(std::move(*loaded));
}

tool::Exit check(const tool::CommonOptions& common) {
    const auto loaded = read_config(source_of(common), supervise::Addresses::of_this_host);
    if (!loaded) return tool::Exit::usage;
    tool::Output output(program);
    output.write(config::to_toml(loaded->config));
    return tool::Exit::fine;
}

tool::Exit check_for_host(const tool::CommonOptions& common) {
    const auto checked = supervise::check_for_host(source_of(common));
    if (!checked) return tool::complain(program, checked.error());
    tool::warn(program, checked->loaded.warnings);
    for (const std::string& one : checked->not_looked) tool::complain(program, "not looked at: " + one);
    tool::Output output(program);
    output.write(config::to_toml(checked->loaded.config));
    return tool::Exit::fine;
}

}  // namespace natkit_tool
