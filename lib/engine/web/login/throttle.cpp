#include "throttle.hpp"

#include <algorithm>

namespace natkit::web {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_entries = 20'000;

}  // namespace

std::string LoginThrottle::key_of(const Attempt& attempt) {
    if (!attempt.known_browser.empty()) return "browser " + attempt.known_browser;
    const auto bytes = attempt.source.bytes();
    return "source " + std::string(bytes.begin(), attempt.source.is_v4() ? bytes.end() : bytes.begin() + 8);
}

const LoginThrottle::Mistakes* LoginThrottle::find(const std::string& key, Instant now) const {
    const auto found = mistakes_.find(key);
    return found == mistakes_.end() || now - found->second.last >= forgotten_after ? nullptr : &found->second;
}

LoginThrottle::Verdict LoginThrottle::look(const Attempt& attempt, Instant now) const {
    Verdict verdict;
    if (const Mistakes* own = find(key_of(attempt), now); own != nullptr && own->count > free_mistakes) {
        const unsigned doublings = std::min(own->count - free_mistakes - 1, 6U);
        const Duration pause = std::min<Duration>(1s * (1U << doublings), longest_wait);
        verdict.wait = std::max(Duration::zero(), own->last + pause - now);
    }
    if (!attempt.known_browser.empty()) return verdict;
    if (const Mistakes* all = find(user_key(attempt), now); all != nullptr && all->count > guessed_at) {
        verdict.delay = std::min<Duration>(100ms * (all->count - guessed_at), longest_delay);
    }
    return verdict;
}

void LoginThrottle::add(const std::string& key, Instant now) {
    if (mistakes_.size() >= most_entries && !mistakes_.contains(key)) {
        std::erase_if(mistakes_, [now](const auto& one) { return now - one.second.last >= forgotten_after; });
        if (mistakes_.size() >= most_entries) {
            mistakes_.erase(std::ranges::min_element(
                mistakes_, {}, [](const auto& one) -> const Instant& { return one.second.last; }));
        }
    }
    Mistakes& mistakes = mistakes_[key];
    mistakes.count = now - mistakes.last >= forgotten_after ? 1 : mistakes.count + 1;
    mistakes.last = now;
}

void LoginThrottle::failed(const Attempt& attempt, Instant now) {
    add(key_of(attempt), now);
    if (attempt.known_browser.empty()) add(user_key(attempt), now);
}

void LoginThrottle::succeeded(const Attempt& attempt) {
    mistakes_.erase(key_of(attempt));
}

}  // namespace natkit::web
