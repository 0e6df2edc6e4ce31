#include "natkit/engine/daemon/daemon.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "natkit/config/users.hpp"
#include "natkit/io/net/host.hpp"

namespace natkit::daemon {
namespace {

constexpr Duration repeats_every = std::chrono::seconds(5);

}  // namespace

Configuration::Configuration(Options options) : options_(std::move(options)) {
    if (options_.config_file.empty()) options_.config_file = config::default_file();
}

std::expected<config::Loaded, config::Problems> Configuration::read() const {
    auto read = draft();
    if (!read.problems.empty()) return std::unexpected(std::move(read.problems));
    return std::move(read.loaded);
}

config::Draft Configuration::draft() const {
    config::Draft draft = options_.text ? config::draft(*options_.text, options_.config_file, options_.base_dir,
                                                        config::Surroundings::of_process())
                                        : config::draft_or_default(options_.config_file, options_.base_dir);
    if (!draft.readable) return draft;
    config::Config& config = draft.loaded.config;
    if (!options_.log_level.empty()) {
        if (const auto level = parse_log_level(options_.log_level)) {
            config.sip.log_level = config.media_proxy.log_level = config.pinger.log_level = *level;
        } else {
            draft.problems.push_back(level.error());
        }
    }
    draft.loaded.written = config;
    if (const auto host = io::host_addresses()) {
        auto warnings = config::apply_host(config, *host);
        config::locate(warnings, draft.loaded.places);
        draft.loaded.warnings.insert(draft.loaded.warnings.end(), warnings.begin(), warnings.end());
    } else {
        draft.problems.push_back(host.error());
    }
    return draft;
}

std::expected<config::Loaded, config::Problems> Configuration::apply() const {
    auto loaded = read();
    if (!loaded) return loaded;
    if (const auto done = log::configure(log_settings(loaded->config.log, options_.program)); !done) {
        config::Problems problems{{done.error().code, "", "[log] target: " + done.error().message}};
        config::locate(problems, loaded->places);
        return std::unexpected(std::move(problems));
    }
    return loaded;
}

Result<config::Config> Configuration::reload() const {
    auto loaded = apply();
    if (loaded) return std::move(loaded->config);
    std::string lines;
    for (const Error& problem : loaded.error()) lines += (lines.empty() ? "" : "\n") + to_string(problem);
    return fail(Errc::bad_config, lines);
}

std::string Configuration::runtime_dir(const config::Config& config) const {
    if (!options_.runtime_dir.empty()) return options_.runtime_dir;
    const std::size_t slash = config.control.socket.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : config.control.socket.substr(0, slash);
}

log::Settings log_settings(const config::Log& from, const std::string& program) {
    return {.format = from.format == config::LogFormat::json ? log::Format::json : log::Format::text,
            .target = from.target,
            .program = program};
}

config::Problems missing_files(const config::Loaded& loaded) {
    const config::Config& config = loaded.config;
    struct Named {
        const char* key;
        const std::string& path;
    };
    const Named named[] = {{"[registrar] users", config.registrar.users},
                           {"[tls] certificate", config.tls.certificate},
                           {"[tls] key", config.tls.key},
                           {"[tls] ca", config.tls.ca},
                           {"[cluster] key", config.cluster.key},
                           {"[cluster] password_file", config.cluster.password_file}};
    config::Problems problems;
    for (const Named& one : named) {
        if (one.path.empty() || ::access(one.path.c_str(), R_OK) == 0) continue;
        problems.push_back(
            {Errc::bad_config, "", std::string(one.key) + ": " + fail_errno(one.path, errno).error().message});
    }
    for (const auto& [key, log] : {std::pair("target", config.log.target), std::pair("calls", config.log.calls)}) {
        if (!log.starts_with('/')) continue;
        const std::string folder = log.substr(0, std::max<std::size_t>(log.rfind('/'), 1));
        const bool there = ::access(log.c_str(), F_OK) == 0;
        if (::access(there ? log.c_str() : folder.c_str(), W_OK) != 0) {
            problems.push_back({Errc::bad_config, "",
                                "[log] " + std::string(key) + ": " +
                                    fail_errno(there ? log : folder, errno).error().message +
                                    "; write \"journal\", or a file in a folder that is there"});
        }
    }
    config::locate(problems, loaded.places);
    if (!config.registrar.users.empty() && ::access(config.registrar.users.c_str(), R_OK) == 0) {
        const auto users = config::load_users(config.registrar.users);
        if (!users) problems.insert(problems.end(), users.error().begin(), users.error().end());
    }
    return problems;
}

LogKeeper::LogKeeper(io::Loop& loop)
    : timer_(loop, [this] {
          log::tell_repeats();
          timer_.start_in(repeats_every);
      }) {
    timer_.start_in(repeats_every);
}

LogKeeper::~LogKeeper() {
    log::tell_repeats(true);
}

Signals::Signals(io::Loop& loop, std::function<void()> on_end, std::function<void()> on_rotate)
    : on_end_(std::move(on_end)),
      on_rotate_(std::move(on_rotate)),
      terminate_(loop, SIGTERM, [this](int) { on_end_(); }),
      interrupt_(loop, SIGINT, [this](int) { on_end_(); }),
      rotate_(loop, SIGUSR1,
              [this](int) {
                  if (const auto done = log::reopen(); !done) {
                      log::Logger("NATKIT", LogLevel::failures)
                          .failures(to_string(done.error()) + "; the old file stays in use");
                  }
                  if (on_rotate_) on_rotate_();
              }),
      log_(loop) {}

}  // namespace natkit::daemon
