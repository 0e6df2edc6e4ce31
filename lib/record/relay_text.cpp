// The text of a leg's record, written without a tree of JSON values between.
#include "natkit/record/party_text.hpp"
#include "natkit/record/relay.hpp"

namespace natkit::record {
namespace {

using relay::Component;

void add_latched(ObjectText& record, const std::array<std::optional<LegRecord::Latched>, 2>& latched) {
    record.enter("latched");
    for (const Component component : {Component::rtp, Component::rtcp}) {
        const auto& each = latched[static_cast<std::size_t>(component)];
        if (!each) continue;
        record.enter(relay::to_string(component));
        record.text("endpoint", each->endpoint);
        record.text("rule", relay::to_string(each->rule));
        if (each->provisional) record.flag("provisional", true);
        if (each->ssrc) record.number("ssrc", *each->ssrc);
        record.leave();
    }
    record.leave();
}

}  // namespace

std::string journal_text(const LegRecord& leg) {
    ObjectText record;
    record.reserve(512 + leg.call_id.size() + leg.owner.size() + leg.owner_state.size() + leg.request.size());
    record.text("type", "leg");
    record.text("leg", leg.id);
    if (!leg.call_id.empty()) record.text("call_id", leg.call_id);
    record.text("state", to_string(leg.state));
    record.text("stream", relay::to_string(leg.stream));
    record.text("side", to_string(leg.side));
    record.text("family", natkit::to_string(leg.bound.address.family()));
    record.text("local", leg.local(Component::rtp));
    if (leg.has_rtcp()) record.text("rtcp", leg.local(Component::rtcp));
    if (leg.advertised != leg.bound.address) record.text("bound", leg.bound);
    if (leg.mux) record.flag("mux", true);
    if (leg.connections != 1) record.number("connections", leg.connections);
    if (leg.tos) record.number("tos", *leg.tos);
    if (leg.hold) record.flag("hold", true);
    if (leg.party) add_party(record, *leg.party);
    if (!leg.joined.empty()) record.text("joined", leg.joined);
    if (leg.latched[0] || leg.latched[1]) add_latched(record, leg.latched);
    if (!leg.owner.empty()) record.text("owner", leg.owner);
    if (!leg.owner_state.empty()) record.raw("owner_state", leg.owner_state);
    record.number("opened_ms", leg.opened.time_since_epoch().count());
    if (!leg.request.empty()) record.text("request", leg.request);
    return record.close();
}

}  // namespace natkit::record
