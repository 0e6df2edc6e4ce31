#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "natkit/engine/edge/settings.hpp"
#include "natkit/sip/locate.hpp"

namespace natkit::edge {

/// The addresses of the servers that [sip.routes] names: as written there, or found by name, a minute at a time.
/// Whoever sends from one of them is that server, whether anything was sent there before or not. Pure.
class Servers {
  public:
    /// The servers from now on. What is known of one that stays as it was is kept.
    void set(const std::vector<Server>& servers, const std::vector<Server>& before);
    /// Whether a server is at this address; that of one domain, where it is named.
    [[nodiscard]] bool at(const IpAddress& address, std::string_view domain = {}) const;
    /// A server that is known by name was reached at this address.
    void learn(const std::string& domain, const IpAddress& address, Instant now);
    /// Its name was looked up. Nothing found changes nothing.
    void learn(const std::string& domain, const std::vector<sip::Located>& found, Instant now);
    /// When names must be looked up; nothing: all servers are addresses.
    [[nodiscard]] std::optional<Instant> due() const noexcept { return due_; }
    /// The names to be looked up now, with their domains. The next time is a minute later.
    [[nodiscard]] std::vector<std::pair<std::string, sip::Uri>> take_due(const std::vector<Server>& servers,
                                                                         Instant now);

  private:
    /// By domain: its addresses, and until when each is known to be one.
    std::map<std::string, std::map<IpAddress, Instant>, std::less<>> addresses_;
    std::optional<Instant> due_;
};

}  // namespace natkit::edge
