#include "natkit/record/party_text.hpp"

namespace natkit::record {

void add_description(ObjectText& object, sdp::Direction direction, const relay::Ssrcs& ssrcs) {
    if (direction != sdp::Direction::sendrecv) object.text("direction", sdp::to_string(direction));
    if (ssrcs.count == 0) return;
    std::string list;
    for (std::size_t i = 0; i < ssrcs.count; ++i) (list += list.empty() ? "[" : ",") += std::to_string(ssrcs.values[i]);
    object.raw("ssrc", list + "]");
}

void add_party(ObjectText& object, const relay::Party& party) {
    object.enter("party");
    object.text("place", nat::to_string(party.place));
    if (party.endpoint) object.text("endpoint", *party.endpoint);
    if (party.rtcp) object.text("rtcp", *party.rtcp);
    if (party.visible) object.text("visible", *party.visible);
    if (party.site) object.text("site", natkit::to_string(*party.site));
    if (party.setup) object.text("setup", sdp::to_string(*party.setup));
    add_description(object, party.direction, party.ssrcs);
    if (party.sources) object.text("sources", relay::to_string(*party.sources));
    if (party.unproven) object.flag("unproven", true);
    object.leave();
}

}  // namespace natkit::record
