#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "natkit/base/time.hpp"

namespace natkit::ng {

/// Replies by cookie, for 60 s: a proxy repeats what it has not seen answered, and it must not be done twice. One that
/// comes while the first is being done waits for its reply. At most 65,536 replies or 16 MiB, the oldest go first.
/// Pure.
class Cookies {
  public:
    using Respond = std::function<void(const std::string& reply)>;

    /// True: the request is new, and answered() will be called for it. False: `respond` was called, or will be.
    [[nodiscard]] bool begin(const std::string& cookie, const Respond& respond, Instant now);
    /// The reply of a request that begin() said was new.
    void answered(const std::string& cookie, const std::string& reply);

    [[nodiscard]] std::size_t size() const noexcept { return known_.size(); }

  private:
    struct Known {
        bool done = false;
        std::string reply;
        std::vector<Respond> waiting;
    };
    void forget(Instant now);

    std::unordered_map<std::string, Known> known_;
    std::deque<std::pair<Instant, std::string>> order_;
    std::size_t bytes_ = 0;
};

}  // namespace natkit::ng
