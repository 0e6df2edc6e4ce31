#include "passwords.hpp"

#include <utility>

namespace natkit::web {
namespace {

constexpr std::size_t most_waiting = 64;

}  // namespace

Passwords::Passwords(io::Loop& loop) : loop_(loop), thread_([this] { work(); }) {}

Passwords::~Passwords() {
    *alive_ = false;
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    more_.notify_one();
    thread_.join();
}

bool Passwords::check(crypto::PasswordRecord record, std::string password, Turn turn, OnDone on_done) {
    const std::lock_guard lock(mutex_);
    // Some room is left to browsers that are known.
    if (jobs_.size() >= (turn == Turn::first ? 2 * most_waiting : most_waiting)) return false;
    Job job{.record = std::move(record), .password = std::move(password), .on_done = std::move(on_done)};
    if (turn == Turn::first) {
        jobs_.push_front(std::move(job));
    } else {
        jobs_.push_back(std::move(job));
    }
    more_.notify_one();
    return true;
}

void Passwords::work() {
    for (;;) {
        std::unique_lock lock(mutex_);
        more_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
        if (ending_) return;
        Job job = std::move(jobs_.front());
        jobs_.pop_front();
        lock.unlock();
        const bool matches = job.record.matches(job.password);
        static_cast<void>(loop_.post([alive = alive_, on_done = std::move(job.on_done), matches] {
            if (*alive) on_done(matches);
        }));
    }
}

}  // namespace natkit::web
