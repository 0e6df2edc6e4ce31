#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "../routing/request.hpp"
#include "lookups.hpp"

namespace natkit::edge {

/// Requests whose next hop is being looked up. Bounded, and counted with what transactions keep.
class ParkedRequests {
  public:
    /// Both outlive it.
    ParkedRequests(Lookups& lookups, sip::TransactionLayer& layer) : lookups_(lookups), layer_(layer) {}

    /// False: there are too many, or it has been looked up often enough.
    [[nodiscard]] bool park(JudgedRequest asked, std::string next_hop, const sip::Abilities& abilities, Output& out);
    /// The request that has waited for this ticket, and what was found; nothing: it was of something else.
    [[nodiscard]] std::optional<std::pair<JudgedRequest, LocatedHop>> take(std::uint64_t ticket,
                                                                           const sip::Location& location);
    /// A request that is not wanted any more; nothing: it is not here.
    [[nodiscard]] std::optional<JudgedRequest> take_back(sip::TransactionId server);

  private:
    struct Parked {
        JudgedRequest asked;
        std::string next_hop;
    };

    [[nodiscard]] Parked remove(std::unordered_map<std::uint64_t, Parked>::iterator at);

    Lookups& lookups_;
    sip::TransactionLayer& layer_;
    std::unordered_map<std::uint64_t, Parked> parked_;  ///< by the ticket of its lookup
    std::unordered_map<sip::TransactionId, std::uint64_t> ticket_of_server_;
};

}  // namespace natkit::edge
