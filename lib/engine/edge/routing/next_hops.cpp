#include "next_hops.hpp"

#include <algorithm>

#include "natkit/nat/classify.hpp"

namespace natkit::edge {
namespace {

constexpr std::chrono::seconds avoid_for{60};  ///< one that did not answer, as long as there are others
constexpr std::size_t most_avoided = 1'000;
constexpr std::size_t most_names = 10'000;

bool is_nobody(const IpAddress& address, bool in_lan) {
    return address.is_unspecified() || address.is_multicast() || address.is_broadcast() || address.is_link_local() ||
           (address.is_loopback() && !in_lan);
}

Route refused(int status, std::string reason) {
    return {.destination = {}, .targets = {}, .status = status, .reason = std::move(reason), .lookup = {}};
}

}  // namespace

sip::Abilities NextHops::abilities() const {
    sip::Abilities able{.udp = false, .tcp = false, .tls = false, .ipv4 = false, .ipv6 = false};
    for (const Listener& listener : settings_.listeners) {
        if (!listener.here || listener.peers) continue;
        (listener.transport == sip::Transport::udp   ? able.udp
         : listener.transport == sip::Transport::tcp ? able.tcp
                                                     : able.tls) = true;
        (listener.bound.address.is_v4() ? able.ipv4 : able.ipv6) = true;
    }
    return able;
}

/// The flow to one place, if any socket leads there and it is not our own host.
std::optional<sip::Flow> NextHops::flow_to(const sip::Located& place, bool configured) const {
    const IpAddress& address = place.endpoint.address;
    const bool in_lan = settings_.networks.lan.contains(address);
    const bool ours = configured ? settings_.is_own(place.endpoint) : settings_.is_own_address(address);
    if (ours || (!configured && is_nobody(address, in_lan))) return std::nullopt;
    const Listener* listener = settings_.find(in_lan ? Side::lan : Side::wan, address, place.transport);
    if (listener == nullptr) return std::nullopt;
    return sip::Flow{.transport = place.transport, .local = listener->bound, .remote = place.endpoint, .connection = 0};
}

/// What did not answer a moment ago is tried last. All that is tried lies where the first lies: what may be sent to one
/// side may not be sent to the other.
std::vector<sip::Flow> NextHops::usable(const std::vector<sip::Located>& places, bool configured) const {
    std::vector<sip::Flow> flows;
    for (const sip::Located& place : places) {
        const auto flow = flow_to(place, configured);
        if (flow) flows.push_back(*flow);
    }
    std::ranges::stable_partition(flows, [&](const sip::Flow& flow) { return !avoided_.contains(to_string(flow)); });
    const auto in_lan = [&](const sip::Flow& flow) { return settings_.networks.lan.contains(flow.remote.address); };
    if (flows.empty()) return flows;
    const bool inside = in_lan(flows.front());
    std::erase_if(flows, [&](const sip::Flow& flow) { return in_lan(flow) != inside; });
    return flows;
}

Route NextHops::to(const std::string& next_hop, const std::string& request_uri, bool configured,
                   const LocatedHop* located) const {
    const auto uri = sip::Uri::parse(next_hop);
    if (!uri || (uri->scheme != "sip" && uri->scheme != "sips")) return refused(416, "Unsupported URI Scheme");
    std::vector<sip::Located> places;
    if (uri->address()) {
        static const sip::Answers nothing = [](const dns::Query&) { return nullptr; };
        places = sip::locate(*uri, abilities(), nothing, 0).targets;
        if (places.empty()) return refused(503, "No Socket For This Destination");
    } else if (located != nullptr && located->next_hop == next_hop) {
        if (located->failed) return refused(503, "The Name Of The Next Hop Is Not Answered For");
        places = located->places;
    } else {
        Route later = refused(0, {});
        later.destination = proxy::Destination::elsewhere;  // nothing is looked up for who may not send there
        later.lookup = next_hop;
        return later;
    }
    std::vector<sip::Flow> flows = usable(places, configured);
    if (flows.empty()) return refused(404, "Not Found");
    Target target;
    target.flow = flows.front();
    target.verdict = nat::classify_address(target.flow.remote.address, settings_.networks);
    target.uri = request_uri;
    target.host = uri->host;
    target.others.assign(flows.begin() + 1, flows.end());
    const bool inside = settings_.networks.lan.contains(target.flow.remote.address);
    Route found = refused(0, {});
    found.destination = inside ? proxy::Destination::inside : proxy::Destination::elsewhere;
    found.targets.push_back(std::move(target));
    return found;
}

void NextHops::avoid(const sip::Flow& flow, Instant now) {
    if (avoided_.size() >= most_avoided) avoided_.clear();
    if (avoided_.insert(to_string(flow)).second) forgiven_.add(now + avoid_for, to_string(flow));
}

void NextHops::on_time(Instant now) {
    while (const auto flow = forgiven_.pop_due(now)) avoided_.erase(*flow);
}

void NextHops::keep_name(const sip::Flow& flow, const std::string& host) {
    if (flow.connection != 0 || host.empty()) return;
    if (names_.size() >= most_names) names_.clear();
    names_[to_string(flow)] = host;
}

std::string NextHops::name_of(const sip::Flow& flow) const {
    const auto known = names_.find(to_string(flow));
    std::string name = known == names_.end() ? to_string(flow.remote.address) : known->second;
    if (name.starts_with('[')) name = name.substr(1, name.size() - 2);
    return name;
}

}  // namespace natkit::edge
