#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "natkit/engine/log/log.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/loop.hpp"
#include "natkit/io/net/host.hpp"
#include "natkit/ping/pinger.hpp"

/// natpinger's machinery over the pure ping::Pinger: the sockets it was given, the timer, the log.
namespace natkit::pinger {

/// Sends what the Pinger wants sent.
class Runner {
  public:
    struct Handlers {
        /// Every event but `send`, and each send with its outcome in `result`.
        std::function<void(const ping::Event& event, const std::string& result, const std::string& reason)> on_event;
        /// Its answers do not come; answer by on_silence_confirmed() or on_silence_ignored().
        std::function<void(const ping::ClientId& id)> on_silent;
        /// All moments up to this one have been served.
        std::function<void(Instant)> on_served;
        /// Asked before each ping; what is due waits while it says no, until resume(). None: always.
        std::function<bool()> may_ping;
    };

    Runner(io::Loop& loop, const ping::Options& options, std::optional<Instant> missed_since, log::Level level,
           Handlers handlers);

    [[nodiscard]] ping::Pinger& pinger() noexcept { return pinger_; }
    [[nodiscard]] const ping::Pinger& pinger() const noexcept { return pinger_; }
    [[nodiscard]] log::Logger& log() noexcept { return log_; }

    void on_client(ping::Client client);
    void on_removed(const ping::ClientId& id);
    void on_snapshot_end();
    void on_answer(const std::string& branch, const Endpoint& source);
    void on_silence_confirmed(const ping::ClientId& id);
    /// What the owner of a client's connection made of a ping.
    void on_connection_pinged(const ping::ClientId& id);
    void on_connection_failed(const ping::ClientId& id, const std::string& reason);
    void reload(const ping::Options& options);

    /// Replaces all sockets. Names are listen strings: "udp:203.0.113.10:5060".
    void set_sockets(std::map<std::string, io::Fd> sockets);
    void add_socket(const std::string& name, io::Fd socket);
    [[nodiscard]] std::map<std::string, io::Fd> take_sockets() { return std::exchange(sockets_, {}); }
    /// May ping again: what was due is sent, a few at a time.
    void resume() { restart_timer(); }
    /// From now on nothing is sent.
    void stop();
    [[nodiscard]] const std::map<std::string, io::Fd>& sockets() const noexcept { return sockets_; }

  private:
    void on_time();
    void handle(const std::vector<ping::Event>& events);
    void send(const ping::Event& event);
    [[nodiscard]] bool may_ping() const { return !handlers_.may_ping || handlers_.may_ping(); }
    /// Says when a socket cannot send, and when it can again.
    void report_socket_state(const std::string& socket, const io::SharedSendResult& result, const std::string& reason);
    void report_event(const ping::Event& event, const std::string& result, const std::string& reason);
    void restart_timer();

    io::Loop& loop_;
    Handlers handlers_;
    log::Logger log_;
    ping::Pinger pinger_;
    io::Timer timer_;
    std::map<std::string, io::Fd> sockets_;
    bool stopped_ = false;
    std::set<std::string> unable_;  ///< sockets that cannot send at present, each told once
};

}  // namespace natkit::pinger
