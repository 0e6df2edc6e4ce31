#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "natkit/base/deadlines.hpp"
#include "natkit/sip/locate.hpp"
#include "request.hpp"

namespace natkit::edge {

/// From a URI to the flows that lead there, tried one after the other (RFC 3263 section 4.3). What is named is looked
/// up by who asks.
class NextHops {
  public:
    /// `settings` outlive it.
    explicit NextHops(const Settings& settings) : settings_(settings) {}

    /// `configured`: the next hop is from the configuration, and may be on this host or on the LAN. `located`: what was
    /// found out about it, or null; Route::lookup says where that is needed.
    [[nodiscard]] Route to(const std::string& next_hop, const std::string& request_uri, bool configured,
                           const LocatedHop* located) const;
    /// What our sockets can send by.
    [[nodiscard]] sip::Abilities abilities() const;

    /// A place did not serve: it is tried last for a while.
    void avoid(const sip::Flow& flow, Instant now);
    void on_time(Instant now);
    [[nodiscard]] std::optional<Instant> next_deadline() const { return forgiven_.next(); }

    /// The name that led to a flow of connection 0, for which the certificate at its end must be.
    void keep_name(const sip::Flow& flow, const std::string& host);
    /// That name; else its address.
    [[nodiscard]] std::string name_of(const sip::Flow& flow) const;

  private:
    [[nodiscard]] std::optional<sip::Flow> flow_to(const sip::Located& place, bool configured) const;
    [[nodiscard]] std::vector<sip::Flow> usable(const std::vector<sip::Located>& places, bool configured) const;

    const Settings& settings_;
    std::unordered_map<std::string, std::string> names_;  ///< of servers by TLS, by flow
    std::unordered_set<std::string> avoided_;             ///< flows to places that did not serve
    Deadlines<std::string> forgiven_;
};

}  // namespace natkit::edge
