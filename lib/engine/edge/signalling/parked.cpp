#include "parked.hpp"

namespace natkit::edge {
namespace {

constexpr std::size_t most_parked = 5'000;
constexpr unsigned most_lookups = 2;  ///< for one request

}  // namespace

bool ParkedRequests::park(JudgedRequest asked, std::string next_hop, const sip::Abilities& abilities, Output& out) {
    if (parked_.size() >= most_parked || ++asked.lookups > most_lookups) return false;
    const auto uri = sip::Uri::parse(next_hop);
    if (!uri) return false;
    const std::uint64_t ticket = lookups_.ask(*uri, abilities, out);
    if (asked.server != 0) ticket_of_server_[asked.server] = ticket;
    layer_.count_kept(static_cast<std::ptrdiff_t>(weight_of(asked.request)));
    parked_.emplace(ticket, Parked{.asked = std::move(asked), .next_hop = std::move(next_hop)});
    return true;
}

ParkedRequests::Parked ParkedRequests::remove(std::unordered_map<std::uint64_t, Parked>::iterator at) {
    Parked parked = std::move(at->second);
    parked_.erase(at);
    layer_.count_kept(-static_cast<std::ptrdiff_t>(weight_of(parked.asked.request)));
    ticket_of_server_.erase(parked.asked.server);
    return parked;
}

std::optional<std::pair<JudgedRequest, LocatedHop>> ParkedRequests::take(std::uint64_t ticket,
                                                                         const sip::Location& location) {
    const auto found = parked_.find(ticket);
    if (found == parked_.end()) return std::nullopt;
    Parked parked = remove(found);
    LocatedHop hop{.next_hop = std::move(parked.next_hop),
                   .places = location.targets,
                   .failed = location.targets.empty() && location.failed};
    return std::pair(std::move(parked.asked), std::move(hop));
}

std::optional<JudgedRequest> ParkedRequests::take_back(sip::TransactionId server) {
    const auto ticket = ticket_of_server_.find(server);
    if (ticket == ticket_of_server_.end()) return std::nullopt;
    return remove(parked_.find(ticket->second)).asked;
}

}  // namespace natkit::edge
