#include "natkit/engine/rewrite/targets.hpp"

#include <algorithm>

#include "natkit/base/text.hpp"

namespace natkit::rewrite {
namespace {

/// A --to in use for one description.
struct Supply {
    const To* to;
    std::uint32_t next_port;
    bool used = false;
};

Supply* find_supply(std::vector<Supply>& supplies, std::string_view kind) {
    Supply* last = nullptr;
    for (Supply& supply : supplies) {
        if (!supply.to->kind.empty() && !text::iequals(supply.to->kind, kind)) continue;
        last = &supply;
        if (!supply.used) return last;
    }
    return last;
}

}  // namespace

Result<To> To::parse(std::string_view text) {
    To to;
    std::string_view address = text;
    if (const std::size_t equal = text.find('='); equal != std::string_view::npos) {
        to.kind = text.substr(0, equal);
        address = text.substr(equal + 1);
    }
    if (const auto host = IpAddress::parse(address)) {
        to.endpoint.address = *host;
        to.keeps_port = true;
        return to;
    }
    const auto endpoint = Endpoint::parse(address);
    if (!endpoint) return std::unexpected(endpoint.error());
    if (endpoint->port == 0) return fail(Errc::bad_input, "port 0 is no target: '" + std::string(text) + "'");
    to.endpoint = *endpoint;
    return to;
}

Result<std::vector<std::optional<sdp::MediaTarget>>> choose_targets(const sdp::Document& document,
                                                                    std::span<const To> all) {
    std::vector<Supply> supplies;
    for (const To& to : all) supplies.push_back({.to = &to, .next_port = to.endpoint.port});
    std::vector<std::optional<sdp::MediaTarget>> targets(document.media().size());
    for (std::size_t i = 0; i < targets.size(); ++i) {
        const sdp::Media& media = document.media()[i];
        Supply* supply = media.rejected() || media.bundled_with ? nullptr : find_supply(supplies, media.kind);
        if (supply == nullptr) continue;
        supply->used = true;
        sdp::MediaTarget target{.rtp = supply->to->endpoint};
        if (supply->to->keeps_port) {
            target.rtp.port = media.port;
            if (media.rtcp)
                target.rtcp =
                    Endpoint{.address = target.rtp.address, .port = document.port(*media.rtcp).value_or(media.port)};
        } else {
            if (supply->next_port > 65535)
                return fail(Errc::refused, "no port left for this stream", "sdp:" + std::to_string(media.line + 1));
            target.rtp.port = static_cast<std::uint16_t>(supply->next_port);
            supply->next_port += 2 * std::max(media.port_count, 1U);
        }
        targets[i] = target;
    }
    for (std::size_t i = 0; i < targets.size(); ++i) {  // one port, one target (RFC 9143)
        if (const auto carrier = document.media()[i].bundled_with) targets[i] = targets[*carrier];
    }
    return targets;
}

}  // namespace natkit::rewrite
