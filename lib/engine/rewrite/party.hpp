#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "natkit/dialog/stream.hpp"
#include "natkit/engine/rewrite/relay.hpp"
#include "natkit/nat/decide.hpp"

/// What mediarelay is told of the two parties of a stream, from one message: where they are, who of them connects.
/// Pure.
namespace natkit::rewrite {

using Json = nlohmann::ordered_json;

/// Where the sender is for a stream that it describes. Nothing: the input does not say, and the relay decides.
[[nodiscard]] std::optional<nat::Whereabouts> where(const Sender& sender, const dialog::Described& said,
                                                    const nat::Networks& networks);
/// Its side and address family, keys of mediarelay's open: of a leg for the sender, or for who gets the message.
[[nodiscard]] Json side_of_leg(const Sender& sender, bool own, const dialog::Described& said,
                               const nat::Networks& networks);
/// The sender as a `party` of mediarelay; without an endpoint where the description has none.
[[nodiscard]] Json party_of(const Sender& sender, const dialog::Described& said, const nat::Networks& networks);

/// What the other party is shown of who connects to whom, the relay being between them (RFC 4145 section 4). `other`:
/// as the relay was told of it; null: not yet. Nothing: no TCP stream.
[[nodiscard]] std::optional<sdp::Setup> shown_setup(const Sender& sender, bool offers, const dialog::Described& said,
                                                    const Json& other, const nat::Networks& networks);

/// Whether the relay knows of a party what it would be told; it may know more.
[[nodiscard]] bool is_known(const Json& known, const Json& told);

}  // namespace natkit::rewrite
