#include "run.hpp"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>

#include "natkit/engine/log/log.hpp"
#include "natkit/engine/supervise/supervisor.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/host.hpp"
#include "natkit/io/privileges.hpp"

using namespace natkit;

namespace natkit_tool {
namespace {

constexpr const char* program = "natkit";

std::string config_file(const tool::CommonOptions& common) {
    return common.config.empty() ? config::default_file() : common.config;
}

/// The folder of this program: the others lie beside it.
std::string program_dir() {
    std::error_code error;
    return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

std::string absolute(const std::string& path) {
    std::error_code error;
    return path.empty() ? path : std::filesystem::absolute(path, error).string();
}

bool configure_log(const config::Config& config) {
    const auto done =
        log::configure({.format = config.log.format == config::LogFormat::json ? log::Format::json : log::Format::text,
                        .target = config.log.target,
                        .program = program});
    if (!done) tool::complain(program, "[log] target: " + done.error().message);
    return done.has_value();
}

/// Files that the configuration names must be there; every one that is not is told.
bool check_files(const config::Config& config) {
    struct Named {
        const char* key;
        const std::string& path;
    };
    const Named named[] = {{"[registrar] users", config.registrar.users},
                           {"[tls] certificate", config.tls.certificate},
                           {"[tls] key", config.tls.key},
                           {"[tls] ca", config.tls.ca}};
    bool good = true;
    for (const Named& one : named) {
        if (one.path.empty() || ::access(one.path.c_str(), R_OK) == 0) continue;
        tool::complain(program, std::string(one.key) + ": " + fail_errno(one.path, errno).error().message);
        good = false;
    }
    return good;
}

}  // namespace

std::optional<config::Config> read_config(const tool::CommonOptions& common) {
    auto loaded = config::load_or_default(config_file(common));
    if (!loaded) {
        for (const Error& problem : loaded.error()) tool::complain(program, problem);
        return std::nullopt;
    }
    const auto host = io::host_addresses();
    if (!host) {
        tool::complain(program, host.error());
        return std::nullopt;
    }
    auto warnings = config::apply_host(loaded->config, *host);
    loaded->warnings.insert(loaded->warnings.end(), warnings.begin(), warnings.end());
    for (const Error& warning : loaded->warnings) tool::complain(program, "warning: " + to_string(warning));
    if (!check_files(loaded->config) || loaded->config.sip.listen.empty()) return std::nullopt;
    if (!common.log_level.empty()) loaded->config.sip.log_level = parse_log_level(common.log_level).value();
    return std::move(loaded->config);
}

tool::Exit run(const tool::CommonOptions& common, bool detach) {
    auto config = read_config(common);
    if (!config || !configure_log(*config)) return tool::Exit::usage;
    std::optional<io::Detached> detached;
    if (detach) {
        if (config->log.target == "stderr") {
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
    const std::string file = absolute(config_file(common));
    const std::string log_target = config->log.target;
    io::Loop loop;
    auto supervisor = supervise::Supervisor::start(
        loop,
        {.config_file = file,
         .base_dir = file.empty() ? absolute(".") : std::filesystem::path(file).parent_path().string(),
         .program_dir = program_dir(),
         .log_level = common.log_level,
         .on_ready =
             [&detached] {
                 if (detached) detached->ready();
             }},
        std::move(*config));
    if (!supervisor) {
        for (const Error& problem : supervisor.error()) tool::complain(program, problem);
        return tool::Exit::usage;
    }
    const auto end = [&](int) { (*supervisor)->stop(); };
    const io::SignalWatch terminate(loop, SIGTERM, end);
    const io::SignalWatch interrupt(loop, SIGINT, end);
    const io::SignalWatch hangup(loop, SIGHUP, [&](int) { (*supervisor)->reload(); });
    const io::SignalWatch rotate(loop, SIGUSR1, [](int) { static_cast<void>(log::reopen()); });
    loop.run();
    if ((*supervisor)->good()) return tool::Exit::fine;
    if (log_target != "stderr")
        tool::complain(program, "one of the programs cannot run; the log (" + log_target + ") says why");
    return tool::Exit::usage;
}

tool::Exit check(const tool::CommonOptions& common) {
    const auto config = read_config(common);
    if (!config) return tool::Exit::usage;
    tool::Output output(program);
    output.write(config::to_toml(*config));
    return tool::Exit::fine;
}

}  // namespace natkit_tool
