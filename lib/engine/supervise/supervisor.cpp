#include "natkit/engine/supervise/supervisor.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <utility>

#include "natkit/engine/role/role.hpp"
#include "natkit/engine/settings/put_back.hpp"
#include "natkit/io/lines.hpp"
#include "natkit/io/net/host.hpp"
#include "natkit/io/privileges.hpp"
#include "supervisor_impl.hpp"

namespace natkit::supervise {
namespace {

using namespace std::chrono_literals;

constexpr const char* programs[] = {"mediarelay", "sipedge", "natpinger", cluster_program, pages_program};

Result<void> make_folder(const std::string& path, bool& made) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) return {};
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
    if (::mkdir(path.c_str(), 0750) != 0 && errno != EEXIST) return fail_errno(path, errno);
    made = true;
    return {};
}

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Supervisor::Impl::Impl(io::Loop& on, Options with, config::Loaded from)
    : loop(on),
      options(std::move(with)),
      config(std::move(from.config)),
      written(std::move(from.written)),
      log("NATKIT", config.sip.log_level),
      runtime_dir(folder_of(config.control.socket)),
      started(on.now()),
      listeners(config.cluster.state ? io::Presence::awaited : io::Presence::needed),
      notifier(on),
      drain_timer(on, [this] { look_at_drain(); }),
      address_timer(on, [this] { look_at_addresses(); }),
      workers_timer(on, [this] { put_away_workers(); }) {}

std::expected<std::unique_ptr<Supervisor>, config::Problems> Supervisor::start(io::Loop& loop, Options options,
                                                                               config::Loaded loaded) {
    std::unique_ptr<Supervisor> supervisor(new Supervisor);
    const auto places = std::move(loaded.places);
    supervisor->impl_ = std::make_unique<Impl>(loop, std::move(options), std::move(loaded));
    Impl& impl = *supervisor->impl_;
    if (auto problem = impl.make_folders()) return std::unexpected(config::Problems{std::move(*problem)});
    auto server = control::Server::listen(loop, impl.config.control.socket);
    if (!server) {
        Error error = server.error();
        if (error.code == Errc::refused) error.message += " (natkit runs already: see natkit status)";
        error.message = "[control] socket: " + error.message;
        return std::unexpected(config::Problems{std::move(error)});
    }
    impl.server = std::move(*server);
    impl.make_workers();
    impl.serve();  // before the loop runs for the first time: somebody may ask already
    for (auto& socket : io::take_listen_fds()) {
        if (const auto taken = impl.listeners.offer(std::move(socket)); !taken)
            impl.log.problems(to_string(taken.error()));
    }
    bool survivors = false;
    for (auto& worker : impl.workers) survivors = worker->adopt() || survivors;
    impl.take_sockets_back();
    auto problems = impl.listeners.open(impl.config.sip.listen);
    if (auto problem = impl.serve_metrics()) problems.push_back(std::move(*problem));
    if (auto problem = impl.check_state(); problem && !survivors) problems.push_back(std::move(*problem));
    if (problems.empty()) {
        if (auto problem = impl.drop_privileges()) problems.push_back(std::move(*problem));
    }
    if (problems.empty()) {
        auto problem = impl.write_snapshot();
        if (!problem) problem = impl.put_snapshot();
        if (problem) problems.push_back(std::move(*problem));
    }
    if (!problems.empty()) {
        config::locate(problems, places);
        return std::unexpected(std::move(problems));
    }
    impl.sockets_open = true;
    impl.serve_settings();
    impl.look_at_certificate();
    impl.watch_addresses();
    for (auto& [worker, ready] : std::exchange(impl.waiting_for_sockets, {})) impl.hand_over_sockets(*worker, ready);
    for (auto& worker : impl.workers) {
        if (impl.stopping) break;  // one could not even be started
        if (worker->state() == Worker::State::stopped) {
            worker->start();
        } else {  // one taken over works by the configuration of the last natkit
            worker->client().request(
                "reload", nullptr, [log = impl.log, name = worker->name()](const Result<Json>& reply) {
                    if (!reply) log.failures(name + " keeps its old configuration: " + to_string(reply.error()));
                });
        }
    }
    return supervisor;
}

