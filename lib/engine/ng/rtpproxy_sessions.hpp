#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "natkit/base/deadlines.hpp"
#include "natkit/dialog/end.hpp"
#include "natkit/engine/log/log.hpp"
#include "natkit/engine/relay/engine.hpp"
#include "natkit/rtpproxy/command.hpp"

/// The sessions of proxies that speak rtpproxy's protocol: the proxy rewrites descriptions itself, and asks for a port
/// for each stream.
namespace natkit::rtpproxy {

class Sessions {
  public:
    using Respond = std::function<void(const std::string& reply)>;

    /// Takes up what a process before this one has left with its legs. The engine outlives it.
    Sessions(io::Loop& loop, relay::Engine& engine, LogLevel log_level);
    Sessions(const Sessions&) = delete;
    Sessions& operator=(const Sessions&) = delete;
    ~Sessions() = default;

    /// Answers one command line, without cookie, now or a little later.
    void handle(std::string_view line, const Respond& respond);
    void drain() noexcept { draining_ = true; }
    /// The sessions that are kept with legs of the relay, and were begun elsewhere.
    void take_up();
    void set_log_level(LogLevel level) noexcept { log_.set_level(level); }

  private:
    using End = dialog::End;
    using Answer = std::expected<std::string, Refusal>;
    /// A stream's legs, each facing one end.
    struct Pair {
        std::array<std::string, 2> legs;
        std::array<std::optional<relay::Party>, 2> parties;
        std::optional<relay::Party> offered;  ///< of a further U, until the L that answers it
    };
    struct Session {
        std::string caller;              ///< tag of who is described first
        std::string callee;              ///< tag; may be empty
        std::map<unsigned, Pair> pairs;  ///< by number of the stream
        std::optional<Instant> ends_at;  ///< by itself: nobody has answered
    };
    using Known = std::unordered_multimap<std::string, Session>;  ///< by Call-ID

    [[nodiscard]] Answer update(const Command& command);
    [[nodiscard]] Answer lookup(const Command& command);
    [[nodiscard]] Answer remove(const Command& command);
    void query(const Command& command, const Respond& respond);
    [[nodiscard]] Known::iterator find(const Command& command, End& describes);
    [[nodiscard]] std::expected<Pair*, Refusal> open_pair(Known::iterator session, const Command& command, End own);
    [[nodiscard]] relay::Party party_of(const Command& command) const;
    [[nodiscard]] std::expected<void, Refusal> face(Pair& pair, End end);
    [[nodiscard]] std::expected<void, Refusal> connect(Session& session, Pair& pair, unsigned stream);
    [[nodiscard]] std::string port(const Pair& pair, End viewer, const Command& command) const;
    void keep(const Session& session, unsigned stream);
    void end(Known::iterator session);
    void on_leg_freed(const std::string& leg);
    void on_time();

    io::Loop& loop_;
    relay::Engine& engine_;
    log::Logger log_;
    Known sessions_;
    Deadlines<std::string> deadlines_;  ///< Call-IDs, for half a minute at most
    io::Timer timer_;
    std::uint64_t created_ = 0;
    bool draining_ = false;
    bool ending_ = false;  ///< legs are being freed from here
};

}  // namespace natkit::rtpproxy
