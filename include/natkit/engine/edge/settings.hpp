#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/host.hpp"
#include "natkit/nat/decide.hpp"
#include "natkit/proxy/flood.hpp"
#include "natkit/proxy/media_shares.hpp"
#include "natkit/proxy/path_mode.hpp"
#include "natkit/sip/digest.hpp"
#include "natkit/sip/flow.hpp"
#include "natkit/sip/message/grammar.hpp"
#include "natkit/sip/registrar.hpp"
#include "natkit/sip/transaction.hpp"

/// sipedge: the SIP side of the system, as a sans-I/O core (Edge, Media) under a thin service.
namespace natkit::edge {

/// A socket the edge listens on.
struct Listener {
    sip::Transport transport = sip::Transport::udp;
    Endpoint bound;
    Endpoint advertised;  ///< what neighbours are told; differs from `bound` behind a 1:1 NAT
    Side side = Side::wan;
    std::optional<IpRange> network = {};  ///< what is directly connected to its interface
    bool here = true;                     ///< false while its address is not the host's: nothing can be sent from it
    bool peers = false;                   ///< it is for the other edges alone
};

/// An edge that is active at the same time: where it listens for the others.
struct PeerEdge {
    std::string node;
    std::uint64_t number = 0;  ///< sip::node_number()
    Endpoint listen;
};
/// [cluster.peers]: several edges, of which each reaches the clients of the others by them.
struct PeerEdges {
    PeerEdge own;
    std::vector<PeerEdge> others;
};

using proxy::PathMode;

/// The server of a domain whose users do not register here.
struct Server {
    std::string domain;  ///< lower case
    std::string to;      ///< its URI
    bool trunk = false;  ///< only LAN and authenticated users may call out by it
    PathMode path = PathMode::automatic;
};

/// What the core needs of the configuration.
struct Settings {
    nat::Networks networks;
    std::vector<Listener> listeners;
    std::vector<std::string> domains;  ///< lower case; registered here, besides the host's own addresses
    std::vector<Server> servers;
    bool open_registrar = false;              ///< REGISTER from anywhere without a password, calls to anywhere
    bool lan_trusted = true;                  ///< false: being on the LAN grants nothing (a single interface)
    bool keeps_open = false;                  ///< clients over UDP behind NATs are pinged
    std::shared_ptr<const sip::Users> users;  ///< passwords; null: none are kept
    nat::Policy media_policy;                 ///< which calls are relayed
    sip::Registrar::Limits registrar;
    std::chrono::seconds max_dialog{12 * 3600};
    std::size_t most_streams = 16;  ///< of a session description
    unsigned name_lookups = 30;     ///< of names in descriptions, a minute for a sender; for strangers ten times
    proxy::MediaShares::Limits media_shares;  ///< whose calls may take how many of the media ports
    std::vector<IpAddress> media_addresses;   ///< of mediarelay's sockets, bound and advertised
    proxy::FloodLimits flood;
    sip::TransactionLimits transactions;
    std::optional<PeerEdges> peers;  ///< where several edges are active

    /// Whether a flow leads to another edge.
    [[nodiscard]] bool by_peer(const sip::Flow& flow) const noexcept {
        return peers && flow.transport == sip::Transport::udp && flow.local == peers->own.listen;
    }
    /// The listener with exactly this bound address, or null.
    [[nodiscard]] const Listener* find(sip::Transport transport, const Endpoint& bound) const noexcept;
    /// The listener of a side that reaches an address: of those whose network holds it the first, else the first one of
    /// its family; or null. One whose address is not the host's only where there is no other.
    [[nodiscard]] const Listener* find(Side side, const IpAddress& target, sip::Transport transport) const noexcept;
    /// Tells each listener its network, and whether its address is the host's at present.
    void set_networks(std::span<const HostAddress> host);
    /// Whether a URI names the edge itself: one of its addresses (bound or advertised) and ports, or one of its
    /// domains.
    [[nodiscard]] bool is_own(const sip::Uri& uri) const;
    /// The server of the URI's domain, or null.
    [[nodiscard]] const Server* server_of(const sip::Uri& uri) const noexcept;
    /// Whether it is one of our sockets, bound or advertised.
    [[nodiscard]] bool is_own(const Endpoint& endpoint) const noexcept;
    /// Whether an address is the host's, as far as the listeners tell.
    [[nodiscard]] bool is_own_address(const IpAddress& address) const noexcept;
    /// Whether the user name of credentials is that of a user of ours: "bob", or "bob@example.com".
    [[nodiscard]] bool is_name_of(const sip::Uri& uri, std::string_view username) const;
    /// "user@domain" of a URI that names the edge: an address of the host stands for the first domain.
    [[nodiscard]] std::string address_of_record(const sip::Uri& uri) const;
};

}  // namespace natkit::edge
