#include "schema.hpp"

#include <algorithm>
#include <set>

#include "cluster.hpp"
#include "hep.hpp"
#include "natkit/base/time.hpp"
#include "parsers.hpp"
#include "proxies.hpp"
#include "values.hpp"

namespace natkit::config {
namespace {

using std::chrono::seconds;

constexpr std::string_view write_ranges = "write addresses, networks such as \"10.0.0.0/8\" or first-last ranges";
constexpr std::string_view write_level =
    "write \"crashes\", \"failures\", \"major\", \"problems\", \"low-level\" or \"all\"";
constexpr std::string_view write_domain = "write a name such as \"example.com\"";

/// An interval between one second and a day, or "off".
Result<std::optional<Milliseconds>> ping_interval(std::string_view text) {
    auto interval = parse_interval(text);
    if (interval && *interval && (**interval < seconds(1) || **interval > std::chrono::hours(24))) {
        return fail(Errc::bad_config, "out of range (1s to 24h): " + in_quotes(text));
    }
    return interval;
}

void read_ranges(Section& section, std::string_view key, RangeSet& target, bool* given = nullptr) {
    std::vector<IpRange> ranges;
    if (!section.list(key, ranges, IpRange::parse, write_ranges)) return;
    target = RangeSet(std::move(ranges));
    if (given != nullptr) *given = true;
}

Network read_network(Section section) {
    Network network;
    read_ranges(section, "lan", network.lists.lan, &network.lan_given);
    read_ranges(section, "nated", network.lists.nated);
    read_ranges(section, "nat_servers", network.lists.nat_servers);
    section.done();
    return network;
}

void read_advertise(const toml::node& node, Sip& sip, Section& section) {
    constexpr std::string_view instead =
        "write { \"10.1.2.3\" = \"203.0.113.10\" }: bound address, then public address";
    const toml::table* table = node.as_table();
    if (table == nullptr) return section.wrong_type(node, "advertise", "a table", instead);
    for (const auto& [key, value] : *table) {
        const auto bound = IpAddress::parse(key.str());
        const auto* text = value.as_string();
        const auto shown = text == nullptr ? fail(Errc::bad_config, "") : IpAddress::parse(text->get());
        const std::string pair = in_quotes(key.str()) + (text == nullptr ? "" : " = " + in_quotes(text->get()));
        if (!bound || !shown) {
            section.error(value, "advertise", "not a pair of addresses: " + pair + "; " + std::string(instead));
        } else if (bound->family() != shown->family()) {
            section.error(value, "advertise", "an IPv4 and an IPv6 address: " + pair + "; write two of one family");
        } else {
            sip.advertise[*bound] = *shown;
        }
    }
}

Route read_route(const std::string& domain, const toml::node& node, Section& routes, Diagnostics& diagnostics) {
    constexpr std::string_view instead = "write \"sip:host\" or \"sip:host:port\"";
    Route route{.domain = domain, .to = {}};
    if (node.is_string()) {
        Section alone(nullptr, routes.name(), diagnostics);
        auto target = parse_route_target(node.as_string()->get());
        if (target) {
            route.to = *target;
        } else {
            routes.error(node, domain, target.error().message + "; " + std::string(instead));
        }
    } else if (const toml::table* table = node.as_table()) {
        Section section(table, "sip.routes." + text::printable(domain, 80), diagnostics);
        section.value("to", route.to, parse_route_target, instead);
        section.value("kind", route.kind, word_parser(route_kinds, "kind of route"), choices(route_kinds));
        section.value("path", route.path, word_parser(path_modes, "way of Path"), choices(path_modes));
        if (!section.has("to"))
            routes.error(node, domain, "has no \"to\"; write { to = \"sip:host\", kind = \"home\" }");
        section.done();
    } else {
        routes.wrong_type(node, domain, "a SIP URI or a table", instead);
    }
    return route;
}

void read_routes(const toml::node& node, Sip& sip, Section& section, Diagnostics& diagnostics) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return section.wrong_type(node, "routes", "a table", "write a section [sip.routes]");
    Section routes(table, "sip.routes", diagnostics);
    for (const auto& [key, value] : *table) {
        const auto domain = parse_domain(key.str());
        if (!domain) {
            routes.error(value, key.str(), domain.error().message + "; " + std::string(write_domain));
            continue;
        }
        Route route = read_route(*domain, value, routes, diagnostics);
        if (std::ranges::find(sip.domains, route.domain) != sip.domains.end()) {
            routes.error(value, route.domain,
                         "is in [sip] domains too; keep one: registered here, or on another server");
        }
        if (std::ranges::find(sip.routes, route.domain, &Route::domain) != sip.routes.end()) {
            routes.error(value, route.domain, "is there twice; keep one (capitals make no difference)");
        }
        sip.routes.push_back(std::move(route));
    }
}

Sip read_sip(Section section, Diagnostics& diagnostics) {
    Sip sip;
    constexpr std::string_view write_listen =
        "write \"udp:ADDRESS:PORT\", \"tcp:ADDRESS:PORT\" or \"tls:ADDRESS:PORT\"";
    sip.listen_given = section.has("listen");
    if (section.list("listen", sip.listen, Listen::parse, write_listen)) {
        std::set<Listen> seen;
        for (const Listen& one : sip.listen) {
            if (!seen.insert(one).second) {
                section.error(*section.find("listen"), "listen", to_string(one) + " is there twice; take one out");
            }
        }
    }
    if (const toml::node* node = section.find("advertise")) read_advertise(*node, sip, section);
    section.list("domains", sip.domains, parse_domain, write_domain);
    section.value("log_level", sip.log_level, parse_log_level, write_level);
    section.value("max_dialog", sip.max_dialog, duration_parser(seconds(60), std::chrono::hours(24 * 30)),
                  write_duration);
    if (const toml::node* node = section.find("routes")) read_routes(*node, sip, section, diagnostics);
    section.done();
    return sip;
}

Registrar read_registrar(Section section, const Paths& paths) {
    Registrar registrar{.users = {}, .open = false, .state = paths.surroundings.state_dir + "/state.db"};
    section.value("users", registrar.users, path_parser(paths), "write the path of a file of user:realm:HA1 lines");
    section.boolean("open", registrar.open);
    const auto state = [&paths](std::string_view text) -> Result<std::string> {
        if (text == "memory") return std::string();
        if (text.starts_with("sqlite:") && text.size() > 7) return filled_path_parser(paths)(text.substr(7));
        return fail(Errc::bad_config, "not a place for registrations: " + in_quotes(text));
    };
    section.value("state", registrar.state, state, "write \"sqlite:PATH\" or \"memory\"");
    const auto expiry = duration_parser(seconds(10), std::chrono::hours(24 * 7));
    section.value("min_expires", registrar.min_expires, expiry, write_duration);
    section.value("max_expires", registrar.max_expires, expiry, write_duration);
    if (registrar.min_expires > registrar.max_expires) {
        const char* key = section.has("max_expires") ? "max_expires" : "min_expires";
        section.error(*section.find(key), key,
                      "min_expires " + to_string(registrar.min_expires) + " is longer than max_expires " +
                          to_string(registrar.max_expires) + "; write the smaller one first");
    }
    if (registrar.open) {
        section.warning(*section.find("open"), "open",
                        "anybody may register and call from anywhere; write false outside a laboratory");
    }
    section.done();
    return registrar;
}

void read_media_addresses(Section section, MediaProxy& media) {
    constexpr std::string_view instead = "write addresses of this host without a port";
    section.list("lan", media.lan_addresses, IpAddress::parse, instead);
    section.list("wan", media.wan_addresses, IpAddress::parse, instead);
    section.done();
}

void read_tos(Section& section, MediaProxy& media) {
    constexpr std::string_view instead = "write \"os-default\", a number from 0 to 255 or a DSCP name such as \"ef\"";
    const toml::node* node = section.find("tos");
    if (node == nullptr) return;
    if (const auto* number = node->as_integer()) {
        const auto tos = parse_tos(std::to_string(number->get()));
        if (!tos) return section.error(*node, "tos", tos.error().message + "; " + std::string(instead));
        media.tos = *tos;
        return;
    }
    section.value("tos", media.tos, parse_tos, instead);
}

MediaProxy read_media_proxy(Section section) {
    MediaProxy media;
    section.value("log_level", media.log_level, parse_log_level, write_level);
    section.value("ports", media.ports, parse_ports, "write \"FIRST-LAST\", such as \"16384-32767\"");
    read_tos(section, media);
    section.boolean("source_port_restriction", media.source_port_restriction);
    section.value("relay_same_nat", media.policy.same_nat, word_parser(same_nat_policies, "policy"),
                  choices(same_nat_policies));
    const auto silence = duration_parser(seconds(1), std::chrono::hours(24 * 7));
    section.value("timeout", media.timeout, silence, write_duration);
    section.value("hold_timeout", media.hold_timeout, silence, write_duration);
    std::vector<RelayFor> relay_for;
    section.list("relay_for", relay_for, parse_relay_for, "write ranges such as \"198.51.100.0/24\" or domains");
    for (const RelayFor& item : relay_for) {
        if (const auto* range = std::get_if<IpRange>(&item)) {
            media.policy.relay_for.ranges.add(*range);
        } else {
            media.policy.relay_for.domains.push_back(std::get<std::string>(item));
        }
    }
    std::vector<IpRange> dial_for;
    section.list("dial_for", dial_for, IpRange::parse, "write ranges such as \"198.51.100.0/24\"");
    for (const IpRange& range : dial_for) media.dial_for.add(range);
    section.value("unproven_media", media.unproven_media, duration_parser(seconds(1), std::chrono::hours(1)),
                  write_duration);
    section.number("workers", media.workers, 1, 64);
    section.value("fast_path", media.tiers.fast_path, word_parser(fast_paths, "choice"), choices(fast_paths));
    section.value("fast_path_lapse", media.tiers.fast_path_lapse, duration_parser(seconds(10), std::chrono::hours(24)),
                  write_duration);
    section.value("receive", media.tiers.receive, word_parser(receives, "choice"), choices(receives));
    read_media_addresses(section.child("addresses", "media_proxy.addresses"), media);
    section.done();
    return media;
}

Limits read_limits(Section section) {
    Limits limits;
    section.number("streams", limits.streams, 1, 256);
    section.number("stranger_streams", limits.stranger_streams, 0, 100'000);
    section.number("user_streams", limits.user_streams, 1, 100'000);
    section.number("stranger_ports", limits.stranger_ports, 0, 100);
    section.number("outside_ports", limits.outside_ports, 1, 100);
    section.number("lookups", limits.lookups, 0, 10'000);
    section.number("flow_requests", limits.flow_requests, 1, 1'000'000);
    section.number("source_requests", limits.source_requests, 1, 1'000'000);
    section.number("stranger_requests", limits.stranger_requests, 1, 1'000'000);
    section.number("server_requests", limits.server_requests, 1, 1'000'000);
    section.number("transactions", limits.transactions, 100, 1'000'000);
    section.number("transaction_memory", limits.transaction_memory, 16, 65'536);
    section.number("connections", limits.connections, 64, 100'000);
    section.number("source_connections", limits.source_connections, 1, 100'000);
    section.done();
    return limits;
}

Pinger read_pinger(Section section) {
    Pinger pinger;
    constexpr std::string_view write_interval = "write a time such as \"25s\", or \"off\"";
    section.value("log_level", pinger.log_level, parse_log_level, write_level);
    section.number("clients_limit", pinger.clients_limit, 0, 1'000'000);
    section.value("udp_interval", pinger.udp_interval, ping_interval, write_interval);
    section.value("tcp_interval", pinger.tcp_interval, ping_interval, write_interval);
    section.value("method", pinger.method, word_parser(ping_methods, "method"), choices(ping_methods));
    section.done();
    return pinger;
}

Log read_log(Section section, const Paths& paths) {
    Log log;
    section.value("format", log.format, word_parser(log_formats, "format"), choices(log_formats));
    const auto target = [&paths](std::string_view text) -> Result<std::string> {
        if (text == "stderr" || text == "journal") return std::string(text);
        return filled_path_parser(paths)(text);
    };
    section.value("target", log.target, target, "write \"stderr\", \"journal\" or the path of a file");
    const auto calls = [&paths](std::string_view text) -> Result<std::string> {
        if (text.empty() || text == "journal") return std::string(text);
        return filled_path_parser(paths)(text);
    };
    section.value("calls", log.calls, calls, "write \"journal\", the path of a file, or \"\"");
    section.done();
    return log;
}

/// "" or an address and a port.
Result<std::optional<Endpoint>> parse_optional_endpoint(std::string_view text) {
    if (text.empty()) return std::optional<Endpoint>();
    const auto endpoint = Endpoint::parse(text);
    if (!endpoint) return std::unexpected(endpoint.error());
    return std::optional<Endpoint>(*endpoint);
}

Web read_web(Section section, const Paths& paths) {
    Web web{.listen = {}, .users = paths.surroundings.state_dir + "/web.users", .names = {}};
    section.value("listen", web.listen, parse_optional_endpoint, "write \"127.0.0.1:8080\", or \"\" for none");
    section.value("users", web.users, filled_path_parser(paths), "write the path of a file for natkit web to write");
    section.list("names", web.names, parse_domain, write_domain);
    section.value("tls", web.tls, word_parser(web_tls, "choice"), choices(web_tls));
    section.boolean("read_only", web.read_only);
    section.done();
    return web;
}

Control read_control(Section section, const Paths& paths) {
    Control control{.socket = paths.surroundings.runtime_dir + "/natkit.sock"};
    const auto socket = [&paths](std::string_view text) -> Result<std::string> {
        auto path = filled_path_parser(paths)(text);
        // sockaddr_un holds 108 bytes; the longest name beside it is mediarelay.sock.
        if (path && path->size() > 100) return fail(Errc::bad_config, "longer than 100 bytes: " + in_quotes(text));
        return path;
    };
    section.value("socket", control.socket, socket, "write a path such as \"/run/natkit/natkit.sock\"");
    control.metrics_given = section.has("metrics");
    section.value("metrics", control.metrics, parse_optional_endpoint, "write \"127.0.0.1:9464\", or \"\" for none");
    section.done();
    return control;
}

Tls read_tls(Section section, const Paths& paths) {
    Tls tls;
    section.value("certificate", tls.certificate, path_parser(paths), "write the path of a PEM file");
    section.value("key", tls.key, path_parser(paths), "write the path of a PEM file");
    section.value("ca", tls.ca, path_parser(paths), "write the path of a PEM file");
    section.done();
    return tls;
}

Daemon read_daemon(Section section) {
    Daemon daemon;
    const auto user = [](std::string_view text) -> Result<std::string> {
        const bool good =
            text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-$") ==
            std::string_view::npos;
        if (!good || text.size() > 32) return fail(Errc::bad_config, "not a user name: " + in_quotes(text));
        return std::string(text);
    };
    section.value("user", daemon.user, user, "write the name of a user of this host, or \"\"");
    section.done();
    return daemon;
}

void check_tls(const Config& config, Section& root, Diagnostics& diagnostics) {
    const bool listens =
        std::ranges::any_of(config.sip.listen, [](const Listen& one) { return one.transport == Transport::tls; });
    if (!listens || (!config.tls.certificate.empty() && !config.tls.key.empty())) return;
    const toml::node* sip = root.find("sip");
    const toml::node* listen = sip->as_table()->get("listen");
    diagnostics.error(listen->source().begin, "sip", "listen",
                      "tls without a certificate; write [tls] certificate and key");
}

/// Passwords are sent to the pages.
void check_web(const Config& config, Section& root, Diagnostics& diagnostics) {
    if (!config.web.listen) return;
    const toml::table& web = *root.find("web")->as_table();
    const bool certified = !config.tls.certificate.empty() && !config.tls.key.empty();
    if (config.web.tls == WebTls::on && !certified) {
        diagnostics.error(web.get("tls")->source().begin, "web", "tls",
                          "\"on\" without a certificate; write [tls] certificate and key");
    } else if (!config.web.listen->address.is_loopback() && !encrypts(config)) {
        diagnostics.warning(web.get("listen")->source().begin, "web", "listen",
                            "passwords come without encryption; write [tls] certificate and key, or an address of "
                            "this host alone such as \"127.0.0.1:8080\"");
    }
}

}  // namespace

Config read_schema(const toml::table& root, const Paths& paths, Diagnostics& diagnostics) {
    Section top(&root, "", diagnostics);
    Config config;
    config.network = read_network(top.child("network", "network"));
    config.sip = read_sip(top.child("sip", "sip"), diagnostics);
    config.registrar = read_registrar(top.child("registrar", "registrar"), paths);
    config.media_proxy = read_media_proxy(top.child("media_proxy", "media_proxy"));
    config.limits = read_limits(top.child("limits", "limits"));
    config.pinger = read_pinger(top.child("pinger", "pinger"));
    config.ng = read_ng(top.child("ng", "ng"));
    config.rtpproxy = read_rtpproxy(top.child("rtpproxy", "rtpproxy"));
    config.web = read_web(top.child("web", "web"), paths);
    config.hep = read_hep(top.child("hep", "hep"));
    config.cluster = read_cluster(top.child("cluster", "cluster"), paths, diagnostics);
    config.log = read_log(top.child("log", "log"), paths);
    config.control = read_control(top.child("control", "control"), paths);
    config.tls = read_tls(top.child("tls", "tls"), paths);
    config.daemon = read_daemon(top.child("daemon", "daemon"));
    top.done();
    if (!diagnostics.has_errors()) {
        check_tls(config, top, diagnostics);
        check_web(config, top, diagnostics);
        check_cluster(config, top, diagnostics);
    }
    return config;
}

}  // namespace natkit::config
