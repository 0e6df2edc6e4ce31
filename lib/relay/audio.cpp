// The slow half of natkit/relay/udp.hpp: silence, one-way audio and its cause, and names.
#include <algorithm>

#include "natkit/relay/udp.hpp"

namespace natkit::relay {
namespace {

using namespace std::chrono_literals;

/// Shorter pauses are speech.
constexpr Duration audio_window = 5s;

Cause cause_of(const Leg& mute) noexcept {
    const Leg::Part& part = mute.part(Component::rtp);
    if (part.refused_lately) return Cause::source_refused;
    if (part.counters.received_packets > 0) return Cause::stopped;
    return part.latch.target() ? Cause::never_sent : Cause::not_latched;
}

}  // namespace

void Relay::set_audio(Join& join, AudioState audio, Leg* mute, Cause cause) {
    if (join.audio == audio && join.mute == mute && join.cause == cause) return;
    const bool tell = audio != AudioState::waiting && !(audio == AudioState::held && join.audio == AudioState::waiting);
    join.audio = audio;
    join.mute = mute;
    join.cause = cause;
    if (!tell) return;
    events_.push_back({.kind = Event::Kind::audio,
                       .leg = join.legs[0]->key,
                       .other = join.legs[1]->key,
                       .audio = audio,
                       .cause = cause,
                       .mute = mute == nullptr ? 0 : mute->key});
}

void Relay::look_at(Join& join, Instant now) {
    Leg& a = *join.legs[0];
    Leg& b = *join.legs[1];
    const bool hold = a.hold || b.hold;
    const Instant last = std::max({join.since, a.changed, b.changed, a.last_received(), b.last_received()});
    const Duration silent = now - last;
    if (silent >= (hold ? timeouts_.hold : timeouts_.silence)) {
        events_.push_back(
            {.kind = Event::Kind::timed_out, .leg = a.key, .other = b.key, .silent = silent, .hold = hold});
        return;
    }
    if (hold) {
        set_audio(join, AudioState::held, nullptr, Cause::none);
        return;
    }
    const auto flows = [now](const Leg& leg) {
        const Instant heard = leg.part(Component::rtp).counters.last_received;
        return heard != Instant{} && now - heard < audio_window;
    };
    const bool from_a = flows(a);
    const bool from_b = flows(b);
    if (from_a && from_b) {
        set_audio(join, AudioState::two_way, nullptr, Cause::none);
    } else if (now - std::max({join.since, a.changed, b.changed}) < audio_window) {
        return;  // signalling has just spoken: give both time to start
    } else if (from_a != from_b) {
        Leg& mute = from_a ? b : a;
        // Once one-way, a cause is named and kept: it would flicker with every single refused packet.
        const Cause cause = join.audio == AudioState::one_way && join.mute == &mute ? join.cause : cause_of(mute);
        set_audio(join, AudioState::one_way, &mute, cause);
    } else if (join.audio != AudioState::waiting) {
        set_audio(join, AudioState::silent, nullptr, Cause::none);
    }
}

const char* to_string(AudioState audio) noexcept {
    switch (audio) {
        case AudioState::waiting: return "waiting";
        case AudioState::two_way: return "two-way";
        case AudioState::one_way: return "one-way";
        case AudioState::silent: return "silent";
        case AudioState::held: return "held";
    }
    return "unknown";
}

const char* to_string(Cause cause) noexcept {
    switch (cause) {
        case Cause::none: return "";
        case Cause::never_sent: return "never-sent";
        case Cause::not_latched: return "not-latched";
        case Cause::source_refused: return "source-refused";
        case Cause::stopped: return "stopped";
    }
    return "unknown";
}

}  // namespace natkit::relay
