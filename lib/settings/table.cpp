#include "natkit/settings/table.hpp"

#include <algorithm>

#include "natkit/base/text.hpp"

namespace natkit::settings {
namespace {

constexpr std::string_view log_levels[] = {"crashes", "failures", "major", "problems", "low-level", "all"};
constexpr std::string_view same_nat[] = {"never", "nat-sites", "always"};
constexpr std::string_view ping_methods[] = {"crlf", "options"};

constexpr Setting network[] = {
    {.section = "network",
     .key = "lan",
     .guide = "LAN IPs",
     .help = "The addresses of clients on this side of the edge.",
     .of = "ranges",
     .host_default = "the private networks that this host is directly connected to",
     .kind = Kind::list},
    {.section = "network",
     .key = "nated",
     .guide = "NATed IP Addresses",
     .help = "Addresses that exist only behind somebody's NAT: a client that gives one as its own, and is seen with "
             "another, is behind a NAT.",
     .of = "ranges",
     .kind = Kind::list},
    {.section = "network",
     .key = "nat_servers",
     .guide = "NAT Server IP Addresses",
     .help = "Whoever is seen with one of these addresses is behind a NAT, whatever its messages say; a range is one "
             "site.",
     .of = "ranges",
     .kind = Kind::list},
};

constexpr Setting pinger[] = {
    {.section = "pinger",
     .key = "log_level",
     .guide = "Log Level",
     .help = "How much the pinger writes to the log.",
     .choices = log_levels,
     .kind = Kind::choice},
    {.section = "pinger",
     .key = "clients_limit",
     .guide = "Clients Limit",
     .help = "How many clients are pinged at most; 0 to 1000000.",
     .kind = Kind::number},
    {.section = "pinger",
     .key = "udp_interval",
     .guide = "UDP Ping Interval",
     .help = "The longest time between two pings of a client over UDP, 1s to 24h, or off.",
     .kind = Kind::duration,
     .off = true},
    {.section = "pinger",
     .key = "tcp_interval",
     .guide = "TCP Ping Interval",
     .help = "The longest time between two pings of a client over TCP or TLS, 1s to 24h, or off.",
     .kind = Kind::duration,
     .off = true},
    {.section = "pinger",
     .key = "method",
     .guide = "Method",
     .help = "What is sent: an empty line, or an OPTIONS request, which a client answers.",
     .choices = ping_methods,
     .kind = Kind::choice},
};

constexpr Setting media_proxy[] = {
    {.section = "media_proxy",
     .key = "log_level",
     .guide = "Log Level",
     .help = "How much the media proxy writes to the log.",
     .choices = log_levels,
     .kind = Kind::choice},
    {.section = "media_proxy",
     .key = "ports",
     .guide = "UDP and TCP Ports",
     .help = "The ports that media is relayed on, first-last, from 1024 on.",
     .kind = Kind::text},
    {.section = "media_proxy",
     .key = "tos",
     .guide = "TOS Tag",
     .help = "The type of service of media packets: os-default, a number from 0 to 255, or a DSCP name such as ef.",
     .kind = Kind::text},
    {.section = "media_proxy",
     .key = "source_port_restriction",
     .guide = "Source Port Restriction",
     .help = "Whether a party on the WAN must send its media from the port that it signalled.",
     .kind = Kind::flag},
    {.section = "media_proxy",
     .key = "relay_same_nat",
     .guide = "Relay for NAT Sites",
     .help = "Whether two parties behind one far-end NAT get a media proxy.",
     .choices = same_nat,
     .kind = Kind::choice},
    {.section = "media_proxy",
     .key = "timeout",
     .guide = "Timeout",
     .help = "How long all media of a call may be silent before its relay is freed.",
     .kind = Kind::duration},
    {.section = "media_proxy",
     .key = "hold_timeout",
     .guide = "Timeout on Hold",
     .help = "The same for a call on hold.",
     .kind = Kind::duration},
    {.section = "media_proxy",
     .key = "relay_for",
     .guide = "Relay for",
     .help = "Addresses and domains whose calls are relayed in any case.",
     .of = "ranges-or-names",
     .kind = Kind::list},
    {.section = "media_proxy",
     .key = "dial_for",
     .guide = "Connect to",
     .help = "Addresses that the relay may connect to for TCP media though the signalling comes from elsewhere.",
     .of = "ranges",
     .kind = Kind::list},
    {.section = "media_proxy.addresses",
     .key = "lan",
     .guide = "LAN Media Addresses",
     .help = "The addresses of this host that media of the LAN is relayed on.",
     .of = "addresses",
     .host_default = "the addresses that SIP is listened on there",
     .kind = Kind::list},
    {.section = "media_proxy.addresses",
     .key = "wan",
     .guide = "WAN Media Addresses",
     .help = "The addresses of this host that media of the WAN is relayed on.",
     .of = "addresses",
     .host_default = "the addresses that SIP is listened on there",
     .kind = Kind::list},
};

constexpr Setting sip[] = {
    {.section = "sip",
     .key = "listen",
     .guide = "Listener",
     .help = "Where SIP comes in, each as transport:address:port; an empty list means no SIP at all.",
     .of = "listen",
     .host_default = "UDP and TCP on port 5060 of every global address of this host",
     .kind = Kind::list},
    {.section = "sip",
     .key = "domains",
     .guide = "Domains",
     .help = "The domains whose users register here.",
     .of = "names",
     .kind = Kind::list},
    {.section = "sip",
     .key = "log_level",
     .guide = "Log Level",
     .help = "How much the SIP side writes to the log.",
     .choices = log_levels,
     .kind = Kind::choice},
    {.section = "sip",
     .key = "max_dialog",
     .guide = "Longest Dialog",
     .help = "How long a call lives at most when nobody ends it, 1m to 720h.",
     .kind = Kind::duration},
};

constexpr Setting registrar[] = {
    {.section = "registrar",
     .key = "min_expires",
     .guide = "Minimum Registration Time",
     .help = "The shortest life of a registration; who asks for less is told so.",
     .kind = Kind::duration},
    {.section = "registrar",
     .key = "max_expires",
     .guide = "Maximum Registration Time",
     .help = "The longest life of a registration; who asks for more gets this.",
     .kind = Kind::duration},
};

constexpr Page all[] = {
    {.name = "network", .guide = "LAN IPs, NATed IPs, NAT Server IPs", .settings = network},
    {.name = "pinger", .guide = "NAT Pinger", .settings = pinger},
    {.name = "media_proxy", .guide = "Media Proxy", .settings = media_proxy},
    {.name = "sip", .guide = "SIP", .settings = sip},
    {.name = "registrar", .guide = "Registrar", .settings = registrar},
};

std::unexpected<Error> wrong(const Setting& setting, const char* expected) {
    return fail(Errc::bad_input,
                "[" + std::string(setting.section) + "] " + std::string(setting.key) + ": " + expected);
}

Result<Value> fitted_list(const Setting& setting, const Value& given) {
    std::vector<std::string> items;
    if (const auto* text = std::get_if<std::string>(&given)) {
        items = items_of(read_guide_list(*text));
    } else if (const auto* list = std::get_if<std::vector<std::string>>(&given)) {
        for (const std::string& one : *list) {
            for (std::string& item : items_of(read_guide_list(one))) items.push_back(std::move(item));
        }
    } else {
        return wrong(setting, "not a list");
    }
    return items;
}

}  // namespace

const char* to_string(Kind kind) noexcept {
    switch (kind) {
        case Kind::flag: return "bool";
        case Kind::number: return "number";
        case Kind::duration: return "duration";
        case Kind::text: return "text";
        case Kind::choice: return "choice";
        case Kind::list: break;
    }
    return "list";
}

std::span<const Page> pages() noexcept {
    return all;
}

const Setting* find(std::string_view section, std::string_view key) noexcept {
    for (const Page& page : all) {
        for (const Setting& setting : page.settings) {
            if (setting.section == section && setting.key == key) return &setting;
        }
    }
    return nullptr;
}

Result<Value> fitted(const Setting& setting, const Value& given) {
    const auto* text = std::get_if<std::string>(&given);
    const std::string_view trimmed = text == nullptr ? "" : text::trim(*text);
    switch (setting.kind) {
        case Kind::flag:
            if (std::holds_alternative<bool>(given)) return given;
            if (trimmed == "true") return Value(true);
            if (trimmed == "false") return Value(false);
            return wrong(setting, "neither true nor false");
        case Kind::number:
            if (std::holds_alternative<std::int64_t>(given)) return given;
            if (const auto number = text::parse_number(trimmed, INT64_MAX))
                return Value(static_cast<std::int64_t>(*number));
            return wrong(setting, "not a number");
        case Kind::list: return fitted_list(setting, given);
        case Kind::duration:
        case Kind::text:
        case Kind::choice:
            if (text != nullptr) return Value(std::string(trimmed));
            if (const auto* number = std::get_if<std::int64_t>(&given)) return Value(std::to_string(*number));
            return wrong(setting, "not a text");
    }
    return wrong(setting, "not a value");
}

}  // namespace natkit::settings
