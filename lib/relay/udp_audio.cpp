// The audio of joins: silence, and one-way audio with its cause.
#include <algorithm>

#include "natkit/relay/udp.hpp"

namespace natkit::relay {
namespace {

using namespace std::chrono_literals;

/// Shorter pauses are speech.
constexpr Duration audio_window = 5s;

Cause cause_of(const UdpLeg& mute) noexcept {
    const UdpLeg::Part& part = mute.part(Component::rtp);
    if (part.refused_lately) return Cause::source_refused;
    if (part.counters.received_packets > 0) return Cause::stopped;
    return part.latch.target() ? Cause::never_sent : Cause::not_latched;
}

}  // namespace

void UdpRelay::set_audio(Join& join, AudioState audio, const UdpLeg* mute, Cause cause) {
    if (join.audio == audio && join.mute == mute && join.cause == cause) return;
    const bool tell = audio != AudioState::waiting && !(audio == AudioState::held && join.audio == AudioState::waiting);
    join.audio = audio;
    join.mute = mute;
    join.cause = cause;
    if (!tell) return;
    legs_.tell({.kind = Event::Kind::audio,
                .leg = join.legs[0]->key,
                .other = join.legs[1]->key,
                .audio = audio,
                .cause = cause,
                .mute = mute == nullptr ? 0 : mute->key});
}

void UdpRelay::sweep(Join& join, Instant now) {
    const auto& a = static_cast<const UdpLeg&>(*join.legs[0]);
    const auto& b = static_cast<const UdpLeg&>(*join.legs[1]);
    const bool hold = a.hold || b.hold;
    const Instant last = std::max({join.since, a.changed, b.changed, a.last_received(), b.last_received()});
    const Duration silent = now - last;
    if (silent >= (hold ? legs_.timeouts().hold : legs_.timeouts().silence)) {
        legs_.tell({.kind = Event::Kind::timed_out, .leg = a.key, .other = b.key, .silent = silent, .hold = hold});
        return;
    }
    if (hold) {
        set_audio(join, AudioState::held, nullptr, Cause::none);
        return;
    }
    const auto heard_lately = [now](const UdpLeg& leg) {
        const Instant heard = leg.part(Component::rtp).counters.last_received;
        return heard != Instant{} && now - heard < audio_window;
    };
    const bool from_a = heard_lately(a);
    const bool from_b = heard_lately(b);
    if (from_a && from_b) {
        set_audio(join, AudioState::two_way, nullptr, Cause::none);
    } else if (now - std::max({join.since, a.changed, b.changed}) < audio_window) {
        return;  // signalling has just spoken: give both time to start
    } else if (from_a != from_b) {
        const UdpLeg& mute = from_a ? b : a;
        // Once one-way, a cause is named and kept: it would flicker with every single refused packet.
        const Cause cause = join.audio == AudioState::one_way && join.mute == &mute ? join.cause : cause_of(mute);
        set_audio(join, AudioState::one_way, &mute, cause);
    } else if (join.audio != AudioState::waiting) {
        set_audio(join, AudioState::silent, nullptr, Cause::none);
    }
}

}  // namespace natkit::relay
