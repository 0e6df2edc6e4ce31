#include <nlohmann/json.hpp>

#include "mediarelay.hpp"
#include "natkit/io/host.hpp"

namespace natkit::mediarelay {

std::optional<config::Config> load_config(const tool::CommonOptions& common, const std::string& base_dir) {
    auto loaded = config::load_or_default(common.config.empty() ? config::default_file() : common.config, base_dir);
    if (!loaded) {
        for (const Error& problem : loaded.error()) tool::complain("mediarelay", problem);
        return std::nullopt;
    }
    if (!common.log_level.empty()) loaded->config.media_proxy.log_level = *parse_log_level(common.log_level);
    const auto host = io::host_addresses();
    if (!host) {
        tool::complain("mediarelay", host.error());
        return std::nullopt;
    }
    static_cast<void>(config::apply_host(loaded->config, *host));  // its warnings are for natkit check
    return std::move(loaded->config);
}

Options options_from(const config::Config& config) {
    const config::MediaProxy& media = config.media_proxy;
    Options options;
    options.ports = {media.ports.first, media.ports.last};
    options.lan = media.lan_addresses;
    options.wan = media.wan_addresses;
    options.advertise = config.sip.advertise;
    options.tos = media.tos;
    options.source_port_restriction = media.source_port_restriction;
    options.timeouts = {.silence = media.timeout, .hold = media.hold_timeout};
    options.networks = config.network.lists;
    options.host = io::host_addresses().value_or(std::vector<HostAddress>{});
    options.workers = media.workers;
    options.log_level = media.log_level;
    return options;
}

std::string runtime_dir(const config::Config& config, const std::string& given) {
    if (!given.empty()) return given;
    return config.control.socket.substr(0, config.control.socket.rfind('/'));
}

Result<Json> read_party_argument(const std::string& text) {
    Json party = Json::object();
    std::string_view rest = text;
    for (const std::string_view place : {"lan", "wan", "far-end"}) {
        if (rest.starts_with(place) && rest.size() > place.size() && rest[place.size()] == ':') {
            party["place"] = place;
            rest.remove_prefix(place.size() + 1);
            break;
        }
    }
    const bool far = party.value("place", "") == "far-end";
    if (const auto endpoint = Endpoint::parse(rest)) {
        party["endpoint"] = to_string(*endpoint);
        if (far) party["visible"] = to_string(endpoint->address);
        return party;
    }
    if (const auto address = IpAddress::parse(rest); address && far) {
        party["visible"] = to_string(*address);
        return party;
    }
    return fail(Errc::usage,
                "'" + text + "' is no party; write 192.168.10.5:4000, wan:203.0.113.9:4000 or far-end:198.51.100.7");
}

}  // namespace natkit::mediarelay
