// The text of a leg's record, written without a tree of JSON values between.
#include "natkit/record/json_text.hpp"
#include "natkit/record/relay.hpp"

namespace natkit::record {
namespace {

using relay::Component;

std::string text_of(const relay::Party& party) {
    ObjectText object;
    object.text("place", nat::to_string(party.place));
    if (party.endpoint) object.text("endpoint", natkit::to_string(*party.endpoint));
    if (party.rtcp) object.text("rtcp", natkit::to_string(*party.rtcp));
    if (party.visible) object.text("visible", natkit::to_string(*party.visible));
    if (party.site) object.text("site", natkit::to_string(*party.site));
    if (party.setup) object.text("setup", sdp::to_string(*party.setup));
    return object.close();
}

std::string text_of(const std::array<std::optional<Leg::Latched>, 2>& latched) {
    ObjectText both;
    for (const Component component : {Component::rtp, Component::rtcp}) {
        const auto& each = latched[static_cast<std::size_t>(component)];
        if (!each) continue;
        ObjectText object;
        object.text("endpoint", natkit::to_string(each->endpoint));
        object.text("rule", relay::to_string(each->rule));
        both.raw(relay::to_string(component), object.close());
    }
    return both.close();
}

}  // namespace

std::string journal_text(const Leg& leg) {
    ObjectText record;
    record.reserve(512 + leg.call_id.size() + leg.owner.size() + leg.owner_state.size() + leg.request.size());
    record.text("type", "leg");
    record.text("leg", leg.id);
    if (!leg.call_id.empty()) record.text("call_id", leg.call_id);
    record.text("state", to_string(leg.state));
    record.text("stream", relay::to_string(leg.stream));
    record.text("side", relay::to_string(leg.side));
    record.text("family", natkit::to_string(leg.bound.address.family()));
    record.text("local", natkit::to_string(leg.local(Component::rtp)));
    if (leg.has_rtcp()) record.text("rtcp", natkit::to_string(leg.local(Component::rtcp)));
    if (leg.advertised != leg.bound.address) record.text("bound", natkit::to_string(leg.bound));
    if (leg.mux) record.flag("mux", true);
    if (leg.connections != 1) record.number("connections", leg.connections);
    if (leg.hold) record.flag("hold", true);
    if (leg.party) record.raw("party", text_of(*leg.party));
    if (!leg.joined.empty()) record.text("joined", leg.joined);
    if (leg.latched[0] || leg.latched[1]) record.raw("latched", text_of(leg.latched));
    if (!leg.owner.empty()) record.text("owner", leg.owner);
    if (!leg.owner_state.empty()) record.raw("owner_state", leg.owner_state);
    record.number("opened_ms", leg.opened.time_since_epoch().count());
    if (!leg.request.empty()) record.text("request", leg.request);
    return record.close();
}

}  // namespace natkit::record
