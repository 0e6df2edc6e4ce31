#include "natkit/sip/locate.hpp"

#include <algorithm>

#include "edge.hpp"
#include "natkit/base/text.hpp"

/// Next hops that are named: looked up by the service, tried one after the other (RFC 3263 section 4.3).
namespace natkit::edge {
namespace {

constexpr std::size_t max_parked = 5'000;
constexpr unsigned max_lookups = 2;            ///< for one request
constexpr std::chrono::seconds try_for{4};     ///< a place that has others after it
constexpr std::chrono::seconds avoid_for{60};  ///< one that did not answer, as long as there are others
constexpr std::size_t max_avoided = 1'000;
constexpr std::chrono::minutes server_names_again{1};  ///< for the names of servers
constexpr std::chrono::minutes server_known_for{
    10};                                   ///< an address of a server: the name may stand for several in turn
constexpr std::size_t max_addresses = 32;  ///< of one server

bool is_nobody(const IpAddress& address, bool in_lan) {
    return address.is_unspecified() || address.is_multicast() || address.is_broadcast() || address.is_link_local() ||
           (address.is_loopback() && !in_lan);
}

}  // namespace

sip::Abilities Edge::abilities() const {
    sip::Abilities able{.udp = false, .tcp = false, .tls = false, .ipv4 = false, .ipv6 = false};
    for (const Listener& listener : settings_.listeners) {
        if (!listener.here) continue;
        (listener.transport == sip::Transport::udp   ? able.udp
         : listener.transport == sip::Transport::tcp ? able.tcp
                                                     : able.tls) = true;
        (listener.bound.address.is_v4() ? able.ipv4 : able.ipv6) = true;
    }
    return able;
}

/// The flow to one place, if any socket leads there and it is nobody of our own host.
std::optional<sip::Flow> Edge::flow_to(const sip::Located& place, bool configured) const {
    const IpAddress& address = place.endpoint.address;
    const bool in_lan = settings_.networks.lan.contains(address);
    const bool ours = configured ? settings_.is_own(place.endpoint) : settings_.is_own_address(address);
    if (ours || (!configured && is_nobody(address, in_lan))) return std::nullopt;
    const Listener* listener = settings_.find(in_lan ? Side::lan : Side::wan, address, place.transport);
    if (listener == nullptr) return std::nullopt;
    return sip::Flow{.transport = place.transport, .local = listener->bound, .remote = place.endpoint, .connection = 0};
}

Edge::Route Edge::route_to_address(const std::string& next_hop, const std::string& request_uri, bool configured) const {
    const auto refused = [](int status, std::string reason) {
        return Route{.destination = {}, .targets = {}, .status = status, .reason = std::move(reason), .lookup = {}};
    };
    const auto uri = sip::Uri::parse(next_hop);
    if (!uri || (uri->scheme != "sip" && uri->scheme != "sips")) return refused(416, "Unsupported URI Scheme");
    std::vector<sip::Located> places;
    if (uri->address()) {
        static const sip::Answers nothing = [](const dns::Query&) { return nullptr; };
        places = sip::locate(*uri, abilities(), nothing, 0).targets;
        if (places.empty()) return refused(503, "No Socket For This Destination");
    } else if (located_ != nullptr && located_->next_hop == next_hop) {
        if (located_->failed) return refused(503, "The Name Of The Next Hop Is Not Answered For");
        places = located_->places;
    } else {
        Route later = refused(0, {});
        later.destination = proxy::Destination::elsewhere;  // nothing is looked up for who may not send there
        later.lookup = next_hop;
        return later;
    }
    std::vector<sip::Flow> flows;
    for (const sip::Located& place : places) {
        const auto flow = flow_to(place, configured);
        if (flow) flows.push_back(*flow);
    }
    if (flows.empty()) return refused(404, "Not Found");
    // What did not answer a moment ago is tried last. All that is tried lies where the first lies: what may be sent to
    // one side may not be sent to the other.
    std::ranges::stable_partition(flows, [&](const sip::Flow& flow) { return !avoided_.contains(to_string(flow)); });
    const auto in_lan = [&](const sip::Flow& flow) { return settings_.networks.lan.contains(flow.remote.address); };
    const bool inside = in_lan(flows.front());
    std::erase_if(flows, [&](const sip::Flow& flow) { return in_lan(flow) != inside; });
    Target target;
    target.flow = flows.front();
    target.party = nat::classify_address(target.flow.remote.address, settings_.networks);
    target.uri = request_uri;
    target.host = uri->host;
    target.others.assign(flows.begin() + 1, flows.end());
    Route found = refused(0, {});
    found.destination = inside ? proxy::Destination::inside : proxy::Destination::elsewhere;
    found.targets.push_back(std::move(target));
    return found;
}

void Edge::keep_name(const sip::Flow& flow, const std::string& host) {
    constexpr std::size_t most = 10'000;
    if (flow.connection != 0 || host.empty()) return;
    if (names_.size() >= most) names_.clear();
    names_[to_string(flow)] = host;
}

std::string Edge::name_of(const sip::Flow& flow) const {
    const auto known = names_.find(to_string(flow));
    std::string name = known == names_.end() ? to_string(flow.remote.address) : known->second;
    if (name.starts_with('[')) name = name.substr(1, name.size() - 2);
    return name;
}

/// Whoever sends from an address of a server is that server, whether anything was sent there before or not.
void Edge::learn_servers(const std::vector<Server>& before) {
    std::erase_if(server_addresses_, [&](const auto& known) {
        const auto now = std::ranges::find(settings_.servers, known.first, &Server::domain);
        const auto old = std::ranges::find(before, known.first, &Server::domain);
        return now == settings_.servers.end() || old == before.end() || now->to != old->to;
    });
    without_path_.clear();
    server_lookups_.clear();  // what they find may be of another name
    servers_due_.reset();
    for (const Server& server : settings_.servers) {
        const auto uri = sip::Uri::parse(server.to);
        if (uri && uri->address()) {
            server_addresses_[server.domain] = {{*uri->address(), Instant::max()}};
        } else if (uri) {
            servers_due_ = Instant{};
        }
    }
}

void Edge::look_up_servers(Now now, Output& out) {
    if (!servers_due_ || *servers_due_ > now.steady) return;
    servers_due_ = now.steady + server_names_again;
    for (const Server& server : settings_.servers) {
        const auto uri = sip::Uri::parse(server.to);
        if (!uri || uri->address()) continue;
        const std::uint64_t ticket = next_lookup_++;
        server_lookups_[ticket] = server.domain;
        out.lookups.push_back({.ticket = ticket, .uri = *uri, .abilities = abilities()});
    }
}

/// True: the ticket was of such a look-up. One that finds nothing changes nothing.
bool Edge::on_server_located(std::uint64_t ticket, const sip::Location& location, Now now) {
    const auto found = server_lookups_.find(ticket);
    if (found == server_lookups_.end()) return false;
    const std::string domain = std::move(found->second);
    server_lookups_.erase(found);
    for (const sip::Located& place : location.targets) learn_server(domain, place.endpoint.address, now);
    if (location.targets.empty()) return true;
    std::erase_if(server_addresses_[domain], [&](const auto& one) { return one.second <= now.steady; });
    return true;
}

/// An address of a server that is known by name.
void Edge::learn_server(const std::string& domain, const IpAddress& address, Now now) {
    auto& known = server_addresses_[domain];
    if (known.size() >= max_addresses && !known.contains(address)) {
        known.erase(std::ranges::min_element(known, {}, [](const auto& one) { return one.second; }));
    }
    Instant& until = known[address];
    until = std::max(until, now.steady + server_known_for);
}

bool Edge::park(Parked parked, std::string next_hop, Output& out) {
    if (parked_.size() >= max_parked || ++parked.lookups > max_lookups) return false;
    const auto uri = sip::Uri::parse(next_hop);
    if (!uri) return false;
    const std::uint64_t ticket = next_lookup_++;
    parked.next_hop = std::move(next_hop);
    if (parked.server != 0) parked_of_server_[parked.server] = ticket;
    keep(static_cast<std::ptrdiff_t>(weight_of(parked.request)));
    parked_.emplace(ticket, std::move(parked));
    out.lookups.push_back({.ticket = ticket, .uri = *uri, .abilities = abilities()});
    return true;
}

void Edge::on_located(std::uint64_t ticket, const sip::Location& location, Now now, Output& out) {
    if (on_server_located(ticket, location, now) || on_name_located(ticket, location, now, out)) return;
    const auto found = parked_.find(ticket);
    if (found == parked_.end()) return;
    Parked parked = std::move(found->second);
    parked_.erase(found);
    keep(-static_cast<std::ptrdiff_t>(weight_of(parked.request)));
    parked_of_server_.erase(parked.server);
    const NextHop hop{
        .next_hop = parked.next_hop, .places = location.targets, .failed = location.targets.empty() && location.failed};
    if (location.targets.empty()) {
        out.log(LogLevel::problems, "'" + text::printable(parked.next_hop, 120) +
                                        "': " + (hop.failed ? "the name servers do not answer" : "no such name"));
    }
    located_ = &hop;
    if (parked.server == 0) {
        send_ack(std::move(parked), now, out);
    } else {
        proceed(std::move(parked), now, out);
    }
    located_ = nullptr;
}

/// A CANCEL for a request that still waits for its next hop's address.
bool Edge::cancel_parked(sip::TransactionId server, Now now, Output& out) {
    const auto ticket = parked_of_server_.find(server);
    if (ticket == parked_of_server_.end()) return false;
    const auto found = parked_.find(ticket->second);
    const sip::Message request = std::move(found->second.request);
    keep(-static_cast<std::ptrdiff_t>(weight_of(request)));
    parked_.erase(found);
    parked_of_server_.erase(ticket);
    reject(server, request, 487, {}, now, out);
    return true;
}

/// How long a branch's place may take to answer at all: short where there are others to be tried.
std::optional<std::chrono::milliseconds> Edge::patience(const Branch& branch) {
    return branch.others.empty() ? std::nullopt : std::optional<std::chrono::milliseconds>(try_for);
}

/// True: the branch's place has failed, and the request went to the next one.
bool Edge::try_next(sip::TransactionId server, std::size_t index, Now now, Output& out) {
    Context& context = contexts_.at(server);
    Branch& branch = context.branches[index];
    if (avoided_.size() >= max_avoided) avoided_.clear();
    if (avoided_.insert(to_string(branch.flow)).second) {
        unavoid_.add(now.steady + avoid_for, to_string(branch.flow));
    }
    if (branch.others.empty() || branch.cancel_wanted || context.succeeded) return false;
    out.log(LogLevel::problems,
            to_string(branch.flow.remote) + " does not serve; trying " + to_string(branch.others.front().remote));
    server_of_client_.erase(branch.client);
    branch.client = 0;
    branch.provisional = false;
    branch.sent.reset();
    branch.flow = branch.others.front();
    branch.others.erase(branch.others.begin());
    branch.party = nat::classify_address(branch.flow.remote.address, settings_.networks);
    if (branch.session && !context.dialog && media_.contains(*branch.session)) {
        // Its legs may be of another family than this place: then the offer is made anew.
        const bool other_family = media_.end_info(*branch.session, End::callee).flow.remote.address.family() !=
                                  branch.flow.remote.address.family();
        if (other_family) media_.reject(*branch.session, server, now.steady, out);
        media_.set_callee(*branch.session, branch.flow, branch.party);
        if (other_family) {
            start_branch(server, index, now, out);
            return true;
        }
    }
    if (branch.registering) {  // its Path names the server that is given it
        branch.registering = plan_register(
            context, {.flow = branch.flow, .party = branch.party, .uri = branch.uri, .server = branch.server}, now);
    }
    send_branch(server, index, branch.body, now, out);
    return true;
}

}  // namespace natkit::edge
