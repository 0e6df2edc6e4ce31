#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>

#include "../servers.hpp"
#include "natkit/nat/classify.hpp"
#include "natkit/proxy/authorise.hpp"
#include "natkit/sip/registrar.hpp"
#include "natkit/sip/transaction.hpp"

namespace natkit::edge {

/// Who is at the other end of a flow, what it is told of us, and whether it is still there.
class Neighbours {
  public:
    /// All of them outlive it.
    Neighbours(const Settings& settings, const sip::Registrar& registrar, const Servers& servers)
        : settings_(settings), registrar_(registrar), servers_(servers) {}

    /// A connection has spoken.
    void add(const sip::Flow& flow) {
        if (flow.connection != 0) connections_.insert(flow.connection);
    }
    /// It is over, and never comes back.
    void remove(const sip::Flow& flow) { connections_.erase(flow.connection); }
    /// Whether anything can be sent by this flow.
    [[nodiscard]] bool alive(const sip::Flow& flow) const;

    /// Whether a flow leads to a server of [sip.routes]; of one domain, where it is named.
    [[nodiscard]] bool is_server(const sip::Flow& flow, std::string_view domain = {}) const {
        return servers_.at(flow.remote.address, domain);
    }
    /// Who is there, as far as the flow alone tells.
    [[nodiscard]] proxy::Sender kind_of(const sip::Flow& flow) const;
    /// Whose share of the transactions its requests take.
    [[nodiscard]] sip::Share share_of(proxy::Sender sender, bool in_dialog) const;
    /// Whether it may be told, and believed, who a party is (RFC 3325).
    [[nodiscard]] bool trusted(const sip::Flow& flow, const nat::Verdict& verdict) const;
    /// Whether anybody may have written the source of what comes by this flow. The LAN's comes in by its own
    /// interface, or is dropped.
    [[nodiscard]] static bool spoofable(const sip::Flow& flow, proxy::Sender kind) {
        return flow.transport == sip::Transport::udp && kind != proxy::Sender::lan;
    }
    /// Whom one answer speaks for: the NAT with all its addresses, an IPv6 /64. Never the port, which a NAT may change
    /// between a challenge and its answer.
    [[nodiscard]] std::string site_text(const sip::Flow& flow) const;
    /// What a neighbour on this flow is told of us.
    [[nodiscard]] std::string host_port(const sip::Flow& flow) const;

  private:
    const Settings& settings_;
    const sip::Registrar& registrar_;
    const Servers& servers_;
    std::unordered_set<std::uint64_t> connections_;  ///< that have spoken, and live
};

}  // namespace natkit::edge
