#include "hep.hpp"

#include <algorithm>
#include <cstdint>

#include "values.hpp"

namespace natkit::config {

Result<HepTarget> HepTarget::parse(std::string_view text) {
    constexpr std::string_view scheme = "udp:";
    if (!text.starts_with(scheme)) return fail(Errc::bad_config, "not by udp: " + in_quotes(text));
    const std::string_view rest = text.substr(scheme.size());
    HepTarget target;
    if (const auto endpoint = Endpoint::parse(rest, target.port); endpoint && endpoint->port != 0) {
        return HepTarget{.host = to_string(endpoint->address), .port = endpoint->port};
    }
    const std::size_t colon = rest.find(':');
    const auto port = colon == std::string_view::npos ? target.port : text::parse_number(rest.substr(colon + 1), 65535);
    const auto name = parse_domain(rest.substr(0, colon));
    // An address with a slip ("10.0.0.300") is a well-formed name; nobody means it as one.
    const bool numeric = name && name->find_first_not_of("0123456789.") == std::string::npos;
    if (!name || numeric || port.value_or(0) == 0)
        return fail(Errc::bad_config, "not a host and port: " + in_quotes(text));
    return HepTarget{.host = *name, .port = static_cast<std::uint16_t>(*port)};
}

std::string to_string(const HepTarget& target) {
    const bool six = target.host.find(':') != std::string::npos;
    return "udp:" + (six ? "[" + target.host + "]" : target.host) + ":" + std::to_string(target.port);
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
    const auto node = [](std::string_view text) -> Result<std::string> {
        const bool visible = std::ranges::all_of(text, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
        if (!visible || text.size() > 64 || text.find_first_of("\"\\") != std::string_view::npos)
            return fail(Errc::bad_config, "not a name: " + in_quotes(text));
        return std::string(text);
    };
    section.value("node", hep.node, node,
                  "write up to 64 letters, digits, \"-\" and the like, or \"\" for the host's name");
    section.done();
    return hep;
}

}  // namespace natkit::config
