#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "../state.hpp"
#include "natkit/base/error.hpp"
#include "natkit/cluster/lease.hpp"
#include "natkit/redis/session.hpp"

namespace natkit::cluster {

/// Renews this node's lease each second, and asks who else has one and where that node's state lies, on a connection of
/// its own: nothing that is large is ever before it.
class LeaseKeeper {
  public:
    /// A lease as it stands in Redis; nothing: the node is dead.
    using Text = std::optional<std::string>;
    struct Handlers {
        std::function<LeaseValue()> value;  ///< what to say of this node
        /// It is ours. `asked`: by io::boot_now(), before the request was sent. `others`: in the order of their names.
        std::function<void(Instant asked, bool was_there, const std::vector<Text>& others)> on_granted;
        /// Another host has it.
        std::function<void()> on_refused;
        /// Where the state of a node lies; `at` as in `others`, and beyond them for our own.
        std::function<void(std::size_t at, const Result<std::optional<Owner>>& owner)> on_owner;
        std::function<void()> on_change;  ///< of connected()
    };

    LeaseKeeper(State& state, io::Dns& dns, redis::Session::Options options, std::vector<Names> others,
                Handlers handlers);
    LeaseKeeper(const LeaseKeeper&) = delete;
    LeaseKeeper& operator=(const LeaseKeeper&) = delete;
    ~LeaseKeeper() = default;

    [[nodiscard]] bool connected() const noexcept { return session_ && session_->ready(); }
    [[nodiscard]] const std::string& connection() const noexcept { return connection_; }
    /// Now, and each second from now on.
    void renew();
    /// Where our own state lies, from when this node was started before.
    void ask_own();
    /// What a dead node has left behind, in its state, is not needed any more.
    void remove(std::size_t at, const std::string& state, std::span<const std::string> keys);

  private:
    void ask(std::vector<std::string> words, redis::Connection::OnReply on_reply);
    void ask_owner(std::size_t at, const Names& names);
    void on_lease(Instant asked, const redis::Reply& reply);
    /// Whether Redis took it; else it says why.
    bool took(const redis::Reply& reply);

    State& state_;
    std::vector<Names> others_;
    Handlers handlers_;
    std::unique_ptr<redis::Session> session_;
    std::string connection_ = "not connected";
    io::Timer tick_;
};

}  // namespace natkit::cluster
