// `natkit reload`: another configuration takes effect everywhere, or nowhere.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "natkit/engine/supervise/check.hpp"
#include "natkit/io/net/host.hpp"
#include "supervisor_impl.hpp"

namespace natkit::supervise {

config::Problems Supervisor::Impl::fixed_changes(const config::Config& fresh) const {
    config::Problems problems;
    const auto fixed = [&problems](bool changed, const char* key) {
        const char* what = ": cannot change while natkit runs; stop and start it";
        if (changed) problems.push_back({Errc::bad_config, "", std::string(key) + what});
    };
    fixed(fresh.control.socket != config.control.socket, "[control] socket");
    fixed(fresh.registrar.state != config.registrar.state, "[registrar] state");
    fixed(fresh.daemon.user != config.daemon.user, "[daemon] user");
    fixed(fresh.cluster.state != config.cluster.state, "[cluster] state");
    fixed(fresh.cluster.group != config.cluster.group, "[cluster] group");
    fixed(fresh.cluster.node != config.cluster.node, "[cluster] node");
    fixed(fresh.cluster.user != config.cluster.user, "[cluster] user");
    fixed(fresh.cluster.timeout != config.cluster.timeout, "[cluster] timeout");
    fixed(fresh.cluster.peers != config.cluster.peers, "[cluster] peers");
    const config::MediaProxy& wanted = fresh.media_proxy;
    const config::MediaProxy& running = config.media_proxy;
    fixed(wanted.workers != running.workers, "[media_proxy] workers");
    fixed(wanted.tiers.fast_path != running.tiers.fast_path, "[media_proxy] fast_path");
    fixed(wanted.tiers.fast_path_lapse != running.tiers.fast_path_lapse, "[media_proxy] fast_path_lapse");
    fixed(wanted.tiers.receive != running.tiers.receive, "[media_proxy] receive");
    return problems;
}

/// The workers read a copy: a file that is being edited does not reach one that happens to restart.
std::optional<Error> Supervisor::Impl::write_snapshot() const {
    std::ostringstream text;
    const std::string& file_name = options.source.options().config_file;
    if (!file_name.empty()) text << std::ifstream(file_name, std::ios::binary).rdbuf();
    const std::string bytes = text.str();
    const std::string fresh = path(fresh_snapshot_name);
    ::unlink(fresh.c_str());  // of one that died over it
    const io::Fd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    const auto failed = [&] { return fail_errno(fresh, errno).error(); };
    if (!file) return failed();
    if (::write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) return failed();
    return std::nullopt;
}

std::optional<Error> Supervisor::Impl::put_snapshot() const {
    const std::string fresh = path(fresh_snapshot_name);
    if (::rename(fresh.c_str(), path(snapshot_name).c_str()) == 0) return std::nullopt;
    return fail_errno(fresh, errno).error();
}

/// First everything that may fail, none of which is seen from outside; then what cannot fail. The log comes before all
/// and is put back: its old file is still open elsewhere.
config::Problems Supervisor::Impl::take_over(config::Loaded& fresh) {
    if (const auto done = log::configure(daemon::log_settings(fresh.config.log, "natkit")); !done) {
        return {{done.error().code, "", "[log] target: " + done.error().message}};
    }
    config::Problems problems;
    if (const auto host = io::host_addresses(); host && written.sip.listen == fresh.written.sip.listen) {
        auto& listen = fresh.config.sip.listen;  // what an interface that is away has lost meanwhile is not given up
        listen = presence.with_gone(std::move(listen), config.sip.listen, *host);
    }
    auto change = listeners.prepare(fresh.config.sip.listen);
    if (!change) problems = std::move(change.error());
    auto metrics = open_metrics(fresh.config.control);
    if (!metrics) problems.push_back(std::move(metrics.error()));
    if (problems.empty()) {
        auto problem = write_snapshot();
        if (!problem) problem = put_snapshot();
        if (problem) problems.push_back(std::move(*problem));
    }
    if (!problems.empty()) {
        ::unlink(path(fresh_snapshot_name).c_str());
        static_cast<void>(log::configure(daemon::log_settings(config.log, "natkit")));
        return problems;
    }
    listeners.commit(std::move(*change));
    const std::optional<Endpoint>& where = fresh.config.control.metrics;
    const bool stays = where && metrics_server && metrics_server->local() == *where;
    if (!stays) metrics_server = std::move(*metrics);
    if (metrics_server) count_from_now();
    return {};
}

void Supervisor::Impl::reload(std::function<void(const config::Problems&)> done) {
    notifier.reloading();
    const auto finish = [this, done = std::move(done)](config::Problems problems) {
        for (const Error& problem : problems) log.failures("not reloaded: " + natkit::to_string(problem));
        if (problems.empty()) log.major("configuration read again");
        told_state = summary();
        notifier.ready(*told_state);
        done(problems);
    };
    auto loaded = check(options.source);
    if (!loaded) return finish(std::move(loaded.error()));
    config::Problems problems = fixed_changes(loaded->config);
    if (problems.empty()) problems = take_over(*loaded);
    if (!problems.empty()) {
        config::locate(problems, loaded->places);
        return finish(std::move(problems));
    }
    config = std::move(loaded->config);
    written = std::move(loaded->written);
    log.set_level(config.sip.log_level);
    look_at_certificate();
    if (const auto host = io::host_addresses()) note_presence(*host);
    look_again_in_time();
    start_and_stop_workers();
    tell_workers(finish);
}

/// Every worker reads the snapshot again and gets the sockets; `done` hears of those that did not.
void Supervisor::Impl::tell_workers(std::function<void(config::Problems)> done) {
    struct Round {
        std::function<void(config::Problems)> done;
        config::Problems problems;
        unsigned waiting = 1;  // ourselves, until all have been asked
        void finish() {
            if (--waiting == 0) done(std::move(problems));
        }
    };
    auto round = std::make_shared<Round>();
    round->done = std::move(done);
    for (auto& worker : workers) {
        worker->retry();
        if (worker->state() != Worker::State::running) continue;  // it reads the snapshot when it starts
        const auto told = [round, name = worker->name()](const Result<Json>& reply) {
            if (!reply) {
                const std::string text = name + " keeps its old configuration: " + natkit::to_string(reply.error());
                round->problems.push_back({Errc::system, "", text});
            }
            round->finish();
        };
        if (needs_sockets(worker->name())) {  // first: what they mean for the host follows from them
            auto sockets = listeners.duplicates();
            if (!sockets) {
                round->problems.push_back(sockets.error());
                continue;
            }
            ++round->waiting;
            worker->client().request("adopt", {{"sockets", listeners.names()}}, std::move(*sockets),
                                     [told](const Result<Json>& reply, const std::vector<io::Fd>&) { told(reply); });
        }
        ++round->waiting;
        worker->client().request("reload", nullptr, told);
    }
    round->finish();
}

}  // namespace natkit::supervise