Supervisor::~Supervisor() {
    if (impl_) impl_->clean_up();
}

std::optional<Error> Supervisor::Impl::make_folders() {
    const auto explained = [](const char* key, const Error& error) {
        return Error{Errc::system, "", std::string(key) + ": " + error.message};
    };
    if (const auto done = make_folder(runtime_dir, made_runtime_dir); !done) {
        return explained("[control] socket", done.error());
    }
    // The workers' configuration lies there, and their sockets.
    if (const auto own = io::check_private_folder(runtime_dir, config.daemon.user); !own) {
        return explained("[control] socket", own.error());
    }
    if (!config.registrar.state.empty()) {
        bool made = false;
        if (const auto done = make_folder(folder_of(config.registrar.state), made); !done) {
            return explained("[registrar] state", done.error());
        }
    }
    return std::nullopt;
}

/// A state that may never be written is a mistake, and told before anything is started. What happens to it later, or
/// while calls of an earlier natkit go on, ends nothing: sipedge does without.
std::optional<Error> Supervisor::Impl::check_state() const {
    if (config.registrar.state.empty() || !config::wants_sip(written)) return std::nullopt;
    const bool there = ::access(config.registrar.state.c_str(), F_OK) == 0;
    const std::string path = there ? config.registrar.state : folder_of(config.registrar.state);
    if (::access(path.c_str(), W_OK) == 0) return std::nullopt;
    return Error{Errc::system, "", "[registrar] state: " + fail_errno(config.registrar.state, errno).error().message};
}

std::optional<Error> Supervisor::Impl::drop_privileges() const {
    if (config.daemon.user.empty()) return std::nullopt;
    std::vector<std::string> paths = {runtime_dir, config.control.socket, config.control.socket + ".lock",
                                      path(token_key_name), path(token_key_name) + ".since"};
    if (!config.registrar.state.empty()) {
        paths.push_back(folder_of(config.registrar.state));
        for (const char* suffix : {"", "-wal", "-shm"}) paths.push_back(config.registrar.state + suffix);
        for (const char* suffix : {"", ".since"})
            paths.push_back(folder_of(config.registrar.state) + "/secret" + suffix);
    }
    paths.push_back(config.web.users);
    for (const std::string& file : {config.log.target, config.log.calls}) {
        if (file.starts_with('/')) paths.push_back(file);
    }
    const auto done = io::become(config.daemon.user, paths, settings::folder_of(config));
    if (done) return std::nullopt;
    return Error{Errc::bad_config, "", "[daemon] user: " + done.error().message};
}

void Supervisor::Impl::make_workers() {
    for (const std::string name : programs) {
        if (!wanted(name) || find(name) != nullptr) continue;
        Worker::Spec spec{.name = name,
                          .argv = {options.program_dir + "/" + name, "serve"},
                          .socket = path(name + ".sock"),
                          .network_rights = name == "mediarelay"};
        const std::vector<std::string> arguments = {
            "--config", path(snapshot_name), "--base-dir", options.source.options().base_dir, "--runtime", runtime_dir};
        spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
        if (needs_sockets(name)) spec.argv.emplace_back("--adopt");
        if (const std::string& level = options.source.options().log_level; !level.empty())
            spec.argv.insert(spec.argv.end(), {"--log-level", level});
        workers.push_back(std::make_unique<Worker>(
            loop, std::move(spec), log,
            Worker::Handlers{
                .on_connected = [this](Worker& worker,
                                       std::function<void(bool)> ready) { hand_over_sockets(worker, ready); },
                .on_running = [this](Worker& worker) { on_worker_running(worker); },
                .on_unusable = [this](Worker& worker) { return on_worker_unusable(worker); },
                .on_troubles = [this](Worker&) { tell_state(); },
                .on_stopped = [this](Worker&) { on_worker_stopped(); }}));
        if (counting) watch(*workers.back());
    }
}

