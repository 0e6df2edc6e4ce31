#include "natkit/dialog/stream.hpp"

#include "natkit/base/text.hpp"
#include "natkit/dialog/stream_kind.hpp"

namespace natkit::dialog {
namespace {

/// RFC 4145 section 5: `new` is what silence means too; but a T.120 phone that knows no a=setup means nothing by it.
bool asks_for_new(const sdp::Document& document, const sdp::Media& media) {
    if (media.connection_existing) return false;
    return media.setup.has_value() || document.attribute(media.line, media.end, "connection") == "new";
}

sdp::Direction direction_of(bool sends, bool receives) noexcept {
    if (sends) return receives ? sdp::Direction::sendrecv : sdp::Direction::sendonly;
    return receives ? sdp::Direction::recvonly : sdp::Direction::inactive;
}

/// RFC 3264 section 6.1: an end sends where its description says so and the other's says that it receives.
std::array<Sending, 2> agreed(End answerer, const Sending& offered, const Sending& answered) {
    const bool to_answerer = sdp::sends(offered.direction) && sdp::receives(answered.direction);
    const bool to_offerer = sdp::sends(answered.direction) && sdp::receives(offered.direction);
    std::array<Sending, 2> both;
    both[index(other(answerer))] = {.direction = direction_of(to_answerer, to_offerer), .ssrcs = offered.ssrcs};
    both[index(answerer)] = {.direction = direction_of(to_offerer, to_answerer), .ssrcs = answered.ssrcs};
    return both;
}

}  // namespace

/// RFC 5576 section 4.1: "a=ssrc:<ssrc-id> <attribute>", a line for each attribute.
Sending sending_of(const sdp::Document& document, const sdp::Media& media) {
    constexpr std::string_view attribute = "ssrc:";
    Sending sending{.direction = media.direction};
    for (std::size_t i = media.line; i < media.end; ++i) {
        const sdp::Line& line = document.lines()[i];
        const std::string_view value = document.text(line.value);
        if (line.type != 'a' || !value.starts_with(attribute)) continue;
        const std::string_view rest = value.substr(attribute.size());
        const auto ssrc = text::parse_number(rest.substr(0, rest.find(' ')), 0xffffffffU);
        if (ssrc) sending.ssrcs.add(static_cast<std::uint32_t>(*ssrc));
    }
    return sending;
}

Described describe(const sdp::Document& document, const sdp::Media& media, bool offers) {
    return describe(document, media, offers, document.rtp_endpoint(media));
}

Described describe(const sdp::Document& document, const sdp::Media& media, bool offers, std::optional<Endpoint> rtp) {
    const relay::Stream kind = kind_of(media);
    Described said{.kind = kind,
                   .setup = role_in(media, offers),
                   .renew = relay::is_tcp(kind) && asks_for_new(document, media),
                   .hold = document.on_hold(media),
                   .mux = media.rtcp_mux,
                   .sending = sending_of(document, media)};
    if (!rtp || rtp->address.is_unspecified()) return said;
    said.rtp = rtp;
    if (!said.setup) said.rtcp = document.unmuxed_rtcp_endpoint(media, *rtp);  // the other end may not mux
    return said;
}

void Stream::answer(End from, const Described& answered) {
    hold = offered.hold || answered.hold;
    mux = offered.mux && answered.mux;
    sending = agreed(from, offered.sending, answered.sending);
    if (answered.rtp) said[index(from)] = said_in(answered);
    if (offered.rtp) said[index(other(from))] = said_in(offered);
}

void Stream::carry(End answerer, const Sending& offered_too, const Sending& answered_too) {
    const std::array<Sending, 2> more = agreed(answerer, offered_too, answered_too);
    for (std::size_t i = 0; i < more.size(); ++i) {
        Sending& all = sending[i];
        const Sending& one = more[i];
        all.direction = direction_of(sdp::sends(all.direction) || sdp::sends(one.direction),
                                     sdp::receives(all.direction) || sdp::receives(one.direction));
        for (std::size_t k = 0; k < one.ssrcs.count; ++k) all.ssrcs.add(one.ssrcs.values[k]);
    }
}

}  // namespace natkit::dialog
