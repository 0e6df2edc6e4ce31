#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

#include "natkit/engine/control/server.hpp"
#include "natkit/engine/settings/service.hpp"
#include "natkit/engine/supervise/supervisor.hpp"
#include "natkit/io/net/address_watch.hpp"
#include "natkit/io/net/http.hpp"
#include "notify.hpp"
#include "sockets/listeners.hpp"
#include "sockets/presence.hpp"
#include "tally.hpp"
#include "worker.hpp"

namespace natkit::supervise {

using control::Json;

constexpr const char* snapshot_name = "config.toml";  ///< what the workers read
constexpr const char* fresh_snapshot_name = "config.toml.new";
/// The key of flow tokens where [registrar] state is in memory: sipedge makes it, and its successors read it.
constexpr const char* token_key_name = "secret";

/// Nothing waits for it, and nothing is lost without it.
constexpr const char* pages_program = "natkit-web";
/// No call waits for it; without it this node cannot take over, nor be taken over from.
constexpr const char* cluster_program = "natkit-cluster";

/// Whether a program gets the SIP sockets.
[[nodiscard]] inline bool needs_sockets(const std::string& program) {
    return program == "sipedge" || program == "natpinger";
}

/// The inside of a Supervisor: supervisor.cpp holds its life, reload.cpp its changes, commands.cpp what its control
/// socket answers.
struct Supervisor::Impl {
    io::Loop& loop;
    Options options;
    config::Config config;
    config::Config written;  ///< the same before it was fitted to this host
    log::Logger log;
    std::string runtime_dir;
    Instant started;
    std::unique_ptr<control::Server> server;
    Listeners listeners;
    Notifier notifier;
    Tally tally;
    std::unique_ptr<io::HttpServer> metrics_server;
    std::vector<std::unique_ptr<Worker>> workers;  ///< in the order of their start
    std::vector<std::pair<Worker*, std::function<void(bool)>>> waiting_for_sockets;
    io::Timer drain_timer;
    bool made_runtime_dir = false;
    bool sockets_open = false;
    bool counting = false;  ///< the workers' records, since there are metrics
    bool retell = false;    ///< not all workers know the addresses of now
    bool draining = false;
    bool stopping = false;
    bool stopped = false;
    bool good = true;
    bool announced = false;
    std::vector<control::Reply> waiting_for_stop;
    Presence presence;
    std::unique_ptr<io::AddressWatch> address_watch;
    io::Timer address_timer;
    std::set<std::string> unopened;         ///< listeners that cannot be opened, and were said to be so
    std::optional<std::string> told_state;  ///< what systemd was told last
    io::Timer workers_timer;                ///< to put away those that have ended
    std::size_t renewed = 0;                ///< of `workers`, by the installed programs
    std::vector<control::Reply> waiting_for_renewal;
    std::unique_ptr<settings::Service> settings;
    std::optional<std::chrono::sys_seconds> certificate_ends;  ///< of the one in use

    Impl(io::Loop& on, Options with, config::Loaded from);

    [[nodiscard]] std::string path(const std::string& name) const { return runtime_dir + "/" + name; }
    [[nodiscard]] std::optional<Error> make_folders();
    [[nodiscard]] std::optional<Error> check_state() const;
    /// [daemon] user: sockets are open by now, and the folders become that user's.
    [[nodiscard]] std::optional<Error> drop_privileges() const;
    /// The configuration for the workers, under another name until put_snapshot().
    [[nodiscard]] std::optional<Error> write_snapshot() const;
    [[nodiscard]] std::optional<Error> put_snapshot() const;
    /// A worker for each program that is wanted and has none.
    void make_workers();
    [[nodiscard]] bool wanted(const std::string& program) const;
    [[nodiscard]] bool wanted(const Worker& worker) const { return wanted(worker.name()); }
    [[nodiscard]] static bool needed_for_calls(const std::string& program) {
        return program != pages_program && program != cluster_program;
    }
    /// Whether all programs that calls need run.
    [[nodiscard]] bool complete() const;
    /// After a reload between SIP and none: starts who is missing, ends who is not wanted.
    void start_and_stop_workers();
    void put_away_workers();
    /// Gets the SIP sockets back from workers that outlived the last natkit.
    void take_sockets_back();
    void clean_up();

    void hand_over_sockets(Worker& worker, std::function<void(bool)> ready);
    void on_worker_running(Worker& worker);
    /// What does not work as it should, a text each; empty: all is well.
    [[nodiscard]] std::vector<std::string> troubles() const;
    [[nodiscard]] std::string summary() const;
    /// Tells systemd, if what there is to tell is new.
    void tell_state();
    [[nodiscard]] bool on_worker_unusable(Worker& worker);
    /// `natkit renew`: natkit becomes the installed program, then each worker does.
    void renew(const std::string& token, const control::Reply& reply);
    void renew_next();
    /// Follows the addresses of this host: opens listeners when theirs have come, says what came and went, and tells
    /// the workers.
    void watch_addresses();
    void look_at_addresses();
    void note_presence(const std::vector<HostAddress>& host);
    void note_opened(const std::vector<std::string>& opened, const std::vector<Error>& problems);
    void look_again_in_time();
    /// Listeners whose addresses the host does not have at present, open or not.
    [[nodiscard]] std::vector<std::string> without_address() const;
    /// No new calls; ends when the last one does.
    void drain();
    void look_at_drain();
    void stop();
    void on_worker_stopped();

    /// Reads the configuration and lets it take effect everywhere; `done` hears every problem. Problems of the
    /// configuration itself, or of a socket or file, leave everything as it was.
    void reload(std::function<void(const config::Problems&)> done);
    /// What cannot change while natkit runs.
    [[nodiscard]] config::Problems fixed_changes(const config::Config& fresh) const;
    [[nodiscard]] config::Problems take_over(config::Loaded& fresh);
    /// What a reload would do: every problem, or what would change, and which registered clients would change place.
    using OnPreview = std::function<void(std::expected<Json, config::Problems>)>;
    void preview(const daemon::Configuration& source, OnPreview done);
    /// The commands by which the file itself is changed.
    void serve_settings();
    void tell_workers(std::function<void(config::Problems)> done);

    void serve();
    /// [control] metrics at the start. Where nobody asked for them, a port that cannot be had is no problem.
    [[nodiscard]] std::optional<Error> serve_metrics();
    /// A server for `wanted`; none where none is wanted, where it is served already, or where it is no problem.
    [[nodiscard]] Result<std::unique_ptr<io::HttpServer>> open_metrics(const config::Control& wanted);
    void watch(Worker& worker);
    void count_from_now();
    /// Asks all workers that run; calls back with the object that `status` answers.
    void gather_status(std::function<void(const Json&)> done);
    void ask_edge(const std::string& command, const Json& params, const control::Reply& reply);
    void page_of_calls(const std::string& after, bool quality, const control::Reply& reply);
    void add_quality(Json page, const control::Reply& reply);
    /// `promote`, `demote`, `cluster`: what natkit-cluster answers.
    void serve_cluster();
    void ask_cluster(const std::string& command, const control::Reply& reply);
    void look_at_certificate();
    [[nodiscard]] Json component(const Worker& worker) const;
    [[nodiscard]] Worker* find(std::string_view name);
};

/// All problems as one reply: a line each.
[[nodiscard]] Error one_error(const config::Problems& problems);

}  // namespace natkit::supervise
