#include <algorithm>
#include <utility>

#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// Media that arrives and cannot be understood.
namespace natkit::diagnose {
namespace {

constexpr std::uint8_t comfort_noise = 13;  // RFC 3389: sent by many unasked
constexpr std::uint64_t few_of_type = 5;

const char* to_text(Encryption encryption) {
    switch (encryption) {
        case Encryption::none: return "plain RTP";
        case Encryption::sdes: return "SRTP (RTP/SAVP with a=crypto)";
        case Encryption::dtls: return "SRTP by DTLS (a=fingerprint)";
        case Encryption::either: return "SRTP (a=crypto or a=fingerprint)";
    }
    return "";
}

bool fits(Encryption one, Encryption other) {
    const bool either = one == Encryption::either || other == Encryption::either;
    return one == other || (either && one != Encryption::none && other != Encryption::none);
}

/// Whether what the sender got of the receiver then lists it. Nothing: it lists nothing.
std::optional<bool> listed_in(const Phase& phase, const MediaDirection& direction, std::uint8_t number) {
    const MediaDescription* told = phase.delivered_of(direction.to, direction.line);
    if (told == nullptr || told->formats.empty()) return std::nullopt;
    const auto has = [number](const MediaDescription& media) {
        return std::ranges::find(media.formats, number, &Format::number) != media.formats.end();
    };
    // Streams of a bundle share an endpoint; in an offer they may have port 0 (RFC 9143 section 7.1.3).
    const MediaDescription* own = phase.written_by(direction.from, direction.line);
    const auto lists = [&](const auto* said, const MediaDescription* line) {
        if (said == nullptr || line == nullptr) return false;
        const bool other = said->writer == direction.from;
        return std::ranges::any_of(said->streams, [&](const MediaDescription& media) {
            return media.rtp == line->rtp && !(other && &media == line) && has(media);
        });
    };
    return lists(phase.delivered[static_cast<std::size_t>(direction.to)], told) ||
           lists(phase.written[static_cast<std::size_t>(direction.from)], own);
}

/// Whether any description that the sender got of the receiver lists it. Nothing: none lists anything.
std::optional<bool> listed(const Case& one, const MediaDirection& direction, std::uint8_t number) {
    std::optional<bool> any;
    for (const Phase& phase : one.phases()) {
        const auto here = listed_in(phase, direction, number);
        if (here) any = any.value_or(false) || *here;
    }
    return any;
}

/// Sent before the answer was there to tell the numbers, or to keep a NAT's mapping open.
bool of_no_account(const Case& one, const MediaDirection& direction, const RtpStream::PayloadType& type) {
    constexpr std::int64_t settle = second_ns / 2;
    const Phase& first = one.phases().front();
    const bool too_early =
        first.offerer == direction.from && type.last_ns != 0 && type.last_ns < first.from_ns + settle;
    const bool others_full = std::ranges::any_of(one.facts().rtp, [](const RtpStream& stream) {
        return std::ranges::any_of(stream.payload_types,
                                   [](const RtpStream::PayloadType& other) { return other.empty < other.packets; });
    });  // else the capture has of each packet the beginning alone
    return too_early || (type.empty == type.packets && others_full);
}

/// Who answers has the offer's numbers before it, and takes them for a codec that it answers by another number.
bool known_from_offer(const Phase& phase, const MediaDirection& direction, std::uint8_t number) {
    const MediaDescription* offer = phase.written_by(direction.from, direction.line);
    const MediaDescription* answer = phase.delivered_of(direction.to, direction.line);
    if (phase.offerer != direction.from || offer == nullptr || answer == nullptr) return false;
    const auto own = std::ranges::find(offer->formats, number, &Format::number);
    return own != offer->formats.end() && !own->name.empty() && own->name != "TELEPHONE-EVENT" &&
           std::ranges::find(answer->formats, own->name, &Format::name) != answer->formats.end();
}

bool known_from_any_offer(const Case& one, const MediaDirection& direction, std::uint8_t number) {
    return std::ranges::any_of(one.phases(),
                               [&](const Phase& phase) { return known_from_offer(phase, direction, number); });
}

/// What the sender itself calls it.
std::string own_name(const MediaDirection& direction, std::uint8_t number) {
    if (direction.sender_written == nullptr) return {};
    const auto& formats = direction.sender_written->formats;
    const auto found = std::ranges::find(formats, number, &Format::number);
    return found == formats.end() ? std::string() : found->name;
}

std::string list_of(const MediaDescription* told) {
    std::string all;
    if (told == nullptr) return all;
    for (const Format& format : told->formats)
        all += (all.empty() ? "" : ", ") + std::to_string(format.number) +
               (format.name.empty() ? "" : " (" + format.name + ")");
    return all;
}

bool of_rtcp(std::uint8_t number) {
    return number >= 72 && number <= 76;  // RFC 5761 section 4
}

/// What it still sends in the last phase, and that phase's description does not list.
struct Outdated {
    std::uint8_t number = 0;
    std::uint64_t packets = 0;
};

/// Nothing: it sends others too, which are listed.
std::optional<Outdated> outdated(const Case& one, const MediaDirection& direction) {
    constexpr std::int64_t settle = 3 * second_ns / 2;  // phones change some time after the answer
    const Phase& last = one.phases().back();
    const bool anew = one.phases().size() > 1 && !last.moved && meant(last, direction.line, direction.from);
    if (!anew || last.to_ns - last.from_ns < 2 * settle) return std::nullopt;
    std::optional<Outdated> found;
    for (const RtpStream* stream : direction.sent()) {
        const std::uint64_t packets = stream->packets_in(last.from_ns + settle, last.to_ns);
        if (packets < few_of_type) continue;
        for (const RtpStream::PayloadType& type : stream->payload_types) {
            if (type.last_ns < last.from_ns + settle || type.number == comfort_noise || of_rtcp(type.number)) continue;
            const auto here = listed_in(last, direction, type.number);
            if (!here || *here || known_from_offer(last, direction, type.number)) return std::nullopt;
            found = Outdated{.number = type.number, .packets = std::min(packets, type.packets)};
        }
    }
    return found && found->packets >= few_of_type ? found : std::nullopt;
}

/// After another answer it goes on as before.
bool keeps_its_codec(const Case& one, const MediaDirection& direction, Findings& findings) {
    const auto kept = outdated(one, direction);
    if (!kept) return false;
    const Phase& last = one.phases().back();
    const MediaDescription* told = last.delivered_of(direction.to, direction.line);
    findings.add({.cause = Cause::payload_type_mismatch,
                  .hears_nothing = direction.to,
                  .sentence = name_at_start(direction.to) + " hears nothing from " + tenths(one.at(last.from_ns)) +
                              " on, though packets arrive: " + name(direction.from) + " still sends payload type " +
                              std::to_string(kept->number) + " after the answer in frame " +
                              std::to_string(last.frame) + " (" + packets(kept->packets) + "), and since then " +
                              name(direction.to) + " lists " + list_of(told) + " only.",
                  .change = "The sender must change its codec with the answer (RFC 3264 section 8.3.2): look at its "
                            "firmware. That is signalling, and no matter of NAT.",
                  .confidence = Confidence::inferred,
                  .frames = {last.offer_frame, last.frame},
                  .from_s = one.at(last.from_ns),
                  .to_s = one.at(last.to_ns)});
    return true;
}

}  // namespace

/// What a party wrote against what it got: a relay may translate in between.
bool one_side_encrypts(const Case& one, const Stream& stream, Findings& findings) {
    for (const MediaDirection* direction : {&stream.to_callee, &stream.to_caller}) {
        const MediaDescription* own = direction->sender_written;
        const MediaDescription* told = direction->receiver_delivered;
        const bool flows = direction->traffic.sent + direction->traffic.arrived > 0;
        if (own == nullptr || told == nullptr || fits(own->encryption, told->encryption)) continue;
        if (!flows && one.media_seen()) continue;
        findings.add(
            {.cause = Cause::srtp_mismatch,
             .hears_nothing = Deaf::both(),
             .sentence =
                 "Neither hears the other, or both hear noise: " + name(direction->from) + " speaks " +
                 to_text(own->encryption) + ", and " + name(direction->to) + " " + to_text(told->encryption) +
                 (flows ? "; both go on, and neither can read the other." : "; no media of theirs is in the capture."),
             .change = "Set both sides to the same: SRTP required or off (Asterisk: media_encryption; "
                       "FreeSWITCH: rtp_secure_media), or let an rtpengine translate between them. That is "
                       "signalling, and no matter of NAT.",
             .confidence = flows ? Confidence::seen : Confidence::inferred,
             .frames = {one.phases().back().offer_frame, one.phases().back().frame}});
        return true;
    }
    return false;
}

/// The receiver says what numbers mean in what is sent to it (RFC 3264 section 5.1).
bool payload_type_unknown(const Case& one, const MediaDirection& direction, const MediaDirection&, Findings& findings) {
    if (direction.dead) return false;
    std::uint64_t all = 0, wrong = 0, frame = 0;
    std::uint8_t number = 0;
    for (const RtpStream* stream : direction.sent()) {
        for (const RtpStream::PayloadType& type : stream->payload_types) {
            all += type.packets;
            const auto known = listed(one, direction, type.number);
            if (!known || *known || type.packets < few_of_type || type.number == comfort_noise) continue;
            if (known_from_any_offer(one, direction, type.number) || of_no_account(one, direction, type)) continue;
            if (of_rtcp(type.number)) continue;
            wrong += type.packets;
            number = type.number;
            frame = type.first_frame;
        }
    }
    if (wrong == 0) return keeps_its_codec(one, direction, findings);
    const bool deaf = wrong * 2 > all;
    const std::string known_as = own_name(direction, number);
    const bool events = known_as == "TELEPHONE-EVENT";
    findings.add(
        {.cause = Cause::payload_type_mismatch,
         .hears_nothing = deaf ? std::optional(direction.to) : std::nullopt,
         .sentence = (deaf ? name_at_start(direction.to) + " hears nothing, though packets arrive: "
                           : std::string(events ? "Key presses (DTMF) are lost: " : "Some media is lost: ")) +
                     name(direction.from) + " sends payload type " + std::to_string(number) +
                     (known_as.empty() ? "" : " (" + known_as + ")") + ", " + packets(wrong) + " from frame " +
                     std::to_string(frame) + " on, and " + name(direction.to) + " listed " +
                     list_of(direction.receiver_delivered) + " only.",
         .change = std::string(events ? "Let it send DTMF in the audio or by INFO where the answer has no "
                                        "telephone-event."
                                      : "The sender must use a number that the other side listed, with the meaning "
                                        "that it gave it: look at its codec settings.") +
                   " That is signalling, and no matter of NAT.",
         .frames = {frame}});
    return true;
}

}  // namespace natkit::diagnose
