#pragma once

#include <array>
#include <cassert>
#include <cstddef>

#include "natkit/diagnose/case.hpp"
#include "natkit/diagnose/finding.hpp"

/// The table of causes and the table of rules. A new cause has its line in the enumeration, its row in `causes`, and
/// where its rule is new, a declaration and the place among the rules.
namespace natkit::diagnose {

/// Why a call failed, or why one party does not hear the other.
enum class Cause : std::uint8_t {
    private_address,
    other_source,
    binding_expired,
    alg_damage,
    relay_not_joined,
    on_hold,
    wrong_family,
    ice_around_relay,
    never_arrives,
    media_loop,
    nothing_sent,
    not_answered,
    stale_endpoint,
    wrong_port,
    wrong_interface,
    relay_to_private,
    relay_swallows,
    relay_to_itself,
    echo,
    hairpin,
    receiver_refuses,
    refused_by_firewall,
    stopped,
    not_resumed,
    one_way_agreed,
    silence,
    payload_type_mismatch,
    srtp_mismatch,
    loss,
    refused,
    no_common_codec,
    timed_out,
    cancelled,
    not_registered,
    not_reachable,
    connection_gone,
    fragments_lost,
    rport_missing,
    ack_lost,
    ack_unreachable,
    request_lost,
    session_expired,
    hung_up,
    early_media,
    second_answer,
    ice_pair,
    ice_failed,
    alg_rewrites,
};

enum class Harm : std::uint8_t {
    fault,  ///< somebody hears nothing who should, or the call failed
    none,   ///< odd, but meant, or what people do
};

/// The words of a cause. natclassify(1) has the same in its list of causes.
struct CauseRow {
    Cause cause;
    const char* word;     ///< in records
    const char* meaning;  ///< one sentence, whatever the call
    Harm harm = Harm::fault;
};

inline constexpr auto causes = std::to_array<CauseRow>({
    {Cause::private_address, "private-address-in-sdp",
     "Somebody outside is told to send to a private address. Where the capture has messages alone, and the call lasts "
     "for 40 seconds all the same, it is information."},
    {Cause::other_source, "rtp-from-elsewhere",
     "The session description names one mapping of a NAT, RTP comes from another: what goes to the first is lost."},
    {Cause::binding_expired, "nat-binding-expired",
     "A NAT forgot its mapping: after a silence media comes from another port, or does not get in any more, or "
     "requests "
     "to a client remain unanswered."},
    {Cause::alg_damage, "alg-damage",
     "A gateway on the way changed the messages and left them contradicting each other."},
    {Cause::relay_not_joined, "relay-not-joined", "Media goes to a relay that sends nothing on."},
    {Cause::on_hold, "on-hold", "Silence is meant.", Harm::none},
    {Cause::wrong_family, "wrong-family", "IPv4 is told to send to IPv6, or the other way round."},
    {Cause::ice_around_relay, "ice-around-relay", "ICE candidates were left in, and media goes around the relay."},
    {Cause::never_arrives, "never-arrives", "Sent (RTCP tells, or the capture shows) and lost on the way."},
    {Cause::media_loop, "media-loop", "The same packets pass again and again: five times or more."},
    {Cause::nothing_sent, "nothing-sent", "No packet of one direction is in the capture."},
    {Cause::not_answered, "not-answered", "Nobody answered: the call never came to media.", Harm::none},
    {Cause::stale_endpoint, "stale-endpoint",
     "Media goes to an endpoint that was given up: of an older description, of another branch of a fork, the address "
     "of "
     "o=, or one that nobody named."},
    {Cause::wrong_port, "wrong-port", "RTP goes to the port for RTCP."},
    {Cause::wrong_interface, "wrong-interface",
     "Somebody announces an address that it neither signals nor sends from, and nothing arrives there."},
    {Cause::relay_to_private, "relay-sends-to-private-address", "A relay sends on to a private address."},
    {Cause::relay_swallows, "relay-swallows", "A relay serves one direction and sends nothing on of the other."},
    {Cause::relay_to_itself, "relay-to-itself", "A relay sends to itself."},
    {Cause::echo, "echo", "A relay sends packets back to who they came from."},
    {Cause::hairpin, "hairpin",
     "Two parties behind one NAT send to its outer address, and it does not turn packets round."},
    {Cause::receiver_refuses, "receiver-refuses", "ICMP tells that nobody listens, or that the host is not there."},
    {Cause::refused_by_firewall, "refused-by-firewall", "ICMP tells that a firewall does not let media pass."},
    {Cause::stopped, "stopped", "Media of one direction ends in the middle of the call."},
    {Cause::not_resumed, "not-resumed",
     "A party ends the hold, and the other's answer still keeps media out, or refuses."},
    {Cause::one_way_agreed, "one-way-agreed", "Both descriptions agree that media goes one way only.", Harm::none},
    {Cause::silence, "silence-suppression", "A party sends nothing for a while: muted, or nobody speaks.", Harm::none},
    {Cause::payload_type_mismatch, "payload-type-mismatch",
     "RTP has a payload type that its receiver never listed, or lists no more."},
    {Cause::srtp_mismatch, "srtp-mismatch", "One side encrypts (SRTP), the other does not."},
    {Cause::loss, "loss", "Packets of a stream are missing: it is heard chopped."},
    {Cause::refused, "refused", "The call was refused by a response."},
    {Cause::no_common_codec, "no-common-codec", "The call was refused, as nobody understands what was offered."},
    {Cause::timed_out, "timed-out", "A server gave up waiting for the called party."},
    {Cause::cancelled, "cancelled", "The caller gave up.", Harm::none},
    {Cause::not_registered, "not-registered", "The user was not registered, or not any more."},
    {Cause::not_reachable, "not-reachable", "A message is to go to a private address that its sender cannot reach."},
    {Cause::connection_gone, "connection-gone",
     "A TCP connection that messages need is not there any more: closed, reset, or forgotten on the way."},
    {Cause::fragments_lost, "fragments-lost", "A large message was sent as fragments, and not all of them came."},
    {Cause::rport_missing, "rport-missing",
     "Responses go to a port that nobody listens at: the request came through a NAT and does not ask for rport."},
    {Cause::ack_lost, "ack-lost", "The 2xx of an INVITE is repeated, for its ACK does not come."},
    {Cause::ack_unreachable, "ack-to-unreachable-contact", "The ACK goes to a Contact that it cannot reach."},
    {Cause::request_lost, "in-dialog-request-lost", "A request within the call was never answered."},
    {Cause::session_expired, "session-expired",
     "The session was not refreshed in time (RFC 4028): the refresh was lost, or none was sent."},
    {Cause::hung_up, "hung-up",
     "A party or a server ended the call because of what was wrong with it; where the Reason of its BYE is all that "
     "tells (no media came), this is the cause.",
     Harm::none},
    {Cause::early_media, "early-media", "Media comes before the call is answered.", Harm::none},
    {Cause::second_answer, "second-answer",
     "Two answers of one dialog differ: the first one counts (RFC 3261 section 13.2.1), and phones may follow either.",
     Harm::none},
    {Cause::ice_pair, "ice-pair", "ICE chose this pair of candidates.", Harm::none},
    {Cause::ice_failed, "ice-failed", "No pair of ICE candidates works: their connectivity checks are not answered."},
    {Cause::alg_rewrites, "alg-rewrites", "A gateway on the way changed messages, and they fit together.", Harm::none},
});

[[nodiscard]] constexpr const CauseRow& row(Cause cause) noexcept {
    assert(static_cast<std::size_t>(cause) < causes.size());
    return causes[static_cast<std::size_t>(cause)];
}
[[nodiscard]] constexpr const char* to_string(Cause cause) noexcept {
    return row(cause).word;
}
/// What follows from another finding is no fault of its own.
[[nodiscard]] constexpr bool harmless(const Finding& finding) noexcept {
    return finding.follows_from || finding.harmless.value_or(row(finding.cause).harm == Harm::none);
}

/// A rule adds what it finds, and says whether this explains what it looked at, so that the rules behind it in the
/// table need not look. `opposite`: the other direction of the same stream.
using CallRule = bool (*)(const Case&, Findings&);
using StreamRule = bool (*)(const Case&, const Stream&, Findings&);
using DirectionRule = bool (*)(const Case&, const MediaDirection&, const MediaDirection& opposite, Findings&);

// transport.cpp
bool fragments_missing(const Case& one, Findings& findings);
bool connection_lost(const Case& one, Findings& findings);
bool response_port_closed(const Case& one, Findings& findings);
// binding.cpp
bool client_unreachable(const Case& one, Findings& findings);
bool port_changed_after_silence(const Case& one, const MediaDirection& direction, const MediaDirection& opposite,
                                Findings& findings);
bool deaf_after_own_silence(const Case& one, const MediaDirection& direction, const MediaDirection& opposite,
                            Findings& findings);
bool lost_in_nat(const Case& one, const MediaDirection& direction, const MediaDirection& opposite, Findings& findings);
bool kept_in_nat(const Case& one, const MediaDirection& direction, const MediaDirection& opposite, Findings& findings);
// registration.cpp
bool registration_failed(const Case& one, Findings& findings);
bool callee_not_registered(const Case& one, Findings& findings);
// refusal.cpp
bool call_refused(const Case& one, Findings& findings);
bool no_media_due(const Case& one, Findings& findings);
// in_dialog.cpp
bool ack_missing(const Case& one, Findings& findings);
bool session_not_refreshed(const Case& one, Findings& findings);
bool in_dialog_request_lost(const Case& one, Findings& findings);
// hung_up.cpp
bool ended_for_want_of_media(const Case& one, Findings& findings);
// alg.cpp
bool changed_by_a_gateway(const Case& one, Findings& findings);
// early.cpp
bool media_before_the_answer(const Case& one, Findings& findings);
bool answered_twice(const Case& one, Findings& findings);
// hold.cpp
bool put_on_hold(const Case& one, Findings& findings);
// codec.cpp
bool one_side_encrypts(const Case& one, const Stream& stream, Findings& findings);
bool payload_type_unknown(const Case& one, const MediaDirection& direction, const MediaDirection& opposite,
                          Findings& findings);
// media_loop.cpp
bool packets_in_a_circle(const Case& one, const Stream& stream, Findings& findings);
bool routers_in_a_ring(const Case& one, const MediaDirection& direction, const MediaDirection& opposite,
                       Findings& findings);
// ice.cpp
bool pair_chosen(const Case& one, Findings& findings);
bool no_pair_works(const Case& one, Findings& findings);
bool media_around_the_relay(const Case& one, const Stream& stream, Findings& findings);
// address.cpp
bool told_another_family(const Case& one, const MediaDirection& direction, const MediaDirection& opposite,
                         Findings& findings);
bool private_address_passed_on(const Case& one, Findings& findings);
bool told_a_private_address(const Case& one, const MediaDirection& direction, const MediaDirection& opposite,
                            Findings& findings);
// astray.cpp
bool goes_astray(const Case& one, const MediaDirection& direction, const MediaDirection& opposite, Findings& findings);
bool refused_by_icmp(const Case& one, const MediaDirection& direction, const MediaDirection& opposite,
                     Findings& findings);
// relay.cpp
bool relay_sends_nothing_on(const Case& one, const MediaDirection& direction, const MediaDirection& opposite,
                            Findings& findings);
// loss.cpp
bool lost_by_rtcp(const Case& one, const MediaDirection& direction, const MediaDirection& opposite, Findings& findings);
bool packets_missing(const Case& one, const MediaDirection& direction, const MediaDirection& opposite,
                     Findings& findings);
// silence.cpp
bool no_packet(const Case& one, const MediaDirection& direction, const MediaDirection& opposite, Findings& findings);

/// Asked once a call, first. When one explains it, no media is looked at.
inline constexpr auto call_rules = std::to_array<CallRule>(
    {changed_by_a_gateway, fragments_missing, connection_lost, response_port_closed, client_unreachable, ack_missing,
     session_not_refreshed, in_dialog_request_lost, ended_for_want_of_media, media_before_the_answer, answered_twice,
     pair_chosen, no_pair_works, put_on_hold, registration_failed, callee_not_registered, call_refused,
     private_address_passed_on, no_media_due});
/// Asked for each stream: what explains both of its directions.
inline constexpr auto stream_rules =
    std::to_array<StreamRule>({packets_in_a_circle, media_around_the_relay, one_side_encrypts});
/// Asked for each direction whose receiver has said where it wants its media.
inline constexpr auto direction_rules = std::to_array<DirectionRule>(
    {routers_in_a_ring, told_another_family, told_a_private_address, port_changed_after_silence, kept_in_nat,
     lost_in_nat, refused_by_icmp, goes_astray, relay_sends_nothing_on, lost_by_rtcp, deaf_after_own_silence, no_packet,
     payload_type_unknown, packets_missing});

}  // namespace natkit::diagnose
