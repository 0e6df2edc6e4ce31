#include "hep.hpp"

#include <cstdint>

#include "parsers.hpp"

namespace natkit::config {

Result<HepTarget> HepTarget::parse(std::string_view text) {
    constexpr std::string_view scheme = "udp:";
    if (!text.starts_with(scheme)) return fail(Errc::bad_config, "not by udp: " + in_quotes(text));
    auto place = parse_host_and_port(text.substr(scheme.size()), HepTarget().port);
    if (!place) return std::unexpected(place.error());
    return HepTarget{.host = std::move(place->host), .port = place->port};
}

std::string to_string(const HepTarget& target) {
    return "udp:" + host_and_port(target.host, target.port);
}

Hep read_hep(Section section) {
    Hep hep;
    const auto target = [](std::string_view text) -> Result<std::optional<HepTarget>> {
        if (text.empty()) return std::optional<HepTarget>();
        auto parsed = HepTarget::parse(text);
        if (!parsed) return std::unexpected(parsed.error());
        return std::optional<HepTarget>(std::move(*parsed));
    };
    section.value("target", hep.target, target, "write \"udp:HOST:PORT\", or \"\" for none");
    section.number("id", hep.id, 1, UINT32_MAX);
    section.value("node", hep.node, parse_node_name, write_node_name);
    section.done();
    return hep;
}

}  // namespace natkit::config
