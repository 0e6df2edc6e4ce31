#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "natkit/nat/classify.hpp"
#include "natkit/proxy/authorise.hpp"
#include "natkit/sip/flow.hpp"

namespace natkit::sip {

/// The header field with a PeerToken, in each request from one edge of a cluster to another, and in no other.
inline constexpr std::string_view peer_field = "Natkit-Peer";

/// A node's name as tokens hold it; never 0.
[[nodiscard]] std::uint64_t node_number(std::string_view node) noexcept;

/// What an edge tells another of a request that it passes on to it: it proves by it that it has the cluster's key, and
/// the other need not judge the sender, whom it has not seen.
struct PeerToken {
    std::uint64_t from = 0;     ///< node_number() of who passes it on
    std::uint64_t to = 0;       ///< of who is to get it: nobody else takes it
    std::uint64_t epoch = 0;    ///< of that node, when it told of the registration; 0: not known
    std::uint64_t binding = 0;  ///< the registration that it is for; 0: it goes where its Route leads, or its URI
    Endpoint source;            ///< where the request came from, at the first edge
    proxy::Sender sender = proxy::Sender::stranger;
    nat::Place place{};
    nat::Rule rule{};
    std::optional<IpAddress> claimed;  ///< as in nat::Verdict

    friend bool operator==(const PeerToken&, const PeerToken&) = default;
};

/// For which request a token is good: a copy of that request, and no other.
struct PeerContext {
    std::string_view call_id;
    std::uint32_t cseq = 0;
    std::string_view method;
};

/// URL-safe text.
[[nodiscard]] std::string encode(const PeerToken& token, const PeerContext& of, const Cipher& cipher);
/// Fails (`refused`) unless the text is exactly what encode() made for such a request with this key.
[[nodiscard]] Result<PeerToken> decode_peer_token(std::string_view text, const PeerContext& of, const Cipher& cipher);

}  // namespace natkit::sip
