#include "sessions.hpp"

#include <algorithm>

namespace natkit::web {
namespace {

constexpr std::size_t most_sessions = 500;
constexpr std::size_t most_of_one = 20;

bool is_over(const Sessions::Session& session, Instant now) {
    return now - session.used >= Sessions::idle_end || now - session.begun >= Sessions::longest;
}

}  // namespace

void Sessions::make_room(const std::string& user, Instant now) {
    std::erase_if(sessions_, [now](const auto& one) { return is_over(one.second, now); });
    const auto his = [&user](const auto& one) { return one.second.user == user; };
    const auto older = [](const auto& a, const auto& b) { return a.second.used < b.second.used; };
    const bool one_has_many = static_cast<std::size_t>(std::ranges::count_if(sessions_, his)) >= most_of_one;
    if (!one_has_many && sessions_.size() < most_sessions) return;
    auto oldest = sessions_.end();
    for (auto one = sessions_.begin(); one != sessions_.end(); ++one) {
        if (one_has_many && !his(*one)) continue;
        if (oldest == sessions_.end() || older(*one, *oldest)) oldest = one;
    }
    sessions_.erase(oldest);
}

void Sessions::open(const std::string& token, Session session) {
    make_room(session.user, session.begun);
    sessions_[token] = std::move(session);
}

const Sessions::Session* Sessions::find(std::string_view token, Instant now) {
    const auto found = sessions_.find(token);
    if (found == sessions_.end()) return nullptr;
    if (is_over(found->second, now)) {
        sessions_.erase(found);
        return nullptr;
    }
    found->second.used = now;
    return &found->second;
}

void Sessions::close(std::string_view token) {
    if (const auto found = sessions_.find(token); found != sessions_.end()) sessions_.erase(found);
}

}  // namespace natkit::web
