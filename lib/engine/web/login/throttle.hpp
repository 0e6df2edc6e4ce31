#pragma once

#include <map>
#include <string>

#include "natkit/base/ip.hpp"
#include "natkit/base/time.hpp"

namespace natkit::web {

/// Slows guessing at passwords, and locks nobody out.
///
/// - Whoever guesses is slowed by where he comes from (IPv6: his /64): the first few mistakes are free, then each makes
///   him wait twice as long as the one before, a minute at most.
/// - A user that many guess at, from wherever: the answers to those whose browser has never logged in as him come some
///   seconds later. That slows them, and the user himself on a new machine by as much; nothing piles up.
/// - A browser that has logged in before is known by a cookie of its own: it is counted by itself, so that neither
///   a guesser at its address nor one at its user slows it.
/// Time is an argument. Pure; holds at most 20,000 entries, of which the oldest go.
class LoginThrottle {
  public:
    static constexpr unsigned free_mistakes = 5;
    static constexpr Duration longest_wait = std::chrono::seconds(60);
    static constexpr Duration forgotten_after = std::chrono::minutes(15);
    static constexpr unsigned guessed_at = 20;  ///< mistakes at one user that count as guessing
    static constexpr Duration longest_delay = std::chrono::seconds(4);

    struct Attempt {
        std::string user;
        IpAddress source;
        std::string known_browser;  ///< what names it; empty: it has not logged in as this user yet
    };
    struct Verdict {
        Duration wait{};   ///< not zero: refused until then
        Duration delay{};  ///< the answer is to come so much later
    };

    [[nodiscard]] Verdict look(const Attempt& attempt, Instant now) const;
    void failed(const Attempt& attempt, Instant now);
    void succeeded(const Attempt& attempt);
    [[nodiscard]] std::size_t size() const noexcept { return mistakes_.size(); }

  private:
    struct Mistakes {
        unsigned count = 0;
        Instant last{};
    };

    [[nodiscard]] static std::string key_of(const Attempt& attempt);
    [[nodiscard]] static std::string user_key(const Attempt& attempt) { return "user " + attempt.user; }
    [[nodiscard]] const Mistakes* find(const std::string& key, Instant now) const;
    void add(const std::string& key, Instant now);

    std::map<std::string, Mistakes> mistakes_;
};

}  // namespace natkit::web
