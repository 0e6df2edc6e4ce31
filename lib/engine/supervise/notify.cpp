#include "notify.hpp"

#include <systemd/sd-daemon.h>

#include <ctime>

namespace natkit::supervise {
namespace {

/// RELOADING=1 must carry the moment, so that systemd knows which READY=1 belongs to it.
std::string monotonic_usec() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::to_string(static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000);
}

}  // namespace

Notifier::Notifier(io::Loop& loop) : timer_(loop, [this] { feed(); }) {
    std::uint64_t usec = 0;
    if (::sd_watchdog_enabled(0, &usec) > 0) {
        watchdog_ = std::chrono::microseconds(usec / 2);
        feed();
    }
}

void Notifier::feed() {
    ::sd_notify(0, "WATCHDOG=1");
    timer_.start_in(watchdog_);
}

void Notifier::ready(const std::string& status) {
    ::sd_notify(0, ("READY=1\nSTATUS=" + status).c_str());
}

void Notifier::reloading() {
    ::sd_notify(0, ("RELOADING=1\nMONOTONIC_USEC=" + monotonic_usec()).c_str());
}

void Notifier::stopping() {
    ::sd_notify(0, "STOPPING=1");
}

void Notifier::status(const std::string& status) {
    ::sd_notify(0, ("STATUS=" + status).c_str());
}

}  // namespace natkit::supervise
