#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "natkit/base/dns.hpp"
#include "natkit/base/endpoint.hpp"
#include "natkit/sip/flow.hpp"
#include "natkit/sip/message/grammar.hpp"

namespace natkit::sip {

/// What a host can send by.
struct Abilities {
    bool udp = true;
    bool tcp = true;
    bool tls = false;
    bool ipv4 = true;
    bool ipv6 = false;

    [[nodiscard]] bool has(Transport transport) const noexcept {
        return transport == Transport::udp ? udp : transport == Transport::tcp ? tcp : tls;
    }
};

/// One place to try.
struct Located {
    Transport transport{};
    Endpoint endpoint;

    friend bool operator==(const Located&, const Located&) = default;
};

/// How far a search has come: either answers are missing, or it is over.
struct Location {
    std::vector<dns::Query> missing;  ///< to be asked, in no order; then look again
    std::vector<Located> targets;     ///< to be tried in this order; empty when `missing` is, too: there is none
    bool failed = false;  ///< nothing found because the name system gave no answer, not because there is none
};

/// The answer to a query, or null as long as it is not known.
using Answers = std::function<const dns::Answer*(const dns::Query&)>;

/// Where a request for a URI goes (RFC 3263 section 4): transport, port and addresses by NAPTR, SRV, A and AAAA, in the
/// order of failing over. Pure: to be called again with more answers until nothing is missing; the same answers and the
/// same `seed`, which decides among SRV records of one priority by their weights (RFC 2782), give the same result.
/// Bounded: 8 SRV targets and 16 places, whatever the name system says.
[[nodiscard]] Location locate(const Uri& uri, const Abilities& abilities, const Answers& answers, std::uint64_t seed);

}  // namespace natkit::sip
