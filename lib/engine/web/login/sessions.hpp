#pragma once

#include <map>
#include <string>
#include <string_view>

#include "natkit/base/time.hpp"

namespace natkit::web {

/// Who has logged in. Time and what nobody can guess are arguments. Pure; at most 20 sessions of one user and 500 in
/// all, of which those that were used longest ago go.
class Sessions {
  public:
    static constexpr Duration idle_end = std::chrono::minutes(30);
    static constexpr Duration longest = std::chrono::hours(12);

    struct Session {
        std::string user;
        std::string password;  ///< the record of his password: another one ends the session
        std::string csrf;      ///< what his own pages send with a change
        std::string name;      ///< unguessable too; settings that wait for a confirmation know it by this
        Instant begun{};
        Instant used{};
    };

    void open(const std::string& token, Session session);
    /// The session of a cookie that is not over, used `now`; null where there is none.
    [[nodiscard]] const Session* find(std::string_view token, Instant now);
    void close(std::string_view token);
    [[nodiscard]] std::size_t size() const noexcept { return sessions_.size(); }

  private:
    void make_room(const std::string& user, Instant now);

    std::map<std::string, Session, std::less<>> sessions_;
};

}  // namespace natkit::web
