#pragma once

#include <csignal>
#include <cstdint>
#include <functional>
#include <memory>

#include "natkit/base/time.hpp"

struct uv_loop_s;  // NOLINT(readability-identifier-naming): the name is the library's

/// The only place where natkit meets the operating system's events (libuv and sockets). Everything here belongs to the
/// thread that runs its Loop, except where it says otherwise, and must be destroyed before that Loop. A callback may
/// destroy the object that called it.
namespace natkit::io {

/// One event loop; one thread runs it.
class Loop {
  public:
    Loop();
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Runs until stop(). Objects alive on the loop do not end it; without any it still waits for stop() or post().
    void run();
    /// Ends run() after the callbacks that are due. From another thread: post([&] { loop.stop(); }).
    void stop();
    /// Handles what is ready and, when nothing is, waits for at most one event round. For tests and short commands.
    void run_once();

    /// Monotonic time, read now (not cached).
    [[nodiscard]] Instant now() const noexcept;

    /// Runs `task` on the loop's thread, in the order posted. The only member for other threads. False when 65,536
    /// tasks wait already: the task is not taken.
    [[nodiscard]] bool post(std::function<void()> task);

    /// For other classes of lib/io.
    [[nodiscard]] uv_loop_s* native() const noexcept;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Calls back once at a moment. Not started by construction.
class Timer {
  public:
    Timer(Loop& loop, std::function<void()> on_time);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    /// (Re)starts; not before `when`, at most about a millisecond after it. A moment that has passed fires in the next
    /// round.
    void start_at(Instant when);
    void start_in(Duration delay);
    void stop();
    [[nodiscard]] bool active() const noexcept;

  private:
    struct Impl;
    Impl* impl_;  ///< freed by the loop once it has closed the handle
};

/// Calls back for each arrival of a signal, on the loop's thread.
class SignalWatch {
  public:
    SignalWatch(Loop& loop, int signal_number, std::function<void(int)> on_signal);
    ~SignalWatch();
    SignalWatch(const SignalWatch&) = delete;
    SignalWatch& operator=(const SignalWatch&) = delete;

  private:
    struct Impl;
    Impl* impl_;
};

/// Watches a descriptor that stays its owner's; level-triggered. Destroy it before the descriptor is closed.
class Poll {
  public:
    enum Events : std::uint8_t { none = 0, readable = 1, writable = 2 };

    /// `on_ready(readable, writable)`; an error on the descriptor shows as both.
    Poll(Loop& loop, int fd, std::function<void(bool, bool)> on_ready);
    ~Poll();
    Poll(const Poll&) = delete;
    Poll& operator=(const Poll&) = delete;

    void watch(bool for_reading, bool for_writing);

  private:
    struct Impl;
    Impl* impl_;
};

}  // namespace natkit::io
