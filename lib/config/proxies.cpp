#include "proxies.hpp"

#include <set>

#include "natkit/base/time.hpp"
#include "values.hpp"

namespace natkit::config {
namespace {

void read_interfaces(const toml::node& node, Ng& ng, Section& section) {
    constexpr std::string_view instead = "write { internal = \"lan\", external = \"wan\" }";
    const toml::table* table = node.as_table();
    if (table == nullptr) return section.wrong_type(node, "interfaces", "a table", instead);
    ng.interfaces.clear();
    for (const auto& [key, value] : *table) {
        const auto* text = value.as_string();
        const std::string side = text == nullptr ? std::string() : text->get();
        if (side != "lan" && side != "wan") {
            section.error(value, "interfaces", "neither \"lan\" nor \"wan\"; " + std::string(instead));
            continue;
        }
        ng.interfaces[std::string(key.str())] = side == "lan" ? Side::lan : Side::wan;
    }
}

/// Whoever reaches such a socket can listen in on calls.
void warn_of_strangers(const std::vector<ng::Listen>& listen, Section& section) {
    for (const ng::Listen& one : listen) {
        if (one.is_local()) continue;
        section.warning(*section.find("listen"), "listen",
                        to_string(one) +
                            " is not this host alone: whoever reaches it may redirect calls; let a "
                            "firewall pass the proxy only");
    }
}

void check_twice(const std::vector<ng::Listen>& listen, Section& section) {
    std::set<ng::Listen> seen;
    for (const ng::Listen& one : listen) {
        if (!seen.insert(one).second)
            section.error(*section.find("listen"), "listen", to_string(one) + " is there twice; keep one");
    }
}

}  // namespace

Ng read_ng(Section section) {
    Ng ng;
    section.list("listen", ng.listen, ng::Listen::parse,
                 "write \"udp:127.0.0.1:2223\", \"tcp:ADDRESS:PORT\", \"unix:/PATH\" or \"http:ADDRESS:PORT\"");
    check_twice(ng.listen, section);
    warn_of_strangers(ng.listen, section);
    if (const toml::node* node = section.find("interfaces")) read_interfaces(*node, ng, section);
    const auto delay = [](std::string_view text) -> Result<Milliseconds> {
        const auto duration = parse_duration(text);
        if (!duration) return fail(Errc::bad_config, "not a time: " + in_quotes(text));
        if (*duration > std::chrono::hours(1))
            return fail(Errc::bad_config, "out of range (0s to 1h): " + in_quotes(text));
        return *duration;
    };
    section.value("delete_delay", ng.delete_delay, delay, "write a number and a unit, such as \"30s\"");
    section.number("max_calls", ng.max_calls, 0, 1'000'000);
    section.done();
    return ng;
}

Rtpproxy read_rtpproxy(Section section) {
    Rtpproxy rtpproxy;
    const auto parse = [](std::string_view text) -> Result<ng::Listen> {
        auto listen = ng::Listen::parse(text);
        if (listen && listen->kind == ng::Listen::Kind::http)
            return fail(Errc::bad_config, "rtpproxy's protocol knows no http: " + in_quotes(text));
        return listen;
    };
    section.list("listen", rtpproxy.listen, parse,
                 "write \"udp:127.0.0.1:22222\", \"tcp:ADDRESS:PORT\" or \"unix:/PATH\"");
    check_twice(rtpproxy.listen, section);
    warn_of_strangers(rtpproxy.listen, section);
    section.done();
    return rtpproxy;
}

}  // namespace natkit::config
