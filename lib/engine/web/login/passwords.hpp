#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "natkit/crypto/password.hpp"
#include "natkit/io/loop.hpp"

namespace natkit::web {

/// Tries passwords, which is slow on purpose, on a thread of its own, one after the other.
class Passwords {
  public:
    explicit Passwords(io::Loop& loop);
    ~Passwords();
    Passwords(const Passwords&) = delete;
    Passwords& operator=(const Passwords&) = delete;

    enum class Turn : unsigned char { first, last };
    using OnDone = std::function<void(bool matches)>;
    /// `on_done` is called on the loop's thread. False: too many wait, and it is not taken.
    bool check(crypto::PasswordRecord record, std::string password, Turn turn, OnDone on_done);

  private:
    struct Job {
        crypto::PasswordRecord record;
        std::string password;
        OnDone on_done;
    };
    void work();

    io::Loop& loop_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    std::mutex mutex_;
    std::condition_variable more_;
    std::deque<Job> jobs_;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace natkit::web
