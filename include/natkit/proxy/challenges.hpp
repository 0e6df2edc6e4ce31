#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

namespace natkit::proxy {

/// What other servers have asked our neighbours for: whoever answers a challenge with its nonce, and is served, has
/// proved to that server who it is. A header field with credentials alone proves nothing: some servers look at none.
/// Pure, bounded: the oldest are forgotten first.
class Challenges {
  public:
    explicit Challenges(std::size_t most = 20'000) : most_(most) {}

    /// The server of `domain` has challenged that address of record with this nonce, and the challenge was passed to
    /// `site`: who answers it from there receives what is sent there.
    void note(std::string_view domain, std::string_view nonce, std::string_view aor, std::string_view site);
    /// Whether it has.
    [[nodiscard]] bool knows(std::string_view domain, std::string_view nonce, std::string_view aor,
                             std::string_view site) const;
    [[nodiscard]] std::size_t size() const noexcept { return asked_.size(); }

  private:
    std::size_t most_;
    std::unordered_map<std::string, std::string> asked_;  ///< whom and where, by domain and nonce
    std::deque<std::string> order_;                       ///< the same keys, the oldest first
};

}  // namespace natkit::proxy
