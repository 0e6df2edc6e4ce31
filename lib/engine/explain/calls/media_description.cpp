#include <algorithm>
#include <array>

#include "natkit/base/text.hpp"
#include "natkit/engine/explain/calls.hpp"
#include "natkit/sdp/payload_types.hpp"

namespace natkit::explain {
namespace {

constexpr std::size_t most_formats = 24;
constexpr std::size_t most_candidates = 16;
constexpr std::size_t longest_kind = 40;

std::string capitals(std::string_view text) {
    std::string all = text::printable(text, longest_kind);
    for (char& c : all) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    return all;
}

/// "101 telephone-event/8000"
void read_rtpmap(std::string_view value, MediaDescription& stream) {
    const std::size_t blank = value.find(' ');
    const auto number = text::parse_number(value.substr(0, blank), 127);
    if (!number || blank == std::string_view::npos) return;
    const std::string_view mapping = text::trim(value.substr(blank));
    const std::size_t slash = mapping.find('/');
    const auto found = std::ranges::find(stream.formats, static_cast<std::uint8_t>(*number), &diagnose::Format::number);
    if (found == stream.formats.end()) return;
    found->name = capitals(mapping.substr(0, slash));
    if (slash == std::string_view::npos) return;
    const std::string_view clock = mapping.substr(slash + 1);
    if (const auto rate = text::parse_number(clock.substr(0, clock.find('/')), 1'000'000); rate && *rate > 0)
        found->clock = static_cast<std::uint32_t>(*rate);
}

void read_formats(const sdp::Document& document, const sdp::Media& media, MediaDescription& stream) {
    for (const std::string_view text : text::split(media.formats, ' ')) {
        const auto number = text::parse_number(text, 127);
        if (!number || stream.formats.size() >= most_formats) continue;
        diagnose::Format format{.number = static_cast<std::uint8_t>(*number), .name = {}};
        if (const sdp::PayloadType* known = sdp::static_payload_type(format.number)) {
            format.name = known->name;
            format.clock = known->clock;
        }
        stream.formats.push_back(std::move(format));
    }
    for (std::size_t i = media.line; i < media.end; ++i) {
        const sdp::Line& line = document.lines()[i];
        const std::string_view value = document.text(line.value);
        if (line.type == 'a' && value.starts_with("rtpmap:")) read_rtpmap(value.substr(7), stream);
    }
}

diagnose::Encryption encryption_of(const sdp::Document& document, const sdp::Media& media) {
    const auto has = [&](const char* name) {
        return document.attribute(media.line, media.end, name) || document.attribute(0, document.session_end(), name);
    };
    if (media.protocol.find("SAVP") == std::string_view::npos) return diagnose::Encryption::none;
    if (!has("fingerprint")) return diagnose::Encryption::sdes;
    return has("crypto") ? diagnose::Encryption::either : diagnose::Encryption::dtls;
}

void read_candidates(const sdp::Document& document, const sdp::Media& media, MediaDescription& stream) {
    for (const sdp::Field& field : document.fields()) {
        if (field.kind != sdp::FieldKind::candidate || field.line < media.line || field.line >= media.end) continue;
        const auto address = document.address(field);
        const auto port = text::parse_number(document.text(field.port), 65535);
        if (!address || !port || stream.candidates.size() >= most_candidates) continue;
        const Endpoint candidate{.address = *address, .port = static_cast<std::uint16_t>(*port)};
        if (std::ranges::find(stream.candidates, candidate) == stream.candidates.end())
            stream.candidates.push_back(candidate);
    }
}

}  // namespace

MediaDescription media_description(const sdp::Document& document, const sdp::Media& media) {
    MediaDescription stream{.kind = text::printable(media.kind, longest_kind),
                            .rtp = document.rtp_endpoint(media),
                            .rtcp = document.rtcp_endpoint(media)};
    stream.direction = media.direction;
    stream.rejected = media.rejected();
    stream.hold = !media.rejected() && document.on_hold(media);
    if (media.connection && document.text(media.connection->family) == "IP6") stream.family = Family::ipv6;
    if (stream.rtp) stream.family = stream.rtp->address.family();
    if (document.origin()) stream.origin = document.address(*document.origin());
    read_candidates(document, media, stream);
    if (media.rtp()) read_formats(document, media, stream);
    if (media.rtp()) stream.encryption = encryption_of(document, media);
    return stream;
}

}  // namespace natkit::explain
