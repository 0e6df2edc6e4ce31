#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "natkit/base/dns.hpp"
#include "natkit/io/loop.hpp"

namespace natkit::io {

/// Asks the name servers of the host (resolv.conf), without ever waiting for them; addresses also come from /etc/hosts.
/// Answers are remembered for as long as they say, a minute at most; that there are none for 15 s, that nobody answered
/// for 5 s. Each query is sent from a socket, and so a port, of its own, which makes its answer hard to forge. Bounded:
/// 10,000 answers, 500 open queries.
class Dns {
  public:
    /// Called once, maybe before ask() returns. An answer that cannot be had has `failed` set.
    using OnAnswer = std::function<void(const dns::Answer&)>;

    explicit Dns(Loop& loop);
    /// Open queries are dropped: their OnAnswer is not called any more.
    ~Dns();
    Dns(const Dns&) = delete;
    Dns& operator=(const Dns&) = delete;

    void ask(const dns::Query& query, OnAnswer on_answer);
    /// Reads resolv.conf again and forgets what it knows.
    void reload();

    struct Counters {
        std::uint64_t asked = 0;   ///< of the name servers
        std::uint64_t cached = 0;  ///< answered from memory
        std::uint64_t failed = 0;
    };
    [[nodiscard]] const Counters& counters() const noexcept;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace natkit::io
