#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/time.hpp"
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

/// Authenticated encryption that is the same for the same text and context (RFC 5297); the key is the caller's.
struct Cipher {
    using Bytes = std::vector<std::uint8_t>;

    std::function<Bytes(std::span<const std::uint8_t> plain, std::span<const std::uint8_t> context)> seal;
    /// What was sealed; nothing unless all of it and its context are as they were.
    std::function<std::optional<Bytes>(std::span<const std::uint8_t> sealed, std::span<const std::uint8_t> context)>
        open;
};

/// Which of several active edges made a token ([cluster.peers]).
struct EdgeMark {
    std::uint64_t node = 0;   ///< node_number() of its name
    std::uint64_t epoch = 0;  ///< of the node, then
    bool passes = false;  ///< another edge sees to the media of the dialog: this one passes descriptions as they are
    std::uint64_t client = 0;  ///< then the registration of the caller, who may move meanwhile; 0: he has none here

    friend bool operator==(const EdgeMark&, const EdgeMark&) = default;
};

/// The two flows of a dialog: carried in the user part of our Record-Route URIs, so that requests inside the dialog
/// reach the very flow they came from, also after a restart (RFC 5626 section 5.3).
struct DialogToken {
    Flow caller;
    Flow callee;
    WallTime start{};  ///< of the dialog, in whole seconds; the epoch in tokens of the version before, which had none
    std::optional<EdgeMark> edge{};  ///< where there are several

    /// Tokens of the same flows lead the same ways.
    friend bool operator==(const DialogToken& a, const DialogToken& b) {
        return a.caller == b.caller && a.callee == b.callee;
    }
};

/// A client that is registered on another server: in the user part of our Path URI, or of the Contact that server was
/// given in place of the client's own. It leads to the newest flow of the registration, and nowhere once that is over.
struct ClientToken {
    std::uint64_t binding = 0;  ///< the registration's id
    IpAddress server;           ///< who was given the token: nobody else may use it

    friend bool operator==(const ClientToken&, const ClientToken&) = default;
};

/// URL-safe text, byte for byte the same for the same token and key: a refresh shows the server the Contact it knows.
[[nodiscard]] std::string encode(const ClientToken& token, const Cipher& cipher);
/// Fails (`refused`) unless the text is exactly what encode() made with this key.
[[nodiscard]] Result<ClientToken> decode_client_token(std::string_view text, const Cipher& cipher);

/// URL-safe text, valid only for this Call-ID and key, that tells nobody else where the flows lead.
[[nodiscard]] std::string encode(const DialogToken& token, std::string_view call_id, const Cipher& cipher);
/// Fails (`refused`) unless the text is exactly what encode() made for this Call-ID with this key. Whether the dialog
/// has been over since is the caller's to judge.
[[nodiscard]] Result<DialogToken> decode_dialog_token(std::string_view text, std::string_view call_id,
                                                      const Cipher& cipher);

/// Tokens as natkit made them before they were encrypted: readable text and a keyed hash.
[[nodiscard]] Result<ClientToken> decode_old_client_token(std::string_view text, const Mac& mac);
[[nodiscard]] Result<DialogToken> decode_old_dialog_token(std::string_view text, std::string_view call_id,
                                                          const Mac& mac);

}  // namespace natkit::sip
