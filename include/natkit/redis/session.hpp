#pragma once

#include <functional>
#include <memory>
#include <string>

#include "natkit/io/net/dns.hpp"
#include "natkit/redis/connection.hpp"

namespace natkit::redis {

/// A connection to a server that is always made anew: its name resolved, logged in, the database chosen. Back-off from
/// 100 ms to 2 s.
class Session {
  public:
    struct Options {
        std::string host;  ///< a name or an address
        std::uint16_t port = 6379;
        unsigned database = 0;
        std::string user;  ///< empty: the default one
        /// Asked at each login, so that another one is taken; empty: none.
        std::function<std::string()> password;
        Duration timeout{};
    };
    struct Handlers {
        /// Ready to be asked. `run`: changes when the server is started anew; empty where it does not tell.
        std::function<void(const std::string& run)> on_ready;
        /// After on_ready, or for an attempt that failed.
        std::function<void(const std::string& why)> on_lost;
    };

    /// `dns` outlives it.
    Session(io::Loop& loop, io::Dns& dns, Options options, Handlers handlers);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    [[nodiscard]] bool ready() const noexcept;
    /// As Connection::ask(); nothing happens where it is not ready.
    void ask(std::span<const std::string_view> words, Connection::OnReply on_reply, Duration patience = {});
    /// Gives this connection up, for that reason, and makes another one.
    void renew(const std::string& why);

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

/// An error of Redis for those who must do something about it: what it says, and where it is known, what that means.
[[nodiscard]] std::string explain(std::string_view error);
/// Whether another connection might do better: a server that is loading, or follows another one now.
[[nodiscard]] bool is_of_connection(std::string_view error) noexcept;

}  // namespace natkit::redis
