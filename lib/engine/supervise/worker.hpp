#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "natkit/engine/control/client.hpp"
#include "natkit/engine/log/log.hpp"
#include "natkit/io/loop.hpp"
#include "natkit/io/process.hpp"
#include "restart.hpp"

namespace natkit::supervise {

/// One of the programs that natkit keeps running.
class Worker {
  public:
    enum class State : std::uint8_t {
        stopped,
        starting,  ///< the process runs, and does not serve yet
        running,
        waiting,  ///< died; starts again after a while
        failed,   ///< could not be used from the start: natkit ends
        stopping,
    };

    struct Spec {
        std::string name;               ///< "sipedge": its socket is NAME.sock
        std::vector<std::string> argv;  ///< how to start it
        std::string socket;             ///< path of its control socket
        bool network_rights = false;    ///< inherits what natkit has of CAP_BPF, CAP_NET_ADMIN, CAP_NET_RAW
    };
    struct Handlers {
        /// The worker answers. It counts as running once `ready(true)` was called; `ready(false)`: it is of no use.
        std::function<void(Worker& worker, std::function<void(bool)> ready)> on_connected;
        std::function<void(Worker& worker)> on_running;
        /// It ended before it ever ran, by exit status 2: what it said is on standard error. False: it is to be tried
        /// again all the same.
        std::function<bool(Worker& worker)> on_unusable;
        /// What troubles() says may have changed.
        std::function<void(Worker& worker)> on_troubles = {};
        std::function<void(Worker& worker)> on_stopped;
    };

    Worker(io::Loop& loop, Spec spec, log::Logger& log, Handlers handlers);

    /// Takes over a live process that serves the socket already. False when there is none.
    bool adopt();
    void start();
    /// Asks it to end, then insists: SIGTERM after 3 s, SIGKILL after 5 s.
    void stop();
    /// Ends one that runs at once, as a crash would, and starts its program, as it is installed now, in its place.
    void replace();
    /// One that waits to be started again waits no longer.
    void retry();
    /// Sends a signal to one that runs, and to one that starts once it runs: until then it has no handler for it.
    void signal(int number);

    [[nodiscard]] const std::string& name() const noexcept { return spec_.name; }
    [[nodiscard]] State state() const noexcept { return state_; }
    [[nodiscard]] bool over() const noexcept { return process_ == nullptr && state_ != State::waiting; }
    [[nodiscard]] pid_t pid() const noexcept { return process_ ? process_->pid() : 0; }
    [[nodiscard]] unsigned restarts() const noexcept { return restarts_; }
    /// Why it does not do its whole work: it died and is not back, or says itself what it must do without (`degraded`
    /// of its status, a list of texts). Empty: all is well.
    [[nodiscard]] std::vector<std::string> troubles() const;
    /// Reads these from its status, which was asked for.
    void learn_troubles(const control::Json& status);
    [[nodiscard]] Duration uptime() const noexcept;
    /// How long a worker may say nothing. Far beyond what a busy machine makes of a request, as the remedy is a
    /// restart.
    static constexpr Duration look_every = std::chrono::seconds(5);
    static constexpr unsigned most_unanswered = 3;
    static constexpr Duration longest_start = std::chrono::seconds(30);

    /// Told whenever its control socket is lost.
    void on_lost(std::function<void()> handler) { on_lost_ = std::move(handler); }
    [[nodiscard]] control::Client& client() noexcept { return *client_; }
    /// Asks what a process that is being started answers when it has read all it had before, be that much.
    void begin_with(const std::string& command, const control::Json& parameters, std::vector<io::Fd> descriptors,
                    control::Client::OnReplyWithDescriptors on_reply);
    /// Asks with another time-out than the usual one: for what may wait for a process that is being started.
    void ask(const std::string& command, Duration timeout, std::function<void(const Result<control::Json>&)> on_reply);

  private:
    void connect();
    void on_connected();
    void on_exit(io::Process::Exit exit);
    void on_time();
    /// Asks now and then; one that hangs is ended, so that it starts again.
    void watch_life();
    void look_at_life();
    void give_up_on(const std::string& why);
    void wait_to_start(const std::string& why);
    void ask_status();

    io::Loop& loop_;
    Spec spec_;
    log::Logger& log_;
    Handlers handlers_;
    std::function<void()> on_lost_;
    Restart restart_;
    io::Timer timer_;
    io::Timer life_timer_;
    unsigned unanswered_ = 0;  ///< looks in a row without a sign of life
    std::unique_ptr<io::Process> process_;
    std::unique_ptr<control::Client> client_;
    State state_ = State::stopped;
    unsigned restarts_ = 0;
    unsigned generation_ = 0;  ///< of the process; a late answer of an earlier one is not this one's
    bool ever_ran_ = false;
    unsigned insistence_ = 0;
    int late_signal_ = 0;
    bool replacing_ = false;
    std::string died_;                   ///< how, while it is not back
    std::vector<std::string> degraded_;  ///< what it said last
    Instant started_{};
};

[[nodiscard]] const char* to_string(Worker::State state) noexcept;

}  // namespace natkit::supervise
