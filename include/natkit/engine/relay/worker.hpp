#pragma once

#include <functional>
#include <thread>

#include "natkit/engine/relay/plane.hpp"

namespace natkit::mediarelay {

/// A thread with a loop and the legs on it. Its owner talks to it by tasks; nothing is shared on the packet path.
class Worker {
  public:
    /// `on_events` is called on the worker's thread.
    Worker(relay::Timeouts timeouts, Plane::OnEvents on_events);
    /// Ends the thread; its sockets close.
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// Runs `task` on the worker's thread; tasks keep their order. Waits only while 65,536 tasks wait already.
    void post(std::function<void(Plane&)> task);
    /// The same, and waits for its end: for the rare moments when an answer is needed at once.
    void run(const std::function<void(Plane&)>& task);

  private:
    io::Loop loop_;
    std::unique_ptr<Plane> plane_;  ///< made and destroyed on the thread
    std::thread thread_;
};

}  // namespace natkit::mediarelay
