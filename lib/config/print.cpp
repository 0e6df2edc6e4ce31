#include "natkit/base/time.hpp"
#include "natkit/config/quote.hpp"
#include "values.hpp"

namespace natkit::config {

std::string quote(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            result += {'\\', c};
        } else if (byte < 0x20 || byte == 0x7f) {
            result += {'\\', 'u', '0', '0', text::hex_digits[byte >> 4], text::hex_digits[byte & 15]};
        } else {
            result += c;
        }
    }
    return result + '"';
}

namespace {

template <class Range, class Text>
std::string list(const Range& items, Text text) {
    std::string result = "[";
    for (const auto& item : items) {
        if (result.size() > 1) result += ", ";
        result += quote(text(item));
    }
    return result + "]";
}

template <class Range>
std::string list(const Range& items) {
    return list(items, [](const auto& item) {
        if constexpr (std::is_convertible_v<decltype(item), std::string_view>) {
            return std::string(item);
        } else {
            return to_string(item);
        }
    });
}

std::string interval(const std::optional<Milliseconds>& value) {
    return value ? to_string(*value) : "off";
}

/// Writes "key = value" lines with the values in one column.
class Writer {
  public:
    void section(std::string_view name) { text_ += (text_.empty() ? "[" : "\n[") + std::string(name) + "]\n"; }
    void raw(std::string_view key, std::string_view value) {
        text_ += key;
        text_.append(key.size() < 24 ? 24 - key.size() : 0, ' ');
        text_ += "= ";
        text_ += value;
        text_ += '\n';
    }
    void text(std::string_view key, std::string_view value) { raw(key, quote(value)); }
    void time(std::string_view key, Milliseconds value) { text(key, to_string(value)); }
    void flag(std::string_view key, bool value) { raw(key, value ? "true" : "false"); }
    [[nodiscard]] std::string take() { return std::move(text_); }

  private:
    std::string text_;
};

void write_sip(Writer& out, const Sip& sip) {
    out.section("sip");
    // As with `lan`: an empty list would say "none".
    if (sip.listen_given || !sip.listen.empty()) out.raw("listen", list(sip.listen));
    std::string advertise = "{";
    for (const auto& [bound, shown] : sip.advertise) {
        advertise += (advertise.size() > 1 ? ", " : " ") + quote(to_string(bound)) + " = " + quote(to_string(shown));
    }
    out.raw("advertise", advertise + (sip.advertise.empty() ? "}" : " }"));
    out.raw("domains", list(sip.domains));
    out.text("log_level", to_string(sip.log_level));
    out.time("max_dialog", sip.max_dialog);
    if (!sip.routes.empty()) out.section("sip.routes");
    for (const Route& route : sip.routes) {
        out.raw(quote(route.domain), "{ to = " + quote(route.to) +
                                         ", kind = " + quote(word_of(route_kinds, route.kind)) +
                                         ", path = " + quote(word_of(path_modes, route.path)) + " }");
    }
}

void write_media_proxy(Writer& out, const MediaProxy& media) {
    out.section("media_proxy");
    out.text("log_level", to_string(media.log_level));
    out.text("ports", std::to_string(media.ports.first) + "-" + std::to_string(media.ports.last));
    if (media.tos) {
        out.raw("tos", std::to_string(*media.tos));
    } else {
        out.text("tos", "os-default");
    }
    out.flag("source_port_restriction", media.source_port_restriction);
    out.text("relay_same_nat", word_of(same_nat_policies, media.policy.same_nat));
    out.time("timeout", media.timeout);
    out.time("hold_timeout", media.hold_timeout);
    std::vector<std::string> relay_for;
    const nat::RelayFor& asked_for = media.policy.relay_for;
    for (const IpRange& range : asked_for.ranges.ranges()) relay_for.push_back(to_string(range));
    relay_for.insert(relay_for.end(), asked_for.domains.begin(), asked_for.domains.end());
    out.raw("relay_for", list(relay_for));
    out.raw("dial_for", list(media.dial_for.ranges()));
    out.time("unproven_media", media.unproven_media);
    out.raw("workers", std::to_string(media.workers));
    out.text("fast_path", word_of(fast_paths, media.tiers.fast_path));
    out.time("fast_path_lapse", media.tiers.fast_path_lapse);
    out.text("receive", word_of(receives, media.tiers.receive));
    out.section("media_proxy.addresses");
    out.raw("lan", list(media.lan_addresses));
    out.raw("wan", list(media.wan_addresses));
}

void write_proxies(Writer& out, const Config& config) {
    out.section("ng");
    out.raw("listen", list(config.ng.listen));
    std::string interfaces = "{";
    for (const auto& [name, side] : config.ng.interfaces) {
        interfaces += (interfaces.size() > 1 ? ", " : " ") + quote(name) + " = " + quote(to_string(side));
    }
    out.raw("interfaces", interfaces + (config.ng.interfaces.empty() ? "}" : " }"));
    out.time("delete_delay", config.ng.delete_delay);
    out.raw("max_calls", std::to_string(config.ng.max_calls));
    out.section("rtpproxy");
    out.raw("listen", list(config.rtpproxy.listen));
}

}  // namespace

