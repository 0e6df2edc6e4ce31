#include <algorithm>

#include "edge.hpp"
#include "natkit/base/text.hpp"

/// What reaches the core besides messages: the ends of connections, answers to its questions, time.
namespace natkit::edge {

void Edge::on_flow_closed(const sip::Flow& flow, std::string_view reason, Now now, Output& out) {
    neighbours_.remove(flow);
    auto changes = registrar_.remove_flow(flow);
    for (const sip::BindingChange& change : changes) {
        out.log(LogLevel::major, "client " + text::printable(change.binding.aor, 80) + " at " + to_string(flow.remote) +
                                     ": its connection is over: " + text::printable(reason));
    }
    registrations_.apply(std::move(changes), now, out);
    sip::TransactionOutput produced;
    layer_.on_flow_failed(flow, produced);
    absorb(produced, now, out);
}

void Edge::on_flow_unreachable(const sip::Flow& flow, std::string_view reason, Now now, Output& out) {
    sip::TransactionOutput produced;
    layer_.on_flow_failed(flow, produced);
    if (!produced.events.empty()) {
        out.log(LogLevel::problems, to_string(flow.remote) + " by " + to_string(flow.transport) +
                                        " cannot be reached: " + text::printable(reason));
    }
    absorb(produced, now, out);
}

void Edge::on_client_dead(std::string_view binding_id, std::string_view reason, Now now, Output& out) {
    auto changes = registrar_.remove(binding_id);
    for (const auto& change : changes) {
        out.log(LogLevel::major, "client " + change.binding.aor + " at " + to_string(change.binding.flow.remote) +
                                     " removed: " + text::printable(reason));
    }
    registrations_.apply(std::move(changes), now, out);
}

std::size_t Edge::hang_up(std::string_view call_id, std::string_view who, Now now, Output& out) {
    const std::size_t ended = proxy_.hang_up(call_id, "ended by the operator", now, out);
    if (ended > 0) {
        out.log(LogLevel::major, "call " + text::printable(call_id, 80) + ": hung up by " +
                                     (who.empty() ? "the operator" : text::printable(who, 80)));
    }
    return ended;
}

std::size_t Edge::remove_clients(std::string_view name, std::string_view who, Now now, Output& out) {
    const std::string_view aor = text::istarts_with(name, "sip:") ? name.substr(4) : name;
    std::vector<std::string> ids;
    for (const sip::Binding& one : registrar_.all()) {
        if (one.id == name || one.contact == name || text::iequals(one.aor, aor)) ids.push_back(one.id);
    }
    for (const std::string& id : ids) {
        on_client_dead(id, "by " + (who.empty() ? "the operator" : std::string(who)), now, out);
    }
    return ids.size();
}

void Edge::on_leg_opened(std::uint64_t ticket, Result<RelayLeg> leg, Now now, Output& out) {
    if (auto ready = media_.on_leg_opened(ticket, std::move(leg), now.steady, out))
        proxy_.on_media_ready(std::move(*ready), now, out);
}

void Edge::on_located(std::uint64_t ticket, const sip::Location& location, Now now, Output& out) {
    if (const auto server = server_lookups_.find(ticket); server != server_lookups_.end()) {
        servers_.learn(server->second, location.targets, now.steady);
        server_lookups_.erase(server);
        return;
    }
    std::vector<std::uint64_t> ready;
    if (name_lookups_.on_located(ticket, location, now, out, ready)) {
        for (const std::uint64_t message : ready) proxy_.on_names_ready(message, now, out);
        return;
    }
    auto parked = parked_.take(ticket, location);
    if (!parked) return;
    auto& [asked, hop] = *parked;
    if (hop.places.empty()) {
        out.log(LogLevel::problems, "'" + text::printable(hop.next_hop, 120) +
                                        "': " + (hop.failed ? "the name servers do not answer" : "no such name"));
    }
    if (asked.server == 0) return send_ack_on(std::move(asked), &hop, now, out);
    if (auto route = route_of(asked, &hop, now, out)) proxy_.forward(std::move(asked), std::move(*route), now, out);
}

void Edge::look_up_servers(Now now, Output& out) {
    for (const auto& [domain, uri] : servers_.take_due(settings_.servers, now.steady))
        server_lookups_[lookups_.ask(uri, next_hops_.abilities(), out)] = domain;
}

void Edge::on_time(Now now, Output& out) {
    sip::TransactionOutput produced;
    layer_.on_time(now.steady, produced);
    absorb(produced, now, out);
    media_.on_time(now.steady, out);
    registrations_.apply(registrar_.expire(now.wall), now, out);
    peers_.clients().expire(now.wall);
    proxy_.on_time(now, out);
    next_hops_.on_time(now.steady);
    look_up_servers(now, out);
}

std::vector<std::string> Edge::on_standby_time(Now now, Output& out) {
    std::vector<std::string> gone;
    for (const sip::BindingChange& change : registrar_.expire(now.wall)) gone.push_back(change.binding.id);
    peers_.clients().expire(now.wall);
    look_up_servers(now, out);
    return gone;
}

std::optional<Instant> Edge::next_deadline() const {
    std::optional<Instant> next = layer_.next_deadline();
    for (const auto& other :
         {media_.next_deadline(), proxy_.next_deadline(), next_hops_.next_deadline(), servers_.due()}) {
        if (other && (!next || *other < *next)) next = other;
    }
    return next;
}

std::optional<WallTime> Edge::next_expiry() const {
    const auto own = registrar_.next_expiry();
    const auto foreign = peers_.clients().next_expiry();
    return own && foreign ? std::min(*own, *foreign) : own ? own : foreign;
}

std::unordered_set<std::uint64_t> Edge::needed_connections() const {
    std::unordered_set<std::uint64_t> needed;
    media_.add_connections(needed);
    layer_.add_connections(needed);
    needed.erase(0);
    return needed;
}

}  // namespace natkit::edge
