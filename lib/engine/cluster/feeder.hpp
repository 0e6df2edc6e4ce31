#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/cluster/feed.hpp"
#include "natkit/engine/control/client.hpp"
#include "state.hpp"

namespace natkit::cluster {

/// Gives a worker the records of other nodes, by one of its commands (`replica`, `clients`) and in pieces, and counts
/// how far it has come.
class Feeder {
  public:
    struct Given {
        std::string_view record;    ///< JSON text of an object; good as long as nothing else happens
        std::int64_t clock_ms = 0;  ///< how far its writer's time of day was ahead of Redis'
        std::string_view node;      ///< whose client it is; empty: not told
        std::uint64_t epoch = 0;    ///< of who wrote it, told with `node`
    };
    struct Handlers {
        /// What there is of a key when its turn comes; nothing: the worker is told that it is gone.
        std::function<std::optional<Given>(const std::string& key)> find;
        /// It has taken a piece.
        std::function<void()> on_fed;
        /// It does not take them, and is given nothing more until restart().
        std::function<void(const Error& why)> on_failed;
    };

    /// `client` outlives it.
    Feeder(State& state, std::string worker, std::string command, control::Client& client, Handlers handlers);
    Feeder(const Feeder&) = delete;
    Feeder& operator=(const Feeder&) = delete;
    ~Feeder() = default;

    /// All there is, in place of what the worker has; then what add() names.
    void restart(const std::vector<std::string>& keys);
    void add(std::string_view key);
    void stop();
    [[nodiscard]] const Feed& feed() const noexcept { return feed_; }

  private:
    void pump();
    void send(const Feed::Piece& piece);
    void send_group(const std::vector<std::string>& keys, std::int64_t clock_ms, Feed::Whole whole,
                    const std::shared_ptr<int>& left);
    void on_reply(const Result<record::ObjectView>& reply, const std::shared_ptr<int>& left, std::uint64_t round);

    State& state_;
    std::string worker_;
    std::string command_;
    control::Client& client_;
    Handlers handlers_;
    Feed feed_;
    std::uint64_t round_ = 0;  ///< that answers belong to
};

}  // namespace natkit::cluster
