#include "natkit/ng/flags.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "natkit/base/text.hpp"

namespace natkit::ng {
namespace {

using enum Support;

constexpr std::string_view no_codecs = "codecs pass unchanged, nothing is transcoded; leave it out";
constexpr std::string_view no_recording = "nothing is recorded; leave it out, or record elsewhere";
constexpr std::string_view not_recorded = "nothing is recorded";
constexpr std::string_view no_ice = "natkit is no ICE agent, candidates are removed where it relays; write ICE=remove";
constexpr std::string_view no_gateway = "T.38 passes unchanged, there is no fax gateway; leave it out";
constexpr std::string_view fax_passes = "T.38 passes unchanged";
constexpr std::string_view no_dtmf = "DTMF passes unchanged; leave it out";
constexpr std::string_view crypto_passes = "a=crypto lines pass unchanged, SRTP is end to end";
constexpr std::string_view dtls_passes = "fingerprints and DTLS pass unchanged, SRTP is end to end";
constexpr std::string_view no_attributes = "other lines of the description stay as they are; change them in the proxy";
constexpr std::string_view no_rtcp = "RTCP passes between the parties, none is made; leave it out";
constexpr std::string_view no_media = "media pass between the parties and nowhere else; leave it out";
constexpr std::string_view no_bundle = "a bundle passes as it is, and none is made; leave it out";
constexpr std::string_view own_learning = "natkit learns by its own rules (natkit-security)";
constexpr std::string_view other_command = "means something only in commands that natkit does not have";
constexpr std::string_view obsolete = "obsolete in rtpengine too";
constexpr std::string_view by_the_proxy = "done by the proxy's own module";
constexpr std::string_view no_playing = "nothing is played; leave it out";
constexpr std::string_view same_protocol = "where the description has it already; SRTP is not converted";

// clang-format off
constexpr std::array table{
    // Where media go
    Flag{"trust-address", supported, "media go to the address in the description: the default", false,
         [](Wishes& w) { w.trust = Trust::description; }},
    Flag{"SIP-source-address", supported, "media go to where the message came from, until theirs are seen", false,
         [](Wishes& w) { w.trust = Trust::source; }},
    Flag{"symmetric", supported, "the default"},
    Flag{"asymmetric", supported, "media go to the port in the description, from whatever port they come", false,
         [](Wishes& w) { w.asymmetric = true; }},
    Flag{"strict-source", supported, "one source alone, once it is learned", false,
         [](Wishes& w) { w.strict_source = true; }},
    Flag{"port-latching", supported, "ports stay through a call in any case"},
    Flag{"no-port-latching", ignored, "ports stay through a call"},
    Flag{"reset", supported, "what was learned is forgotten", false, [](Wishes& w) { w.reset = true; }},
    Flag{"endpoint-learning-off", supported, "the same as asymmetric", false,
         [](Wishes& w) { w.asymmetric = true; }},
    Flag{"endpoint-learning-*", ignored, own_learning},
    Flag{"media-handover", warned, "another source takes over by natkit's own rules only (natkit-security)"},
    Flag{"NAT-wait", ignored, own_learning},
    Flag{"pierce-NAT", warned, "no packets are made to open a NAT; it opens with the first of the party's own"},
    Flag{"loop-protect", supported, "a description that was here before returns unchanged", false,
         [](Wishes& w) { w.loop_protect = true; }},
    Flag{"direction=*", supported, "names in [ng] interfaces: of the offerer's side, then the answerer's"},
    Flag{"internal", supported, "the same as direction=internal"},
    Flag{"external", supported, "the same as direction=external"},
    Flag{"from-interface=*", supported, "the same as the first direction"},
    Flag{"to-interface=*", supported, "the same as the second direction"},
    Flag{"in-iface=*", supported, "the same as the first direction"},
    Flag{"out-iface=*", supported, "the same as the second direction"},
    Flag{"inbound-peer=*", warned, "write direction="},
    Flag{"outbound-peer=*", warned, "write direction="},
    Flag{"interface=*", ignored, other_command},
    Flag{"media-address=*", supported, "the address written to the description"},
    Flag{"address-family=*", supported, "IP4 or IP6: what the other end is shown"},
    Flag{"received-from=*", supported, "where the message came from"},
    Flag{"TOS=*", supported, "0 to 255: of the packets of the call"},
    // The description
    Flag{"replace-origin", supported, "the address in o=", false, [](Wishes& w) { w.replace_origin = true; }},
    Flag{"replace-origin-full", supported, "all of o=: the address, and the rest as by the flags below", false,
         [](Wishes& w) {
             w.replace_origin = true;
             w.keeps.user_name = w.keeps.session_id = w.keeps.version = true;
         }},
    Flag{"replace-session-connection", supported, "the address in c= of the session: always"},
    Flag{"replace-SDP-version", supported, "the version in o= goes up by one where anything else has changed", false,
         [](Wishes& w) { w.keeps.version = true; }},
    Flag{"replace-sess-version", supported, "the same as replace-SDP-version", false,
         [](Wishes& w) { w.keeps.version = true; }},
    Flag{"replace-version", supported, "the same as replace-SDP-version", false,
         [](Wishes& w) { w.keeps.version = true; }},
    Flag{"replace-force-increment-sdp-ver", supported, "the version in o= goes up by one in any case", false,
         [](Wishes& w) { w.keeps.increment = true; }},
    Flag{"replace-username", supported, "the user name in o= is the one that was shown first", false,
         [](Wishes& w) { w.keeps.user_name = true; }},
    Flag{"replace-session-name", supported, "s= is the one that was shown first", false,
         [](Wishes& w) { w.keeps.session_name = true; }},
    Flag{"replace-zero-address", supported, "a hold by the address 0.0.0.0 is said by a=sendonly or inactive", false,
         [](Wishes& w) { w.replace_zero_address = true; }},
    Flag{"original-sendrecv", supported, "the direction of media stays as it is in any case"},
    Flag{"no-rtcp-attribute", ignored, "a=rtcp is written where it is needed"},
    Flag{"full-rtcp-attribute", ignored, "a=rtcp is written where it is needed"},
    Flag{"generate-mid", warned, no_attributes},
    Flag{"strip-extmap", warned, no_attributes},
    Flag{"extmap-*", warned, no_attributes},
    Flag{"extmap=*", warned, no_attributes},
    Flag{"sdp-attr=*", refused, no_attributes},
    Flag{"sdp-attr-*", refused, no_attributes},
    Flag{"sdp-media-remove=*", refused, no_attributes},
    Flag{"sdp-media-remove-*", refused, no_attributes},
    // RTCP on the port of RTP
    Flag{"rtcp-mux-offer", supported, "the answerer is offered it", false, [](Wishes& w) { w.mux.offer = true; }},
    Flag{"rtcp-mux-require", supported, "the same, without another port to fall back to", false,
         [](Wishes& w) { w.mux.offer = w.mux.require = true; }},
    Flag{"rtcp-mux-demux", supported, "the answerer is not offered it", false,
         [](Wishes& w) { w.mux.demux = true; }},
    Flag{"rtcp-mux-accept", supported, "the offerer is answered with it", false,
         [](Wishes& w) { w.mux.accept = true; }},
    Flag{"rtcp-mux-reject", supported, "the offerer is answered without it", false,
         [](Wishes& w) { w.mux.reject = true; }},
    Flag{"BUNDLE-accept", ignored, "a bundle passes as it is"},
    Flag{"BUNDLE-reject", warned, "a bundle passes as it is"},
    Flag{"BUNDLE-*", refused, no_bundle},
    Flag{"generate-RTCP=off", ignored, "none is made"},
    Flag{"generate-RTCP=*", refused, no_rtcp},
    Flag{"generate-RTCP", refused, no_rtcp},
    Flag{"mirror-RTCP", refused, no_rtcp},
    Flag{"RTCP-mirror", refused, no_rtcp},
    // ICE
    Flag{"ICE=remove", supported, "the default where a relay goes in"},
    Flag{"ICE=default", supported, "the same as ICE=remove"},
    Flag{"ICE=optional", ignored, "candidates are removed where a relay goes in"},
    Flag{"ICE=force", refused, no_ice},
    Flag{"ICE=force-relay", refused, no_ice},
    Flag{"ICE=*", ignored, "candidates are removed where a relay goes in"},
    Flag{"ICE-lite=*", ignored, "candidates are removed where a relay goes in"},
    Flag{"ICE-reject", ignored, "candidates are removed where a relay goes in"},
    Flag{"reject-ICE", ignored, "candidates are removed where a relay goes in"},
    Flag{"trickle-ICE", ignored, "candidates are removed where a relay goes in"},
    Flag{"fragment", refused, "candidates that come later are of no use where natkit relays; send no ICE fragments here"},
    Flag{"webrtc", refused, "it asks for ICE and DTLS, which natkit does not end; leave it out"},
    // SRTP
    Flag{"RTP", unchanged, same_protocol},
    Flag{"SRTP", unchanged, same_protocol},
    Flag{"AVP", unchanged, same_protocol},
    Flag{"AVPF", unchanged, same_protocol},
    Flag{"DTLS", unchanged, same_protocol},
    Flag{"RTP/AVP", unchanged, same_protocol},
    Flag{"RTP/AVPF", unchanged, same_protocol},
    Flag{"RTP/SAVP", unchanged, same_protocol},
    Flag{"RTP/SAVPF", unchanged, same_protocol},
    Flag{"UDP/TLS/RTP/SAVP", unchanged, same_protocol},
    Flag{"UDP/TLS/RTP/SAVPF", unchanged, same_protocol},
    Flag{"transport-protocol=accept", supported, "the protocol stays as it is"},
    Flag{"transport-protocol=*", unchanged, same_protocol},
    Flag{"SDES-*", warned, crypto_passes},
    Flag{"pad-crypto", warned, crypto_passes},
    Flag{"DTLS=*", warned, dtls_passes},
    Flag{"DTLS-reverse=*", warned, dtls_passes},
    Flag{"DTLS-fingerprint=*", warned, dtls_passes},
    Flag{"no-tls-id", warned, dtls_passes},
    Flag{"OSRTP-offer", refused, "SRTP is not made of RTP; leave it out"},
    Flag{"OSRTP-offer-*", refused, "SRTP is not made of RTP; leave it out"},
    Flag{"OSRTP-*", warned, crypto_passes},
    Flag{"recrypt", refused, "SRTP is end to end; leave it out"},
    // Codecs
    Flag{"codec-transcode-*", refused, no_codecs, true},
    Flag{"transcode-*", refused, no_codecs, true},
    Flag{"codec-mask-*", refused, no_codecs, true},
    Flag{"codec-set-*", refused, no_codecs, true},
    Flag{"codec-accept-*", refused, no_codecs, true},
    Flag{"codec-consume-*", refused, no_codecs, true},
    Flag{"codec-strip-*", refused, no_codecs},
    Flag{"codec-offer-*", refused, no_codecs},
    Flag{"codec-except-*", refused, no_codecs},
    Flag{"codec-ignore-*", refused, no_codecs},
    Flag{"always-transcode", refused, no_codecs, true},
    Flag{"force-transcoding", refused, no_codecs, true},
    Flag{"allow-transcoding", ignored, "nothing is transcoded"},
    Flag{"ptime=*", refused, "packets pass as they are; leave it out", true},
    Flag{"ptime-reverse=*", refused, "packets pass as they are; leave it out", true},
    Flag{"reverse-ptime=*", refused, "packets pass as they are; leave it out", true},
    Flag{"repacketize=*", refused, "packets pass as they are; leave it out"},
    Flag{"single-codec", warned, "the answer's codecs pass unchanged"},
    Flag{"no-codec-renegotiation", ignored, "nothing is transcoded"},
    Flag{"reuse-codecs", ignored, "nothing is transcoded"},
    Flag{"static-codec", ignored, "nothing is transcoded"},
    Flag{"static-codecs", ignored, "nothing is transcoded"},
    Flag{"allow-asymmetric-codec", ignored, "nothing is transcoded"},
    Flag{"allow-asymmetric-codecs", ignored, "nothing is transcoded"},
    Flag{"allow-no-codec-media", ignored, "nothing is transcoded"},
    Flag{"allow-empty-codec-media", ignored, "nothing is transcoded"},
    Flag{"asymmetric-codecs", ignored, obsolete},
    Flag{"symmetric-codecs", ignored, obsolete},
    Flag{"reorder-codecs", ignored, obsolete},
    Flag{"delay-buffer=*", warned, "packets are passed on as they come"},
    Flag{"no-jitter-buffer", ignored, "there is none"},
    Flag{"passthrough", ignored, "nothing is transcoded"},
    Flag{"passthrough=*", ignored, "nothing is transcoded"},
    Flag{"no-passthrough", ignored, other_command},
    Flag{"T.38-decode", refused, no_gateway, true},
    Flag{"T.38-force", refused, no_gateway, true},
    Flag{"T.38-*", ignored, fax_passes},
    Flag{"T.38-version=*", ignored, fax_passes},
    // DTMF, playing, blocking
    Flag{"block-DTMF", refused, no_dtmf},
    Flag{"detect-DTMF", refused, no_dtmf},
    Flag{"inject-DTMF", refused, no_dtmf},
    Flag{"DTMF-security=off", ignored, "DTMF passes unchanged"},
    Flag{"DTMF-security=*", refused, no_dtmf},
    Flag{"DTMF-security-trigger=*", refused, no_dtmf},
    Flag{"DTMF-security-trigger-end=*", ignored, "DTMF passes unchanged"},
    Flag{"DTMF-delay=*", ignored, "DTMF passes unchanged"},
    Flag{"DTMF-log-dest=*", refused, no_dtmf},
    Flag{"DTMF-log-destination=*", refused, no_dtmf},
    Flag{"trigger=*", ignored, "DTMF passes unchanged"},
    Flag{"trigger-end=*", ignored, "DTMF passes unchanged"},
    Flag{"trigger-end-time=*", ignored, "DTMF passes unchanged"},
    Flag{"trigger-end-digits=*", ignored, "DTMF passes unchanged"},
    Flag{"audio-player=default", ignored, "nothing is played"},
    Flag{"audio-player=off", ignored, "nothing is played"},
    Flag{"audio-player=*", refused, no_playing},
    Flag{"audio-player", refused, no_playing},
    Flag{"player", refused, no_playing},
    Flag{"no-player", ignored, "nothing is played"},
    Flag{"no-audio-player", ignored, "nothing is played"},
    Flag{"moh=*", refused, no_playing},
    Flag{"media-echo=*", refused, no_media},
    Flag{"drop-traffic=stop", ignored, "none is dropped"},
    Flag{"drop-traffic=*", refused, no_media},
    Flag{"block-egress", refused, no_media},
    Flag{"block-short", warned, "short packets pass too"},
    // Recording
    Flag{"record-call", refused, no_recording},
    Flag{"record-call=off", ignored, not_recorded},
    Flag{"record-call=no", ignored, not_recorded},
    Flag{"record-call=*", refused, no_recording},
    Flag{"recording-vsc", refused, no_recording},
    Flag{"recording-announcement", refused, no_recording},
    Flag{"SIPREC", refused, no_recording},
    Flag{"discard-recording", ignored, not_recorded},
    Flag{"exclude-recording", ignored, not_recorded},
    Flag{"skip-recording-db", ignored, not_recorded},
    Flag{"skip-recording-database", ignored, not_recorded},
    Flag{"recording-file=*", ignored, not_recorded},
    Flag{"recording-path=*", ignored, not_recorded},
    Flag{"recording-pattern=*", ignored, not_recorded},
    Flag{"output-destination=*", ignored, not_recorded},
    Flag{"metadata=*", ignored, not_recorded},
    // Who and what
    Flag{"call-id=*", supported, "of the call"},
    Flag{"from-tag=*", supported, "of the party"},
    Flag{"to-tag=*", supported, "of the other party"},
    Flag{"to-tag", supported, "the tag of the other party counts in a delete"},
    Flag{"via-branch=*", supported, "tells the branches of a fork apart"},
    Flag{"via-branch-param=*", supported, by_the_proxy},
    Flag{"label=*", supported, "a name for the party"},
    Flag{"from-label=*", supported, "the same as label"},
    Flag{"set-label=*", supported, "the same as label"},
    Flag{"to-label=*", ignored, other_command},
    Flag{"delete-delay=*", supported, "in seconds; by itself [ng] delete_delay"},
    Flag{"force-answer", supported, by_the_proxy},
    Flag{"force", ignored, obsolete},
    Flag{"supports-load-limit", supported, "a node that is full says so"},
    Flag{"supports-*", ignored, "not known here"},
    Flag{"from-tags-*", ignored, other_command},
    Flag{"limit=*", supported, "of the command list"},
    Flag{"all=*", ignored, other_command},
    Flag{"all", ignored, other_command},
    Flag{"address=*", ignored, other_command},
    Flag{"directional", ignored, other_command},
    Flag{"bidirectional", ignored, other_command},
    Flag{"unidirectional", ignored, other_command},
    Flag{"egress", ignored, other_command},
    Flag{"inactive", ignored, other_command},
    Flag{"mix", ignored, other_command},
    Flag{"unsubscribe", ignored, other_command},
    Flag{"fast", ignored, other_command},
    Flag{"fatal", ignored, "a delete of an unknown call is answered ok, with a warning"},
    Flag{"early-media", ignored, "media pass as soon as they come"},
    Flag{"provisional", ignored, "media pass as soon as they come"},
    Flag{"new-branch", ignored, "branches are told apart by via-branch"},
    Flag{"alias-key=*", ignored, "other names of a party are not kept"},
    Flag{"sip-message-type=*", ignored, "told by the proxy"},
    Flag{"sip-code=*", ignored, "told by the proxy"},
    Flag{"sip-response-code=*", ignored, "told by the proxy"},
    Flag{"instance=*", ignored, "told by the proxy"},
    Flag{"template=*", warned, "templates are rtpengine's configuration; write the flags out"},
    Flag{"xmlrpc-callback=*", warned, "no proxy is called when a call times out"},
    Flag{"no-redis-update", ignored, "there is none to leave out"},
    Flag{"debug", ignored, "see [log] and `mediarelay watch`"},
    Flag{"debugging", ignored, "see [log] and `mediarelay watch`"},
};
// clang-format on

struct Index {
    std::unordered_map<std::string, const Flag*> exact;
    std::vector<std::pair<std::string, const Flag*>> prefixes;
    std::vector<std::string_view> names;  ///< to suggest
    std::vector<std::string> keys;        ///< with '='
};

Index make_index() {
    Index index;
    for (const Flag& flag : table) {
        std::string name = fold(flag.name);
        if (const auto equals = name.find('='); equals != std::string::npos) {
            index.keys.push_back(name.substr(0, equals + 1));
        }
        if (name.ends_with('*')) {
            name.pop_back();
            index.prefixes.emplace_back(name, &flag);
            if (name.ends_with('=')) index.names.push_back(flag.name.substr(0, flag.name.size() - 2));
        } else {
            index.exact.emplace(name, &flag);
            index.names.push_back(flag.name);
        }
    }
    // The longest first: "OSRTP-offer-" before "OSRTP-".
    std::ranges::stable_sort(index.prefixes, std::ranges::greater{}, [](const auto& p) { return p.first.size(); });
    return index;
}

const Index& the_index() {
    static const Index index = make_index();
    return index;
}

}  // namespace

const char* to_string(Support support) noexcept {
    switch (support) {
        case supported: return "supported";
        case unchanged: return "unchanged";
        case ignored: return "ignored";
        case warned: return "warned";
        case refused: break;
    }
    return "refused";
}

std::span<const Flag> flags() noexcept {
    return table;
}

std::string fold(std::string_view word) {
    std::string folded = text::lower(word);
    std::ranges::replace_if(folded, [](char c) { return c == ' ' || c == '_'; }, '-');
    if (folded.starts_with("t38")) folded.insert(1, ".");
    return folded;
}

const Flag* find_flag(std::string_view word) {
    const Index& index = the_index();
    const std::string folded = fold(word);
    if (const auto found = index.exact.find(folded); found != index.exact.end()) return found->second;
    for (const auto& [prefix, flag] : index.prefixes) {
        if (folded.size() > prefix.size() && folded.starts_with(prefix)) return flag;
    }
    return nullptr;
}

bool is_known_key(std::string_view key) {
    return std::ranges::find(the_index().keys, fold(key) + "=") != the_index().keys.end();
}

std::string suggestion(std::string_view word) {
    const auto near = text::suggest(word, the_index().names);
    return near ? "did you mean '" + std::string(*near) + "'?" : std::string();
}

std::string refusal_of(const Flag& flag, std::string_view word) {
    return "'" + text::printable(word, 80) + "' is not supported: " + std::string(flag.remark);
}

}  // namespace natkit::ng
