#include "name_lookups.hpp"

#include <algorithm>

#include "natkit/base/text.hpp"

namespace natkit::edge {
namespace {

constexpr std::size_t most_asked = 256;    ///< that are being looked up
constexpr std::size_t most_waiting = 512;  ///< messages that wait for them

proxy::FloodLimits limits_of(const Settings& settings) {
    const double each = settings.name_lookups;
    return {.flow = {.per_second = each / 60, .burst = each},
            .source = {.per_second = each / 60, .burst = each},
            .strangers = {.per_second = each / 6, .burst = 10 * each},
            .remembered = 2'000};
}

}  // namespace

NameLookups::NameLookups(const Settings& settings, HostNames& names, Admission& admission, Lookups& lookups)
    : settings_(settings), names_(names), admission_(admission), lookups_(lookups), gate_(limits_of(settings)) {}

void NameLookups::follow_settings() {
    gate_ = proxy::FloodGate(limits_of(settings_));
}

bool NameLookups::must_wait(std::string_view description, const Upstream& from, std::uint64_t message, Now now,
                            Output& out) {
    std::vector<HostName> missing = names_.unknown(description, now.steady);
    std::erase_if(missing, [&](const HostName& name) { return !look_up(name, from, now, out); });
    if (missing.empty()) return false;
    waiting_.push_back({.missing = std::move(missing), .message = message});
    return true;
}

/// Whether an answer is to come. Strangers must not have us ask name servers for whatever they like.
bool NameLookups::look_up(const HostName& name, const Upstream& from, Now now, Output& out) {
    const auto asked = std::ranges::find(questions_, name, &Question::name);
    const bool free = waiting_.size() < most_waiting;
    if (asked != questions_.end() && free) return true;
    const bool stranger = from.sender == proxy::Sender::stranger && !settings_.open_registrar;
    using Verdict = proxy::FloodGate::Verdict;
    const bool may = from.sender == proxy::Sender::lan || settings_.open_registrar ||
                     gate_.admit(from.source(), 0, stranger ? proxy::Sender::stranger : proxy::Sender::user,
                                 now.steady) == Verdict::pass;
    const auto uri = sip::Uri::parse("sip:" + name.host + ":9;transport=udp");
    if (!may || !free || !uri || questions_.size() >= most_asked) {
        if (admission_.first_refusal(from.source().address, now.steady)) {
            out.log(LogLevel::problems, "'" + text::printable(name.host, 80) + "' in a description from " +
                                            to_string(from.source()) + " is not looked up: too many names");
        }
        return false;
    }
    const sip::Abilities wanted{.udp = true,
                                .tcp = false,
                                .tls = false,
                                .ipv4 = name.family == Family::ipv4,
                                .ipv6 = name.family == Family::ipv6};
    questions_.push_back({.ticket = lookups_.ask(*uri, wanted, out), .name = name});
    return true;
}

/// The first address that media may be sent to counts.
bool NameLookups::on_located(std::uint64_t ticket, const sip::Location& location, Now now, Output& out,
                             std::vector<std::uint64_t>& ready) {
    const auto asked = std::ranges::find(questions_, ticket, &Question::ticket);
    if (asked == questions_.end()) return false;
    const HostName name = std::move(asked->name);
    questions_.erase(asked);
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
    names_.learn(name, address, now.steady);
    for (Wait& wait : waiting_) {
        std::erase(wait.missing, name);
        if (wait.missing.empty()) ready.push_back(wait.message);
    }
    std::erase_if(waiting_, [](const Wait& wait) { return wait.missing.empty(); });
    return true;
}

/// What is refused where it is written as an address is refused behind a name, too. Loopback is the LAN's on a host
/// that tries everything by itself.
bool NameLookups::may_be_media(const IpAddress& address) const {
    if (address.is_unspecified() || address.is_multicast() || address.is_broadcast() || address.is_link_local())
        return false;
    if (address.is_loopback()) return settings_.networks.lan.contains(address);
    return !settings_.is_own_address(address) &&
           std::ranges::find(settings_.media_addresses, address) == settings_.media_addresses.end();
}

}  // namespace natkit::edge
