#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include "natkit/io/fd.hpp"
#include "natkit/io/loop.hpp"

/// Noticing that connections which nobody reads now are gone.
namespace natkit::io {

class LossWatch;

/// What the watches of one thread share: one descriptor, however many they are. Outlives them.
class LossSet {
  public:
    explicit LossSet(Loop& loop) : loop_(loop) {}
    LossSet(const LossSet&) = delete;
    LossSet& operator=(const LossSet&) = delete;

  private:
    friend class LossWatch;
    void add(int socket, LossWatch* watch);
    void remove(int socket);
    void on_ready();

    Loop& loop_;
    Fd epoll_;
    std::unique_ptr<Poll> poll_;
    std::unordered_map<int, LossWatch*> watches_;
};

/// Calls back once, from the loop, when a connection has failed or both its directions have ended. Data that waits,
/// urgent data and the end of one direction are no news. Destroyed before its socket is closed, also in the call back.
class LossWatch {
  public:
    LossWatch(LossSet& set, int socket, std::function<void()> on_lost);
    ~LossWatch();
    LossWatch(const LossWatch&) = delete;
    LossWatch& operator=(const LossWatch&) = delete;

  private:
    friend class LossSet;
    LossSet& set_;
    int socket_;
    std::function<void()> on_lost_;
};

}  // namespace natkit::io
