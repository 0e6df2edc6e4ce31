#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "natkit/record/json_view.hpp"
#include "natkit/redis/session.hpp"
#include "state.hpp"

namespace natkit::cluster {

/// Waits for what others write into Redis, on a connection of its own: a standby for the owner's state and its stream,
/// an active node for what the standbys acknowledge.
class Reader {
  public:
    struct Handlers {
        /// Standby: the state was read as a whole, and the table is another one.
        std::function<void()> on_joined;
        /// Standby: this replica changed in the table, or is gone.
        std::function<void(std::string_view key)> on_replica;
        /// Standby: all up to this entry of the owner's stream is in the table.
        std::function<void(StreamId id)> on_entry;
        /// Active: that node has all up to this entry of ours.
        std::function<void(const std::string& node, StreamId id)> on_acknowledged;
        /// Active: what recall() asked for; empty where it is not there.
        std::function<void(ReplicaTable former)> on_recalled;
        std::function<void()> on_change;
    };

    Reader(State& state, io::Dns& dns, redis::Session::Options options, Handlers handlers);
    ~Reader() = default;
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    /// Standby: follows this owner, whose state is whole; anew where it, or its state, is another one. Nothing: nobody.
    void follow(const std::optional<Owner>& owner);
    /// Active: reads the whole state that this owner, the node itself, has written before it was started anew.
    void recall(const Owner& owner);
    /// Active: listens to these.
    void listen(const std::vector<std::string>& nodes);

    /// Standby: the whole state was read, and what came since.
    [[nodiscard]] bool joined() const noexcept { return joined_; }
    /// The state that the owner names is not there.
    [[nodiscard]] bool state_gone() const noexcept { return state_gone_; }
    /// Standby: how old the owner's last entry was when it came; nothing before there was one.
    [[nodiscard]] std::optional<Duration> age() const noexcept { return age_; }
    /// When it came.
    [[nodiscard]] std::optional<Instant> heard() const noexcept { return heard_; }
    [[nodiscard]] std::uint64_t bad() const noexcept { return bad_; }

  private:
    enum class Task : std::uint8_t { none, join, tail, recall, listen };

    void ask(std::vector<std::string> words, redis::Connection::OnReply on_reply, Duration patience = {});
    void restart(Task task);
    void begin();
    void join();
    void scan(const std::string& cursor);
    void on_scan(const redis::Reply& reply);
    void end_join();
    void tail();
    void on_tail(const redis::Reply& reply);
    /// False: what follows cannot be understood without reading the state again.
    [[nodiscard]] bool on_entry(const redis::Reply& entry);
    void take_texts(std::string_view texts);
    void take_envelope(std::string_view text, ReplicaTable& table, bool tell);
    void hear();
    void on_heard(const redis::Reply& reply);
    [[nodiscard]] bool took(const redis::Reply& reply);
    void newer(const std::string& name);
    void follow_nobody();
    void pause();

    State& state_;
    Handlers handlers_;
    std::unique_ptr<redis::Session> session_;
    record::ObjectReader reader_;
    Task task_ = Task::none;
    bool busy_ = false;  ///< a question is open: the answer goes on
    std::optional<Owner> owner_;
    StreamId at_;
    std::optional<std::uint64_t> sequence_;  ///< of the entry at `at_`
    std::unique_ptr<ReplicaTable> joining_;
    bool joined_ = false;
    bool scanned_format_ = false;
    bool state_gone_ = false;
    std::optional<Duration> age_;
    std::optional<Instant> heard_;
    std::uint64_t bad_ = 0;  ///< entries and records that could not be read
    std::map<std::string, StreamId> listening_;
    std::uint64_t round_ = 0;
    io::Timer again_;
};

}  // namespace natkit::cluster
