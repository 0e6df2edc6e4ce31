#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "natkit/base/host.hpp"
#include "natkit/config/config.hpp"

namespace natkit::supervise {

/// Which of the addresses to listen on the host has, as they come and go. Pure.
class Presence {
  public:
    enum class Change : std::uint8_t {
        awaited,  ///< the host has never had it
        left,
        back,
    };
    struct Event {
        IpAddress address;
        Change what{};
        friend bool operator==(const Event&, const Event&) = default;
    };
    /// Learns what the host has now, and says what is new about the addresses of `wanted`. That one which was awaited
    /// has come shows by its sockets. An interface that is down has no addresses.
    [[nodiscard]] std::vector<Event> look(std::span<const config::Listen> wanted, std::span<const HostAddress> host);

    [[nodiscard]] bool here(const IpAddress& address) const noexcept;

    /// What the default or a wildcard of `listen` makes of the host's addresses, `now`, and what of `before` has gone
    /// from the host since: it keeps its sockets, as calls do, and its interface counts for what the host is, until
    /// that interface has another address in its place. At most 8 such addresses, the last ones to go.
    [[nodiscard]] std::vector<config::Listen> with_gone(std::vector<config::Listen> now,
                                                        std::span<const config::Listen> before,
                                                        std::span<const HostAddress> host) const;
    static constexpr std::size_t most_gone = 8;

  private:
    struct Known {
        bool here = false;
        bool ever = false;      ///< it has been the host's
        std::string interface;  ///< where it was last
    };
    std::map<IpAddress, Known> known_;  ///< of the wanted ones
};

}  // namespace natkit::supervise
