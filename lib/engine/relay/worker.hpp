#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "plane/plane.hpp"

namespace natkit::relay {

/// A thread with a loop and the legs on it. Its owner talks to it by tasks; nothing is shared on the packet path.
class Worker {
  public:
    /// `on_events` is called on the worker's thread. `steered` and its number among the workers are for its Plane.
    Worker(Timeouts timeouts, Plane::OnEvents on_events, SteeredPorts* steered = nullptr, unsigned number = 0);
    /// Ends the thread; its sockets close.
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    using Task = std::function<void(Plane&)>;
    /// What its legs have relayed, as it has told last.
    [[nodiscard]] const TrafficGauge& traffic() const noexcept { return traffic_; }
    /// Runs `task` on the worker's thread after the next flush(); tasks keep their order.
    void post(Task task) {
        posted_.push_back(std::move(task));
        urgent_ = true;
    }
    /// The same for a task that is no reason to flush() by itself.
    void post_later(Task task) { posted_.push_back(std::move(task)); }
    [[nodiscard]] bool waiting() const noexcept { return !posted_.empty(); }
    [[nodiscard]] bool urgent() const noexcept { return urgent_; }
    /// Hands over what was posted. To wake the thread costs more than most tasks, so it is done once for many of them.
    /// Waits only while 65,536 such hand-overs wait already.
    void flush();
    /// Runs what was posted and `task`, and waits for its end: for the rare moments when an answer is needed at once.
    void run(const Task& task);

  private:
    io::Loop loop_;
    std::vector<Task> posted_;  ///< the owner's
    bool urgent_ = false;       ///< one of them was not posted for later
    TrafficGauge traffic_;
    std::unique_ptr<Plane> plane_;  ///< made and destroyed on the thread
    std::thread thread_;
};

}  // namespace natkit::relay
