#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/transport.hpp"

namespace natkit::sip {

using natkit::parse_transport;
using natkit::to_string;
using natkit::Transport;

/// The way packets travel between the edge and one neighbour (RFC 5626): what is sent on it reaches the neighbour
/// through whatever NAT lies between.
struct Flow {
    Transport transport = Transport::udp;
    Endpoint local;   ///< the socket of ours, as bound
    Endpoint remote;  ///< as we see the neighbour
    /// Which connection between the two, over TCP and TLS: never the same twice, not even after a restart. 0 for UDP.
    std::uint64_t connection = 0;

    friend bool operator==(const Flow&, const Flow&) = default;
};

/// "udp:203.0.113.10:5060-198.51.100.7:40001"; with a connection "tcp:203.0.113.10:5060-198.51.100.7:40001#17"
[[nodiscard]] std::string to_string(const Flow& flow);
[[nodiscard]] Result<Flow> parse_flow(std::string_view text);

/// A keyed hash; the key is the caller's.
using Mac = std::function<std::array<std::uint8_t, 32>(std::span<const std::uint8_t>)>;

/// The two flows of a dialog: carried in the user part of our Record-Route URIs, so that requests inside the dialog
/// reach the very flow they came from, also after a restart (RFC 5626 section 5.3).
struct DialogToken {
    Flow caller;
    Flow callee;

    friend bool operator==(const DialogToken&, const DialogToken&) = default;
};

/// A client that is registered on another server: in the user part of our Path URI, or of the Contact that server was
/// given in place of the client's own. It leads to the newest flow of the registration.
struct ClientToken {
    std::uint64_t binding = 0;  ///< the registration's id
    IpAddress server;           ///< who was given the token: nobody else may use it

    friend bool operator==(const ClientToken&, const ClientToken&) = default;
};

/// URL-safe text, the same for the same token and key.
[[nodiscard]] std::string encode(const ClientToken& token, const Mac& mac);
/// Fails (`refused`) unless the text is exactly what encode() made with this key.
[[nodiscard]] Result<ClientToken> decode_client_token(std::string_view text, const Mac& mac);

/// URL-safe text, valid only for this Call-ID and key.
[[nodiscard]] std::string encode(const DialogToken& token, std::string_view call_id, const Mac& mac);

/// Fails (`refused`) unless the text is exactly what encode() made for this Call-ID with this key.
[[nodiscard]] Result<DialogToken> decode_dialog_token(std::string_view text, std::string_view call_id, const Mac& mac);

}  // namespace natkit::sip
