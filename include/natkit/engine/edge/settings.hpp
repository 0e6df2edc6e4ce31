#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/nat/decide.hpp"
#include "natkit/sip/flow.hpp"
#include "natkit/sip/grammar.hpp"
#include "natkit/sip/registrar.hpp"

/// sipedge: the SIP side of the system, as a sans-I/O core (Edge, Media) under a thin service.
namespace natkit::edge {

/// A side of the host: towards the LAN, or towards everything else.
enum class Side : std::uint8_t { lan, wan };

[[nodiscard]] const char* to_string(Side side) noexcept;  ///< "lan", "wan"

/// A socket the edge listens on.
struct Listener {
    sip::Transport transport = sip::Transport::udp;
    Endpoint bound;
    Endpoint advertised;  ///< what neighbours are told; differs from `bound` behind a 1:1 NAT
    Side side = Side::wan;
};

/// What the core needs of the configuration.
struct Settings {
    nat::Networks networks;
    std::vector<Listener> listeners;
    std::vector<std::string> domains;  ///< lower case; registered here, besides the host's own addresses
    bool open_registrar = false;       ///< REGISTER from anywhere, without a password
    nat::SameNat same_nat = nat::SameNat::never;
    RangeSet relay_for;  ///< parties whose calls are relayed in any case
    sip::Registrar::Limits registrar;
    std::chrono::seconds max_dialog{12 * 3600};

    /// The listener with exactly this bound address, or null.
    [[nodiscard]] const Listener* find(sip::Transport transport, const Endpoint& bound) const noexcept;
    /// The first listener of a side and family, or null.
    [[nodiscard]] const Listener* find(Side side, Family family, sip::Transport transport) const noexcept;
    /// Whether a URI names the edge itself: one of its addresses (bound or advertised) and ports, or one of its
    /// domains.
    [[nodiscard]] bool is_own(const sip::Uri& uri) const;
    /// Whether an address is the host's, as far as the listeners tell.
    [[nodiscard]] bool is_own_address(const IpAddress& address) const noexcept;
    /// "user@domain" of a URI that names the edge: an address of the host stands for the first domain.
    [[nodiscard]] std::string address_of_record(const sip::Uri& uri) const;
};

}  // namespace natkit::edge
