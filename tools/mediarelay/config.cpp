#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/words.hpp"
#include "mediarelay.hpp"
#include "natkit/io/net/host.hpp"

namespace natkit::mediarelay {

daemon::Configuration source_of(const tool::CommonOptions& common, const std::string& base_dir,
                                const std::string& runtime_dir) {
    return daemon::Configuration({.program = "mediarelay",
                                  .config_file = common.config,
                                  .base_dir = base_dir,
                                  .runtime_dir = runtime_dir,
                                  .log_level = common.log_level});
}

std::optional<config::Config> load_config(const tool::CommonOptions& common) {
    auto loaded = source_of(common).read();
    if (loaded) return std::move(loaded->config);
    tool::complain("mediarelay", loaded.error());
    return std::nullopt;
}

relay::Options options_from(const config::Config& config) {
    const config::MediaProxy& media = config.media_proxy;
    relay::Options options;
    options.ports = {media.ports.first, media.ports.last};
    options.lan = media.lan_addresses;
    options.wan = media.wan_addresses;
    options.advertise = config.sip.advertise;
    options.tos = media.tos;
    options.source_port_restriction = media.source_port_restriction;
    options.timeouts = {.silence = media.timeout, .hold = media.hold_timeout, .unproven = media.unproven_media};
    options.dial_for = media.dial_for;
    options.networks = config.network.lists;
    options.host = io::host_addresses().value_or(std::vector<HostAddress>{});
    options.workers = media.workers;
    options.tiers = media.tiers;
    options.hep = config.hep;
    options.log_level = media.log_level;
    return options;
}

ng::ServiceOptions ng_options_from(const config::Config& config) {
    return {.listen = config.ng.listen,
            .rtpproxy_listen = config.rtpproxy.listen,
            .interfaces = config.ng.interfaces,
            .delete_delay = std::chrono::duration_cast<std::chrono::seconds>(config.ng.delete_delay),
            .max_calls = config.ng.max_calls,
            .log_level = config.media_proxy.log_level};
}

Result<Json> read_party_argument(const std::string& text, const std::string& stream, const std::string& setup) {
    static const std::vector<std::string> places = {"lan", "wan", "far-end"};
    Json party = Json::object();
    std::string_view rest = text;
    const std::string word = text.substr(0, text.find(':'));
    if (word.size() < text.size() && !Endpoint::parse(text) && !IpAddress::parse(text)) {
        rest.remove_prefix(word.size() + 1);
        if (std::ranges::find(places, word) != places.end()) {
            party["place"] = word;
        } else if (Endpoint::parse(rest) || IpAddress::parse(rest)) {
            return fail(Errc::usage, "'" + text + "': " + tool::no_such("place", word, places));
        }
    }
    const bool far = party.value("place", "") == "far-end";
    if (!setup.empty()) party["setup"] = setup;
    if (const auto endpoint = Endpoint::parse(rest)) {
        party["endpoint"] = to_string(*endpoint);
        if (far) party["visible"] = to_string(endpoint->address);
        return party;
    }
    if (const auto address = IpAddress::parse(rest); address && far) {
        party["visible"] = to_string(*address);
        return party;
    }
    if (const auto address = IpAddress::parse(rest); address && (stream == "tcp" || stream == "t120")) {
        if (stream == "tcp" && setup != "active") {
            return fail(Errc::usage, "'" + text + "': a party that is to be connected to needs a port");
        }
        party["endpoint"] = to_string(Endpoint{*address, stream == "tcp" ? std::uint16_t{9} : relay::t120_port});
        return party;
    }
    return fail(Errc::usage,
                "'" + text + "' is no party; write 192.168.10.5:4000, wan:203.0.113.9:4000 or far-end:198.51.100.7");
}

}  // namespace natkit::mediarelay
