#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/relay/stream.hpp"
#include "negotiation.hpp"

/// The legs of a call as mediarelay lists them, with what is kept there in `owner_state` for whoever gets the call's
/// next message (natkit-records(7), leg). Reading is total: what another wrote there is passed over.
namespace natkit::rewrite {

using Json = nlohmann::ordered_json;

/// Whose the legs are, as mediarelay's `owner`.
inline constexpr const char* owner_name = "sdprewrite";

struct CallLeg {
    std::string id;
    relay::Stream kind{};
    Endpoint local;
    std::optional<Endpoint> rtcp;
    Json party;  ///< null: not told yet
    bool hold = false;
    bool mux = false;
    std::string joined;  ///< with that leg; empty: not joined

    std::size_t stream = 0;         ///< index of the m= line
    std::size_t side = 0;           ///< of the party that sees it: 0 is who described its media first
    std::string tag;                ///< of that party; empty: not known yet
    bool said_mux = false;          ///< by that party, in its last description
    std::uint64_t opened_by = 0;    ///< the exchange that brought it, as long as it is open; 0: agreed
    std::uint64_t changed_by = 0;   ///< the open exchange that changed party or hold of an agreed leg
    Json agreed;                    ///< party, hold and mux as they were before that; else null
    std::string kept;               ///< the text of owner_state as mediarelay has it
    Json pending = Json::object();  ///< of party, hold and the like what it has yet to be told: keys of update
};

/// All legs of a call, and its state, which the oldest leg carries.
struct Call {
    std::vector<CallLeg> legs;         ///< oldest first; one for each stream, side and state of agreement
    std::vector<std::string> surplus;  ///< a second one of these: another process opened it at the same time
    CallState state;
    std::uint64_t revision = 0;  ///< grows whenever the state is written
    std::string carrier;         ///< the leg that has the state

    /// The stream's leg of that kind; one that an open offer brought comes first. Null: there is none.
    [[nodiscard]] CallLeg* find(std::size_t stream, std::size_t side, relay::Stream kind);
    /// Takes in one page of a `list`.
    void add(const Json& page);
};

/// What is kept with a leg; with that of the one that carries the call's, that too. A text of at most 8 kB.
[[nodiscard]] Json owner_state(const CallLeg& leg, const Call* carried);

}  // namespace natkit::rewrite
