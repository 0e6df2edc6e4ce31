#include "network_options.hpp"

#include "tool_main.hpp"
#include "words.hpp"

namespace natkit::tool {
namespace {

/// An option's ranges in place of the configured ones; false after a complaint.
bool replace(std::string_view program, const char* option, const std::vector<std::string>& texts, RangeSet& ranges) {
    if (texts.empty()) return true;
    RangeSet given;
    for (const std::string& text : texts) {
        const auto range = IpRange::parse(text);
        if (!range) {
            complain(program, std::string(option) + ": " + range.error().message);
            return false;
        }
        given.add(*range);
    }
    ranges = given;
    return true;
}

}  // namespace

void add_network_options(CLI::App& app, NetworkOptions& options) {
    const auto list = [&](const char* name, std::vector<std::string>& into, const char* help) {
        app.add_option(name, into, help)->type_name("RANGE,...")->delimiter(',')->allow_extra_args(false);
    };
    list("--lan", options.lan, "\"LAN IPs\", in place of [network] lan");
    list("--nated", options.nated, "\"NATed IP Addresses\", in place of [network] nated");
    list("--nat-servers", options.nat_servers, "\"NAT Server IP Addresses\", in place of [network] nat_servers");
    app.add_option("--relay-same-nat", options.relay_same_nat,
                   "never, nat-sites or always, in place of [media_proxy] relay_same_nat")
        ->type_name("POLICY")
        ->check(one_of({"never", "nat-sites", "always"}));
}

bool apply(std::string_view program, const NetworkOptions& options, nat::Networks& networks, nat::SameNat& same_nat) {
    for (const nat::SameNat policy : {nat::SameNat::never, nat::SameNat::nat_sites, nat::SameNat::always}) {
        if (options.relay_same_nat == nat::to_string(policy)) same_nat = policy;
    }
    return replace(program, "--lan", options.lan, networks.lan) &&
           replace(program, "--nated", options.nated, networks.nated) &&
           replace(program, "--nat-servers", options.nat_servers, networks.nat_servers);
}

void LanHint::saw(const IpAddress& address, const nat::Networks& networks) {
    if (!networks.nated.contains(address)) {
        others_ = true;
    } else if (!private_) {
        private_ = address;
    }
}

std::optional<std::string> LanHint::text(const nat::Networks& networks) const {
    if (!private_ || others_ || !networks.lan.empty()) return std::nullopt;
    const auto network = IpRange::parse(to_string(*private_) + (private_->family() == Family::ipv4 ? "/24" : "/64"));
    return "all addresses are private and no LAN is named, so nobody counts as being on one: name yours, such as "
           "--lan " +
           (network ? to_string(*network) : std::string("RANGE"));
}

}  // namespace natkit::tool
