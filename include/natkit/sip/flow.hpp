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

    friend bool operator==(const Flow&, const Flow&) = default;
};

/// "udp:203.0.113.10:5060-198.51.100.7:40001"
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

/// URL-safe text, valid only for this Call-ID and key.
[[nodiscard]] std::string encode(const DialogToken& token, std::string_view call_id, const Mac& mac);

/// Fails (`refused`) unless the text is exactly what encode() made for this Call-ID with this key.
[[nodiscard]] Result<DialogToken> decode_dialog_token(std::string_view text, std::string_view call_id, const Mac& mac);

}  // namespace natkit::sip