std::string to_toml(const Config& config) {
    Writer out;
    out.section("network");
    // Where `lan` is left to the host's interfaces and nothing is known of them yet, an empty list would say "none".
    if (config.network.lan_given || !config.network.lists.lan.empty()) {
        out.raw("lan", list(config.network.lists.lan.ranges()));
    }
    out.raw("nated", list(config.network.lists.nated.ranges()));
    out.raw("nat_servers", list(config.network.lists.nat_servers.ranges()));
    write_sip(out, config.sip);
    out.section("registrar");
    out.text("users", config.registrar.users);
    out.flag("open", config.registrar.open);
    out.text("state", config.registrar.state.empty() ? "memory" : "sqlite:" + config.registrar.state);
    out.time("min_expires", config.registrar.min_expires);
    out.time("max_expires", config.registrar.max_expires);
    write_media_proxy(out, config.media_proxy);
    out.section("limits");
    out.raw("streams", std::to_string(config.limits.streams));
    out.raw("stranger_streams", std::to_string(config.limits.stranger_streams));
    out.raw("user_streams", std::to_string(config.limits.user_streams));
    out.raw("stranger_ports", std::to_string(config.limits.stranger_ports));
    out.raw("outside_ports", std::to_string(config.limits.outside_ports));
    out.raw("lookups", std::to_string(config.limits.lookups));
    out.raw("flow_requests", std::to_string(config.limits.flow_requests));
    out.raw("source_requests", std::to_string(config.limits.source_requests));
    out.raw("stranger_requests", std::to_string(config.limits.stranger_requests));
    out.raw("server_requests", std::to_string(config.limits.server_requests));
    out.raw("transactions", std::to_string(config.limits.transactions));
    out.raw("transaction_memory", std::to_string(config.limits.transaction_memory));
    out.raw("connections", std::to_string(config.limits.connections));
    out.raw("source_connections", std::to_string(config.limits.source_connections));
    out.section("pinger");
    out.text("log_level", to_string(config.pinger.log_level));
    out.raw("clients_limit", std::to_string(config.pinger.clients_limit));
    out.text("udp_interval", interval(config.pinger.udp_interval));
    out.text("tcp_interval", interval(config.pinger.tcp_interval));
    out.text("method", to_string(config.pinger.method));
    write_proxies(out, config);
    out.section("web");
    out.text("listen", config.web.listen ? to_string(*config.web.listen) : "");
    out.text("users", config.web.users);
    out.raw("names", list(config.web.names));
    out.text("tls", word_of(web_tls, config.web.tls));
    out.flag("read_only", config.web.read_only);
    out.section("hep");
    out.text("target", config.hep.target ? to_string(*config.hep.target) : "");
    out.raw("id", std::to_string(config.hep.id));
    out.text("node", config.hep.node);
    out.section("cluster");
    out.text("state", config.cluster.state ? to_string(*config.cluster.state) : "");
    out.text("node", config.cluster.node);
    out.text("group", config.cluster.group);
    out.text("key", config.cluster.key);
    out.text("user", config.cluster.user);
    out.text("password_file", config.cluster.password_file);
    out.time("timeout", config.cluster.timeout);
    if (!config.cluster.peers.empty()) out.section("cluster.peers");
    for (const ClusterPeer& peer : config.cluster.peers) out.text(quote(peer.node), to_string(peer.listen));
    out.section("log");
    out.text("format", word_of(log_formats, config.log.format));
    out.text("target", config.log.target);
    out.text("calls", config.log.calls);
    out.section("control");
    out.text("socket", config.control.socket);
    out.text("metrics", config.control.metrics ? to_string(*config.control.metrics) : "");
    out.section("tls");
    out.text("certificate", config.tls.certificate);
    out.text("key", config.tls.key);
    out.text("ca", config.tls.ca);
    out.section("daemon");
    out.text("user", config.daemon.user);
    return out.take();
}

}  // namespace natkit::config
