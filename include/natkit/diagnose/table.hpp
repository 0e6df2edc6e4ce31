#pragma once

#include <array>
#include <cassert>
#include <cstddef>

#include "natkit/diagnose/case.hpp"
#include "natkit/diagnose/finding.hpp"

/// The table of causes and the table of rules. A new cause has its line in the enumeration, its row in `causes`, and
/// where its rule is new, a declaration and the place among the rules.
namespace natkit::diagnose {

/// Why one party does not hear the other.
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
};

enum class Harm : std::uint8_t {
    fault,  ///< somebody hears nothing who should
    none,   ///< odd, but meant
};

/// The words of a cause. natclassify(1) has the same in its list of causes.
struct CauseRow {
    Cause cause;
    const char* word;     ///< in records
    const char* meaning;  ///< one sentence, whatever the call
    Harm harm = Harm::fault;
};

inline constexpr auto causes = std::to_array<CauseRow>({
    {Cause::private_address, "private-address-in-sdp", "Somebody outside is told to send to a private address."},
    {Cause::other_source, "rtp-from-elsewhere", "The session description names one endpoint, RTP comes from another."},
    {Cause::binding_expired, "nat-binding-expired",
     "A NAT forgot its mapping: after a silence media comes from another port, or requests to a client remain "
     "unanswered."},
    {Cause::alg_damage, "alg-damage",
     "A gateway on the way changed the messages and left them contradicting each other."},
    {Cause::relay_not_joined, "relay-not-joined", "Media goes to a relay that sends nothing on."},
    {Cause::on_hold, "on-hold", "Silence is meant.", Harm::none},
    {Cause::wrong_family, "wrong-family", "IPv4 is told to send to IPv6, or the other way round."},
    {Cause::ice_around_relay, "ice-around-relay", "ICE candidates were left in, and media goes around the relay."},
    {Cause::never_arrives, "never-arrives", "Sent (RTCP tells, or the capture shows) and lost on the way."},
    {Cause::media_loop, "media-loop", "The same packets pass again and again: five times or more."},
    {Cause::nothing_sent, "nothing-sent", "No packet of one direction is in the capture."},
    {Cause::not_answered, "not-answered", "The call never came to media.", Harm::none},
});

[[nodiscard]] constexpr const CauseRow& row(Cause cause) noexcept {
    assert(static_cast<std::size_t>(cause) < causes.size());
    return causes[static_cast<std::size_t>(cause)];
}
[[nodiscard]] constexpr const char* to_string(Cause cause) noexcept {
    return row(cause).word;
}

/// A rule adds what it finds, and says whether this explains what it looked at, so that the rules behind it in the
/// table need not look. `opposite`: the other direction of the same stream.
using CallRule = bool (*)(const Case&, Findings&);
using StreamRule = bool (*)(const Case&, const Stream&, Findings&);
using DirectionRule = bool (*)(const Case&, const MediaDirection&, const MediaDirection& opposite, Findings&);

// alg.cpp
bool changed_by_a_gateway(const Case& one, Findings& findings);
// binding.cpp
bool client_unreachable(const Case& one, Findings& findings);
bool port_changed_after_silence(const Case& one, const MediaDirection& direction, const MediaDirection& opposite,
                                Findings& findings);
// hold.cpp
bool put_on_hold(const Case& one, Findings& findings);
// no_answer.cpp
bool no_media_due(const Case& one, Findings& findings);
// media_loop.cpp
bool packets_in_a_circle(const Case& one, const Stream& stream, Findings& findings);
// ice.cpp
bool media_around_the_relay(const Case& one, const Stream& stream, Findings& findings);
// address.cpp
bool told_another_family(const Case& one, const MediaDirection& direction, const MediaDirection& opposite,
                         Findings& findings);
bool told_a_private_address(const Case& one, const MediaDirection& direction, const MediaDirection& opposite,
                            Findings& findings);
// source.cpp
bool sends_from_elsewhere(const Case& one, const MediaDirection& direction, const MediaDirection& opposite,
                          Findings& findings);
// relay.cpp
bool relay_sends_nothing_on(const Case& one, const MediaDirection& direction, const MediaDirection& opposite,
                            Findings& findings);
// loss.cpp
bool lost_by_rtcp(const Case& one, const MediaDirection& direction, const MediaDirection& opposite, Findings& findings);
// silence.cpp
bool no_packet(const Case& one, const MediaDirection& direction, const MediaDirection& opposite, Findings& findings);

/// Asked once a call, first. When the last one explains it, no media is looked at.
inline constexpr auto call_rules =
    std::to_array<CallRule>({changed_by_a_gateway, client_unreachable, put_on_hold, no_media_due});
/// Asked for each stream: what explains both of its directions.
inline constexpr auto stream_rules = std::to_array<StreamRule>({packets_in_a_circle, media_around_the_relay});
/// Asked for each direction whose receiver has said where it wants its media.
inline constexpr auto direction_rules =
    std::to_array<DirectionRule>({told_another_family, told_a_private_address, port_changed_after_silence,
                                  sends_from_elsewhere, relay_sends_nothing_on, lost_by_rtcp, no_packet});

}  // namespace natkit::diagnose
