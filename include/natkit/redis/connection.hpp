#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/error.hpp"
#include "natkit/io/loop.hpp"

/// Redis, asked without waiting: hiredis on natkit's loop.
namespace natkit::redis {

/// What Redis answered; good during the call.
class Reply {
  public:
    explicit Reply(const void* reply) noexcept : reply_(reply) {}

    /// Why it refused ("WRONGPASS invalid username-password pair…"); nothing where it did not.
    [[nodiscard]] std::optional<std::string_view> error() const noexcept;
    [[nodiscard]] std::optional<std::string_view> text() const noexcept;
    [[nodiscard]] std::optional<std::int64_t> number() const noexcept;
    [[nodiscard]] bool nil() const noexcept;
    /// Of a list; else 0.
    [[nodiscard]] std::size_t size() const noexcept;
    /// An element of it; nil beyond its end.
    [[nodiscard]] Reply operator[](std::size_t at) const noexcept;

  private:
    const void* reply_;  ///< null: nil
};

/// One connection. Answers come in the order of the questions.
class Connection {
  public:
    using OnReply = std::function<void(const Reply& reply)>;
    struct Handlers {
        std::function<void()> on_connected;
        /// The last call of this connection; it may be destroyed in it. Questions stay unanswered.
        std::function<void(const Error& why)> on_lost;
    };

    /// `timeout` is for the connection and each answer. Never calls back before it has returned.
    Connection(io::Loop& loop, const Endpoint& server, Duration timeout, Handlers handlers);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Asks. `patience` is added to the time-out, for a question that waits. Nothing happens once it is lost.
    void ask(std::span<const std::string_view> words, OnReply on_reply, Duration patience = {});
    [[nodiscard]] std::size_t waiting() const noexcept;  ///< questions without an answer yet

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace natkit::redis
