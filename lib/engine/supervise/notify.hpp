#pragma once

#include <memory>
#include <string>

#include "natkit/io/loop.hpp"

namespace natkit::supervise {

/// Tells systemd how the service is (sd_notify(3)), and feeds its watchdog from the loop: a loop that hangs stops
/// feeding. Nothing happens without systemd.
class Notifier {
  public:
    explicit Notifier(io::Loop& loop);

    void ready(const std::string& status);
    void reloading();
    void stopping();
    void status(const std::string& status);

  private:
    void feed();

    Duration watchdog_{};
    io::Timer timer_;
};

}  // namespace natkit::supervise
