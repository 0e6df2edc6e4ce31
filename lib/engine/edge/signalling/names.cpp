#include <algorithm>

#include "edge.hpp"
#include "natkit/base/text.hpp"

/// Names where descriptions should have addresses: looked up before an offer or an answer is taken.
namespace natkit::edge {
namespace {

constexpr std::size_t most_asked = 256;    ///< that are being looked up
constexpr std::size_t most_waiting = 512;  ///< messages that wait for them

}  // namespace

proxy::FloodLimits Edge::name_limits(const Settings& settings) {
    const double each = settings.name_lookups;
    return {.flow = {.per_second = each / 60, .burst = each},
            .source = {.per_second = each / 60, .burst = each},
            .strangers = {.per_second = each / 6, .burst = 10 * each},
            .remembered = 2'000};
}

/// Whether a description has no name that is to be looked up, as nearly all have none.
bool Edge::names_known(std::string_view description, Now now) {
    return media_.names().unknown(description, now.steady).empty();
}

/// Calls `then` when all names of a description have been looked up, or cannot be: at once where there are none.
void Edge::with_names(std::string_view description, const Upstream& from, Now now, Output& out, Continue then) {
    std::vector<HostName> missing = media_.names().unknown(description, now.steady);
    std::erase_if(missing, [&](const HostName& name) { return !look_up(name, from, now, out); });
    if (missing.empty()) return then(now, out);
    waiting_for_names_.push_back({.missing = std::move(missing), .then = std::move(then)});
}

/// Whether an answer is to come. Strangers must not have us ask name servers for whatever they like.
bool Edge::look_up(const HostName& name, const Upstream& from, Now now, Output& out) {
    const auto asked = std::ranges::find(name_lookups_, name, &NameLookup::name);
    const bool free = waiting_for_names_.size() < most_waiting;
    if (asked != name_lookups_.end() && free) return true;
    const bool stranger = from.sender == proxy::Sender::stranger && !settings_.open_registrar;
    using Verdict = proxy::FloodGate::Verdict;
    const bool may = from.sender == proxy::Sender::lan || settings_.open_registrar ||
                     name_gate_.admit(from.flow.remote, 0, stranger ? proxy::Sender::stranger : proxy::Sender::user,
                                      now.steady) == Verdict::pass;
    const auto uri = sip::Uri::parse("sip:" + name.host + ":9;transport=udp");
    if (!may || !free || !uri || name_lookups_.size() >= most_asked) {
        if (flood_.first_refusal(from.flow.remote.address, now.steady)) {
            out.log(LogLevel::problems, "'" + text::printable(name.host, 80) + "' in a description from " +
                                            to_string(from.flow.remote) + " is not looked up: too many names");
        }
        return false;
    }
    const std::uint64_t ticket = next_lookup_++;
    name_lookups_.push_back({.ticket = ticket, .name = name});
    out.lookups.push_back({.ticket = ticket,
                           .uri = *uri,
                           .abilities = {.udp = true,
                                         .tcp = false,
                                         .tls = false,
                                         .ipv4 = name.family == Family::ipv4,
                                         .ipv6 = name.family == Family::ipv6}});
    return true;
}

/// True: the ticket was of such a look-up. The first address that media may be sent to counts.
bool Edge::on_name_located(std::uint64_t ticket, const sip::Location& location, Now now, Output& out) {
    const auto asked = std::ranges::find(name_lookups_, ticket, &NameLookup::ticket);
    if (asked == name_lookups_.end()) return false;
    const HostName name = std::move(asked->name);
    name_lookups_.erase(asked);
    std::optional<IpAddress> address;
    for (const sip::Located& place : location.targets) {
        if (!address && may_be_media(place.endpoint.address)) address = place.endpoint.address;
    }
    if (!address) {
        out.log(LogLevel::problems,
                "'" + text::printable(name.host, 80) + "' in a description: " +
                    (!location.targets.empty() ? "it leads to " + to_string(location.targets.front().endpoint.address) +
                                                     ", where no media may be sent"
                     : location.failed ? std::string("the name servers do not answer")
                                       : std::string("no such name")));
    }
    media_.names().learn(name, address, now.steady);
    std::vector<Continue> ready;
    for (NameWait& wait : waiting_for_names_) {
        std::erase(wait.missing, name);
        if (wait.missing.empty()) ready.push_back(std::move(wait.then));
    }
    std::erase_if(waiting_for_names_, [](const NameWait& wait) { return wait.missing.empty(); });
    for (Continue& then : ready) then(now, out);
    return true;
}

/// What is refused where it is written as an address is refused behind a name, too. Loopback is the LAN's on a host
/// that tries everything by itself.
bool Edge::may_be_media(const IpAddress& address) const {
    if (address.is_unspecified() || address.is_multicast() || address.is_broadcast() || address.is_link_local())
        return false;
    if (address.is_loopback()) return settings_.networks.lan.contains(address);
    return !settings_.is_own_address(address) &&
           std::ranges::find(settings_.media_addresses, address) == settings_.media_addresses.end();
}

}  // namespace natkit::edge
