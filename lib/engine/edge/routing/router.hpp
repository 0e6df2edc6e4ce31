#pragma once

#include <optional>
#include <string>

#include "neighbours.hpp"
#include "next_hops.hpp"
#include "peers.hpp"
#include "request.hpp"
#include "secrets.hpp"

namespace natkit::edge {

/// Where a request goes (RFC 3261 section 16.5): by the token of a dialog or of a client, by its Route, to a user who
/// is registered here, to a server of [sip.routes], to where its Request-URI says.
class Router {
  public:
    /// All of them outlive it.
    Router(const Settings& settings, const Secrets& secrets, const sip::Registrar& registrar, const Media& media,
           const Neighbours& neighbours, const NextHops& next_hops, const Peers& peers)
        : settings_(settings),
          secrets_(secrets),
          registrar_(registrar),
          media_(media),
          neighbours_(neighbours),
          next_hops_(next_hops),
          peers_(peers) {}

    /// Takes off the routes that name us, up to the next hop that is not ours, and reads their tokens.
    [[nodiscard]] Stripped strip_routes(const sip::Message& request, Now now) const;
    /// All that decides where a request goes: with its Request-URI and routes the flow it came by.
    [[nodiscard]] static std::uint64_t fingerprint(const sip::Message& request, const sip::Flow& flow);
    /// RFC 5393 section 4.2: a request that comes back with nothing changed that decides where it goes has looped; one
    /// that comes back otherwise, or by another way, spirals, as a call by way of another server does.
    [[nodiscard]] static bool looped(const sip::Message& request, const Stripped& stripped);
    /// `located`: what was found out about its next hop, or null.
    [[nodiscard]] Route route(const sip::Message& request, const Upstream& from, const Stripped& stripped,
                              const LocatedHop* located, WallTime now) const;
    /// The client of another server that a token of ours leads to.
    [[nodiscard]] std::optional<sip::ClientToken> client_token(std::string_view user, WallTime now) const;

  private:
    void read_token(const std::string& user, const sip::Message& request, Now now, Stripped& stripped) const;
    [[nodiscard]] Route find(const sip::Uri& uri, const sip::Message& request, const Upstream& from,
                             const Stripped& stripped, const LocatedHop* located, WallTime now) const;
    [[nodiscard]] bool registers_elsewhere(const sip::Message& request, const Route& found) const;
    [[nodiscard]] Route to_server(const Server& server, const std::string& request_uri,
                                  const LocatedHop* located) const;
    [[nodiscard]] Route to_client(const Upstream& from, const Stripped& stripped) const;
    [[nodiscard]] Route in_dialog(const sip::Message& request, const Upstream& from, const Stripped& stripped) const;
    [[nodiscard]] Route to_user(const sip::Uri& uri, WallTime now) const;

    // to_peers.cpp: with other edges
    void look_elsewhere(const std::string& user, const sip::Message& request, Stripped& stripped) const;
    [[nodiscard]] std::optional<Target> target_at(const ForeignClient& client) const;
    [[nodiscard]] Route to_own_client(const Upstream& from) const;
    [[nodiscard]] sip::Flow caller_of_passed(const sip::DialogToken& token) const;
    [[nodiscard]] Route to_edge(const Upstream& from, const Stripped& stripped) const;

    const Settings& settings_;
    const Secrets& secrets_;
    const sip::Registrar& registrar_;
    const Media& media_;
    const Neighbours& neighbours_;
    const NextHops& next_hops_;
    const Peers& peers_;
};

}  // namespace natkit::edge
