#include "natkit/relay/party.hpp"

namespace natkit::relay {

SourcePolicy source_policy(const Party& party, bool source_port_restriction) noexcept {
    return party.sources.value_or(source_policy(party.place, source_port_restriction));
}

SourcePolicy source_policy(nat::Place place, bool source_port_restriction) noexcept {
    switch (place) {
        case nat::Place::far_end: return SourcePolicy::latch;
        case nat::Place::wan: return source_port_restriction ? SourcePolicy::exact : SourcePolicy::learn_port;
        case nat::Place::lan: return SourcePolicy::learn_port;
    }
    return SourcePolicy::exact;
}

Latch::Signal latch_signal(const Party& party, SourcePolicy policy) {
    const IpAddress visible = party.visible ? *party.visible : party.endpoint ? party.endpoint->address : IpAddress();
    const IpRange allowed = policy == SourcePolicy::latch && party.site ? *party.site : IpRange::single(visible);
    return {.policy = policy, .endpoint = party.endpoint, .allowed = allowed};
}

Result<void> check_party(const Party& party, Side side, const Surroundings& surroundings) {
    if (party.sources == SourcePolicy::first_source) return {};  // nothing it says is sent to
    if (party.place == nat::Place::far_end) {
        if (!party.visible) return fail(Errc::bad_input, "a far-end party needs its visible address", "party.visible");
        // Its own endpoint is never sent to, so that may be anything; but its port may be dialled at `visible`.
        const std::uint16_t port = party.setup && party.endpoint ? party.endpoint->port : std::uint16_t{0};
        return check_target({*party.visible, port}, party.place, side, surroundings);
    }
    for (const auto& endpoint : {party.endpoint, party.rtcp}) {
        if (!endpoint) continue;
        if (endpoint->port == 0) return fail(Errc::bad_input, "port 0 is no place to send to", "party.endpoint");
        if (auto checked = check_target(*endpoint, party.place, side, surroundings); !checked) return checked;
    }
    if (party.rtcp && party.endpoint && party.rtcp->address.family() != party.endpoint->address.family()) {
        return fail(Errc::bad_input, "endpoint and rtcp are of two families", "party.rtcp");
    }
    return {};
}

}  // namespace natkit::relay