bool Supervisor::Impl::wanted(const std::string& program) const {
    if (program == pages_program) return config.web.listen.has_value();
    if (program == cluster_program) return config.cluster.state.has_value();
    return !needs_sockets(program) || config::wants_sip(written);  // without SIP there is a relay for others
}

bool Supervisor::Impl::complete() const {
    return std::ranges::all_of(workers, [this](const auto& worker) {
        return worker->state() == Worker::State::running || !wanted(*worker) || !needed_for_calls(worker->name());
    });
}

void Supervisor::Impl::start_and_stop_workers() {
    make_workers();
    for (auto& worker : workers) {
        if (!wanted(*worker)) {
            worker->stop();
        } else if (worker->state() == Worker::State::stopped) {
            worker->start();
        }
    }
}

/// Not from the worker's own callback. What was unwanted when it was told to end may be wanted again.
void Supervisor::Impl::put_away_workers() {
    if (stopping) return;
    std::erase_if(workers, [this](const auto& one) { return !wanted(*one) && one->state() == Worker::State::stopped; });
    for (auto& worker : workers) {
        if (worker->state() == Worker::State::stopped) worker->start();
    }
}

void Supervisor::Impl::take_sockets_back() {
    unsigned waiting = 0;
    for (auto& worker : workers) {
        if (worker->state() != Worker::State::starting || !needs_sockets(worker->name())) continue;
        ++waiting;
        worker->client().request("listeners", nullptr, {},
                                 [this, &waiting](const Result<Json>& reply, std::vector<io::Fd> sockets) {
                                     --waiting;
                                     if (!reply) return;
                                     for (io::Fd& socket : sockets)
                                         static_cast<void>(listeners.offer(std::move(socket)));
                                 });
    }
    while (waiting > 0) loop.run_once();  // each request times out
}

void Supervisor::Impl::hand_over_sockets(Worker& worker, std::function<void(bool)> ready) {
    if (!needs_sockets(worker.name())) return ready(true);
    if (!sockets_open) {  // a worker taken over is met before its sockets are back
        waiting_for_sockets.emplace_back(&worker, std::move(ready));
        return;
    }
    auto sockets = listeners.duplicates();
    if (!sockets) {
        log.failures("sockets for " + worker.name() + ": " + to_string(sockets.error()));
        return ready(false);
    }
    worker.begin_with("adopt", {{"sockets", listeners.names()}}, std::move(*sockets),
                      [this, &worker, given = listeners.names(), ready = std::move(ready)](const Result<Json>& reply,
                                                                                           const std::vector<io::Fd>&) {
                          if (!reply) log.failures(worker.name() + " takes no sockets: " + to_string(reply.error()));
                          if (reply && given != listeners.names())
                              return hand_over_sockets(worker, ready);  // others came meanwhile
                          ready(reply.has_value());
                      });
}

void Supervisor::Impl::on_worker_running(Worker& worker) {
    log.low_level(worker.name() + " runs (process " + std::to_string(worker.pid()) + ")");
    if (server->watched()) server->publish(component(worker));
    if (draining && worker.name() == "sipedge") drain();  // it has forgotten
    if (!complete()) return tell_state();
    if (announced) {
        tell_state();
        return renew_next();
    }
    announced = true;
    told_state = summary();
    log.major(*told_state);
    notifier.ready(*told_state);
    if (options.on_ready) options.on_ready();
    renew_next();
}

std::vector<std::string> Supervisor::Impl::troubles() const {
    std::vector<std::string> list;
    if (config::wants_sip(written) && sockets_open && listeners.names().empty()) {
        list.emplace_back("no address yet: SIP is served once this host has one to listen on");
    }
    for (const auto& worker : workers) {
        for (std::string& one : worker->troubles()) list.push_back(std::move(one));
    }
    return list;
}

