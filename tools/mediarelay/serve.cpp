#include <sys/stat.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "mediarelay.hpp"
#include "natkit/engine/log/record_file.hpp"
#include "natkit/engine/ng/service.hpp"
#include "natkit/engine/relay/service.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/host_setup.hpp"
#include "natkit/io/privileges.hpp"

namespace natkit::mediarelay {
namespace {

static_assert(static_cast<int>(tool::Exit::start_again) == cluster::start_again);

/// The records of calls that proxies have asked for, where they are wanted: in the file of [log] calls, and by those
/// that watch.
class CallFile {
  public:
    explicit CallFile(const log::Logger& log) : log_(log) {}

    void open(const config::Log& wanted, ng::Service& proxies, relay::Service& service) {
        target_ = wanted.calls;
        if (const auto opened = file_.open(target_); !opened)
            log_.failures("[log] calls: " + to_string(opened.error()) + "; records of calls are lost");
        proxies.on_ended(
            [this, &service](const Json& record) {
                if (file_.is_open()) write(record);
                service.publish(record);
            },
            [this, &service] { return file_.is_open() || service.watched("call"); });
    }
    /// The file anew, after a rotation.
    void open_again() { static_cast<void>(file_.open(target_)); }

  private:
    void write(const Json& record) {
        file_.write(record.dump(-1, ' ', false, Json::error_handler_t::replace));
        if (!file_.problem().empty()) log_.failures("records of calls are lost: " + file_.problem());
    }

    log::Logger log_;
    log::RecordFile file_;
    std::string target_;
};

}  // namespace

tool::Exit serve(const tool::CommonOptions& common, const ServeOptions& options) {
    const daemon::Configuration source = source_of(common, options.base_dir, options.runtime_dir);
    const auto loaded = source.apply();
    if (!loaded) return tool::complain("mediarelay", loaded.error());
    const config::Config& config = loaded->config;
    const log::Logger log("MEDIAPROXY", config.media_proxy.log_level);
    const auto limit = io::raise_descriptor_limit();

    io::Loop loop;
    CallFile call_file(log);
    const daemon::Signals signals(loop, [&loop] { loop.stop(); }, [&call_file] { call_file.open_again(); });
    const std::string runtime = source.runtime_dir(config);
    if (::mkdir(runtime.c_str(), 0700) != 0 && errno != EEXIST) {
        tool::complain("mediarelay", fail_errno("make " + runtime, errno).error());
        return tool::Exit::usage;
    }
    if (const auto own = io::check_private_folder(runtime); !own) {
        tool::complain("mediarelay", own.error());
        return tool::Exit::usage;
    }
    relay::Options engine = options_from(config);
    engine.journal = runtime + "/mediarelay.journal";
    engine.standing = cluster::standing_at_start(config.cluster, runtime);
    const bool standby = engine.standing && engine.standing->role == cluster::Role::standby;
    const auto reserved = io::reserve_ports(config.media_proxy.ports);
    if (!reserved && io::ports_given_to_others(config.media_proxy.ports)) {
        log.problems("other programs may be given media ports by the system, and calls pass those over: " +
                     to_string(reserved.error()) + "; natkit prepare-host, run as root, reserves them");
    }
    for (const std::string& told : io::receive_bottlenecks()) {
        log.problems(told + ", which is too much near 1,000 calls (ethtool -L, smp_affinity, rps_cpus)");
    }
    std::unique_ptr<ng::Service> ng;
    relay::Service* running = nullptr;
    const auto reload = [&]() -> Result<relay::Options> {
        const auto fresh = source.reload();
        if (!fresh) return std::unexpected(fresh.error());
        if (auto done = ng->reconfigure(ng_options_from(*fresh)); !done) return std::unexpected(done.error());
        call_file.open(fresh->log, *ng, *running);
        return options_from(*fresh);
    };
    auto exit = tool::Exit::fine;
    const auto service = relay::Service::start(loop, std::move(engine), runtime + "/mediarelay.sock",
                                               {.reload = reload,
                                                .stop = [&loop] { loop.stop(); },
                                                .calls = [&ng](const std::string& after) { return ng->records(after); },
                                                .drain = [&ng] { ng->drain(); },
                                                .activated = [&ng] { ng->activated(); },
                                                .stepped_down =
                                                    [&loop, &exit] {
                                                        exit = tool::Exit::start_again;
                                                        loop.stop();
                                                    }});
    if (!service) {
        tool::complain("mediarelay", service.error());
        return tool::Exit::usage;
    }
    auto proxies = ng::Service::start(loop, (*service)->engine(), ng_options_from(config));
    if (!proxies) {
        tool::complain("mediarelay", proxies.error());
        return tool::Exit::usage;
    }
    ng = std::move(*proxies);
    running = service->get();
    call_file.open(config.log, *ng, *running);
    // Steered ports need none.
    const std::size_t most_ports = config.media_proxy.ports.last - config.media_proxy.ports.first + std::size_t{1};
    if (limit && !(*service)->engine().status().steered && *limit < most_ports + 64) {
        log.problems("at most " + std::to_string(*limit) + " descriptors (ulimit -n -H), fewer than the " +
                     std::to_string(most_ports) + " ports of the range: calls will be refused when they are used up");
    }
    log.major("serving on " + runtime + "/mediarelay.sock, ports " + std::to_string(config.media_proxy.ports.first) +
              "-" + std::to_string(config.media_proxy.ports.last) + (standby ? ", as a standby" : ""));
    loop.run();
    return exit;
}

}  // namespace natkit::mediarelay
