#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "natkit/dialog/stream.hpp"
#include "natkit/engine/relay/engine.hpp"
#include "natkit/nat/networks.hpp"
#include "natkit/ng/request.hpp"
#include "natkit/relay/party.hpp"

namespace natkit::ng {

/// Who a description is of, as the relay is to know it. Pure.
struct Described {
    relay::Party party;
    Family family = Family::ipv4;  ///< of the address that it wants its media at
};

/// Where the sender of a request is for one of its streams, and by which rule its packets are known:
///   - what it describes, any port of that address: the default (`trust-address`); a private address that comes from
///     elsewhere is behind a NAT, and only that elsewhere is heard;
///   - where its message came from, any port of it (`SIP-source-address`);
///   - `strict-source` hears the one port alone that was learned, `asymmetric` learns none; with both it is the one
///   that
///     was described.
/// Without `received-from`, a private address with `SIP-source-address` is known by its first packet.
[[nodiscard]] Described describe_party(const dialog::Described& said, const Request& request,
                                       const nat::Networks& networks);

/// That side, or the other one where only that has an address of the family.
[[nodiscard]] Side side_with_address(const relay::Options& options, Side side, Family family);

/// The names of `direction=`: those of `[ng] interfaces`; without an entry there "lan", "wan", and what begins with
/// "priv", "pub", "int" or "ext". Nothing: no such name.
using Interfaces = std::map<std::string, Side, std::less<>>;
[[nodiscard]] std::optional<Side> side_named(std::string_view name, const Interfaces& interfaces);

}  // namespace natkit::ng
