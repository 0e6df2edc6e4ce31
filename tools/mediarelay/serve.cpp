#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>

#include "mediarelay.hpp"
#include "natkit/engine/relay/service.hpp"
#include "natkit/io/fd.hpp"

namespace natkit::mediarelay {

tool::Exit serve(const tool::CommonOptions& common, const ServeOptions& options) {
    const auto config = load_config(common, options.base_dir);
    if (!config) return tool::Exit::usage;
    const log::Settings settings{
        .format = config->log.format == config::LogFormat::json ? log::Format::json : log::Format::text,
        .target = config->log.target,
        .program = "mediarelay"};
    if (const auto done = log::configure(settings); !done) {
        tool::complain("mediarelay", done.error());
        return tool::Exit::usage;
    }
    const log::Logger log("MEDIAPROXY", config->media_proxy.log_level);
    const auto limit = io::raise_descriptor_limit();

    io::Loop loop;
    const std::string runtime = runtime_dir(*config, options.runtime_dir);
    if (::mkdir(runtime.c_str(), 0700) != 0 && errno != EEXIST) {
        tool::complain("mediarelay", fail_errno("make " + runtime, errno).error());
        return tool::Exit::usage;
    }
    Options engine = options_from(*config);
    engine.journal = runtime + "/mediarelay.journal";
    const std::size_t most_ports = engine.ports.last - engine.ports.first + std::size_t{1};
    if (limit && *limit < most_ports + 64) {
        log.problems("at most " + std::to_string(*limit) + " descriptors (ulimit -n -H), fewer than the " +
                     std::to_string(most_ports) + " ports of the range: calls will be refused when they are used up");
    }
    const auto reload = [&]() -> Result<Options> {
        const auto fresh = load_config(common, options.base_dir);
        if (!fresh) return fail(Errc::bad_config, "the configuration has problems; the old one stays");
        return options_from(*fresh);
    };
    const auto service = Service::start(loop, std::move(engine), runtime + "/mediarelay.sock",
                                        {.reload = reload, .stop = [&loop] { loop.stop(); }});
    if (!service) {
        tool::complain("mediarelay", service.error());
        return tool::Exit::usage;
    }
    log.major("serving on " + runtime + "/mediarelay.sock, ports " + std::to_string(config->media_proxy.ports.first) +
              "-" + std::to_string(config->media_proxy.ports.last));
    const io::SignalWatch terminate(loop, SIGTERM, [&loop](int) { loop.stop(); });
    const io::SignalWatch interrupt(loop, SIGINT, [&loop](int) { loop.stop(); });
    const io::SignalWatch rotate(loop, SIGUSR1, [](int) { static_cast<void>(log::reopen()); });
    loop.run();
    return tool::Exit::fine;
}

}  // namespace natkit::mediarelay
