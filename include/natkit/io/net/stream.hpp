#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/loop.hpp"
#include "natkit/io/net/awaited.hpp"
#include "natkit/io/net/stream_loss.hpp"

/// TCP connections whose bytes pass through without being looked at: listened for, dialled, coupled by splice().
namespace natkit::io {

/// Listens. SO_REUSEADDR, so that connections of a process that died do not keep the port from the next one; the system
/// still gives it to one listener only. Errors as open_udp().
[[nodiscard]] Result<Fd> open_stream_listener(const Endpoint& local, Presence address = Presence::needed,
                                              int backlog = 32);

/// What a relayed connection needs: keepalive (after 60 s without data, four probes 15 s apart; while data is on its
/// way unacknowledged the system retransmits instead, for about 15 minutes), no delay of small writes, urgent data kept
/// in its place.
void set_stream_options(const Fd& connection);

/// Closes it with a reset: the other end learns that something went wrong, and nothing lingers here.
void reset_stream(Fd connection);

/// Takes what connects. Out of descriptors, it waits a moment and leaves what comes in the system's queue.
class StreamAcceptor {
  public:
    using OnAccepted = std::function<void(Fd connection, const Endpoint& source)>;

    StreamAcceptor(Loop& loop, Fd listener, OnAccepted on_accepted);
    ~StreamAcceptor();
    StreamAcceptor(const StreamAcceptor&) = delete;
    StreamAcceptor& operator=(const StreamAcceptor&) = delete;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;  ///< shared with a running callback, which may destroy the acceptor
};

/// One connection on its way: from an address of ours (and any port) to `remote`. Destroying it gives up.
class StreamDialler {
  public:
    /// The connection, or errno.
    using OnDone = std::function<void(Fd connection, int error_number)>;

    /// Never calls back before it has returned.
    StreamDialler(Loop& loop, const IpAddress& from, const Endpoint& remote, OnDone on_done);
    ~StreamDialler();
    StreamDialler(const StreamDialler&) = delete;
    StreamDialler& operator=(const StreamDialler&) = delete;

  private:
    void finish(int error_number);

    Fd socket_;
    int error_ = 0;
    OnDone on_done_;
    std::unique_ptr<Poll> poll_;
    std::unique_ptr<Timer> failed_;
};

/// Pipes between sockets. A pair of connections holds one only while a reader is slower than its writer; so a thousand
/// idle ones need none. Belongs to one thread.
class PipePool {
  public:
    struct Pipe {
        Fd read;
        Fd write;
        std::size_t size = 0;  ///< bytes
    };
    static constexpr std::size_t pipe_size = std::size_t{256} << 10;

    /// Nothing when the system has no descriptor left.
    [[nodiscard]] std::optional<Pipe> take();
    /// Empty ones only.
    void give_back(Pipe pipe);

  private:
    static constexpr std::size_t most_kept = 8;
    std::vector<Pipe> free_;
};

/// Two connections that carry each other's bytes: what one end sends the other one gets, the end of a direction
/// included; a reset on one side becomes one on the other, after what came before it as far as that is taken at once.
/// Urgent data (RFC 6093) stays in its place, as data. Nothing is read while the other side does not take what was
/// read before, so what is held is bounded by a pipe each way.
class StreamPair {
  public:
    enum class End : std::uint8_t {
        closed,  ///< both directions ended in order
        reset,
    };
    using OnEnd = std::function<void(End end)>;

    struct Side {
        std::uint64_t received = 0;  ///< bytes
        std::uint64_t sent = 0;
        bool finished = false;  ///< its end sends no more
    };

    /// `pipes` and `losses` outlive it. Needs set_stream_options() on both.
    StreamPair(Loop& loop, PipePool& pipes, LossSet& losses, Fd a, Fd b, OnEnd on_end);
    /// Closes both; with a reset after abort().
    ~StreamPair();
    StreamPair(const StreamPair&) = delete;
    StreamPair& operator=(const StreamPair&) = delete;

    void abort() noexcept { abort_ = true; }
    [[nodiscard]] Side side(std::size_t which) const noexcept;

  private:
    struct Direction {  ///< from connection `i` to the other one
        std::optional<PipePool::Pipe> pipe;
        std::size_t held = 0;  ///< bytes in the pipe
        std::uint64_t read = 0;
        std::uint64_t written = 0;
        bool ended = false;    ///< nothing more comes
        bool shut = false;     ///< and the other side was told so
        bool starved = false;  ///< there was no pipe; not read until `retry_`
    };
    enum class Step : std::uint8_t { fine, failed };

    void on_ready(std::size_t which, bool readable, bool writable);
    [[nodiscard]] Step pump(std::size_t from);
    void on_lost(std::size_t which);
    [[nodiscard]] bool fill(std::size_t from, bool first, Step& step);
    [[nodiscard]] ssize_t pass_mark(std::size_t from);
    [[nodiscard]] bool drain(std::size_t from, Step& step);
    void watch();
    void end(End end);

    PipePool& pipes_;
    LossSet& losses_;
    std::array<Fd, 2> sockets_;
    std::array<Direction, 2> directions_;
    std::array<std::unique_ptr<Poll>, 2> polls_;
    std::array<int, 2> watched_{-1, -1};
    std::array<std::optional<LossWatch>, 2> guards_;  ///< of a side that is neither read nor written
    std::array<bool, 2> hung_up_{};  ///< both directions ended while it was not read: its bytes still wait
    std::unique_ptr<Timer> retry_;   ///< when there was no pipe
    OnEnd on_end_;
    bool abort_ = false;
};

}  // namespace natkit::io