std::string Supervisor::Impl::summary() const {
    std::string text;
    for (const std::string& trouble : troubles()) text += (text.empty() ? "degraded: " : "; ") + trouble;
    text += text.empty() ? "running:" : ". Running:";
    for (const std::string& name : listeners.names()) text += " " + name;
    return text;
}

void Supervisor::Impl::tell_state() {
    if (stopping || (!announced && troubles().empty())) return;  // the first good word is that all run
    std::string text = summary();
    if (text == told_state) return;
    notifier.status(text);
    told_state = std::move(text);
}

/// At the start that is a mistake in the configuration, and natkit ends. One that fails later, at a reload say, is
/// tried again: the others go on.
bool Supervisor::Impl::on_worker_unusable(Worker& worker) {
    if (announced || !needed_for_calls(worker.name())) return false;
    log.crashes(worker.name() + " cannot run; its message is above");
    good = false;
    stop();
    return true;
}

void Supervisor::Impl::drain() {
    if (!draining) log.major("draining: no new calls; this ends when the last one does");
    draining = true;
    for (const char* name : {"sipedge", "mediarelay"}) {
        Worker* worker = find(name);
        if (worker == nullptr || worker->state() != Worker::State::running) continue;
        worker->client().request("drain", Json::object(), [this, name](const Result<Json>& reply) {
            if (!reply) log.failures(std::string(name) + " does not drain: " + to_string(reply.error()));
        });
    }
    drain_timer.start_in(500ms);
}

void Supervisor::Impl::look_at_drain() {
    if (stopping) return;
    gather_status([this](const Json& status) {
        if (complete() && status["calls"] == 0 && status["sessions"] == 0) {
            log.major("drained");
            return stop();
        }
        drain_timer.start_in(500ms);
    });
}

void Supervisor::Impl::stop() {
    if (stopping) return;
    stopping = true;
    notifier.stopping();
    log.low_level("stopping");
    // Whoever drives another is stopped first.
    for (auto worker = workers.rbegin(); worker != workers.rend(); ++worker) (*worker)->stop();
}

void Supervisor::Impl::on_worker_stopped() {
    if (!stopping) workers_timer.start_in(Duration::zero());
    if (!stopping || stopped || !std::ranges::all_of(workers, [](const auto& worker) { return worker->over(); }))
        return;
    stopped = true;
    for (const control::Reply& reply : waiting_for_stop) reply.ok(Json::object());
    waiting_for_stop.clear();
    log.major("stopped");
    static_cast<void>(loop.post([this] { loop.stop(); }));  // the replies go out first
}

/// A natkit that ends by stop() leaves nothing behind; one that ends otherwise leaves its workers what they need.
void Supervisor::Impl::clean_up() {
    const bool alone = std::ranges::all_of(workers, [](const auto& worker) { return worker->over(); });
    workers.clear();
    if (alone && server) {
        std::vector<std::string> names = {
            snapshot_name,    token_key_name,       std::string(token_key_name) + ".since",
            "natpinger.mark", "mediarelay.journal", cluster::standing_file};
        for (const std::string name : programs) names.push_back(name + ".sock.lock");
        for (const std::string& name : names) ::unlink(path(name).c_str());
        ::unlink((config.control.socket + ".lock").c_str());
    }
    server.reset();
    if (alone && made_runtime_dir) ::rmdir(runtime_dir.c_str());
}

void Supervisor::reload() {
    impl_->reload([](const config::Problems&) {});
}

void Supervisor::rotate_logs() {
    for (const auto& worker : impl_->workers) worker->signal(SIGUSR1);
}

void Supervisor::stop() {
    impl_->stop();
}

bool Supervisor::good() const noexcept {
    return impl_->good;
}

}  // namespace natkit::supervise
