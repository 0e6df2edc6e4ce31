#pragma once

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "natkit/relay/latch.hpp"

/// Signalling and packets of one latch as tables, on a virtual clock.
namespace latch_steps {

using namespace natkit;
using namespace natkit::relay;
using namespace std::chrono_literals;

inline Endpoint at(const char* text) {
    return Endpoint::parse(text).value();
}
inline IpRange range(const char* text) {
    return IpRange::parse(text).value();
}

inline Latch::Signal exact(const char* endpoint) {
    return {.policy = SourcePolicy::exact, .endpoint = at(endpoint)};
}
inline Latch::Signal learn(const char* endpoint) {
    return {.policy = SourcePolicy::learn_port, .endpoint = at(endpoint)};
}
inline Latch::Signal ruled(const char* endpoint, SourcePolicy policy) {
    return {.policy = policy, .endpoint = at(endpoint)};
}
inline Latch::Signal far_end(const char* site, const char* endpoint = "192.168.1.5:4000") {
    return {.policy = SourcePolicy::latch, .endpoint = at(endpoint), .allowed = range(site)};
}

/// What one packet did: "ok", "ok RULE" when it made its source the holder, with "confirmed" when it confirmed it at
/// once, "ok confirmed" when it confirmed the holder, or the reason of refusal.
inline std::string outcome(const Latch::Verdict& verdict) {
    if (!verdict.accepted) return to_string(verdict.reason);
    std::string text = "ok";
    if (verdict.learned) text += std::string(" ") + to_string(*verdict.learned);
    if (verdict.confirmed && verdict.learned != SourceRule::rebind) text += " confirmed";
    return text;
}

struct Step {
    Duration when;
    std::optional<Latch::Signal> signal;  ///< signalling, or else a packet:
    const char* source = "";
    std::uint32_t ssrc = 0;  ///< 0: not RTP
    int sequence = 0;        ///< -1: RTCP
    const char* want = "";
    const char* target = "";                           ///< where packets go afterwards; "-" nowhere; "" not looked at
    void (*act)(Latch& latch, Instant now) = nullptr;  ///< something else, in place of a packet
};

inline Step packet(Duration when, const char* source, const char* want, const char* target = "") {
    return {.when = when, .signal = {}, .source = source, .want = want, .target = target};
}
inline Step rtp(Duration when, const char* source, std::uint32_t ssrc, int sequence, const char* want) {
    return {.when = when, .signal = {}, .source = source, .ssrc = ssrc, .sequence = sequence, .want = want};
}
inline Step signal(Duration when, Latch::Signal what, const char* target = "") {
    return {.when = when, .signal = what, .target = target};
}

inline Step act(Duration when, void (*what)(Latch&, Instant)) {
    return {.when = when, .signal = {}, .act = what};
}
/// Signalling says that the party may send, or may not, or that it resumes.
inline Step may_send(Duration when) {
    return act(when, [](Latch& latch, Instant now) { latch.let_send(true, now); });
}
inline Step may_not_send(Duration when) {
    return act(when, [](Latch& latch, Instant now) { latch.let_send(false, now); });
}
inline Step resume(Duration when) {
    return act(when, [](Latch& latch, Instant) { latch.reopen(); });
}
inline void begin_anew(Latch& latch, Instant now, Duration handover) {
    const Latch before = latch;
    const std::optional<std::uint32_t> ssrc =
        before.confirmed() && before.mark() ? std::optional(before.mark()->ssrc) : std::nullopt;
    latch = Latch();
    latch.signal(before.last_signal(), now);
    if (before.source())
        latch.restore(
            {.source = *before.source(), .rule = before.rule(), .confirmed = before.confirmed(), .ssrc = ssrc}, now,
            handover);
}
/// The process is killed, and the next one takes up what the journal says.
inline Step restart(Duration when) {
    return act(when, [](Latch& latch, Instant now) { begin_anew(latch, now, {}); });
}
/// The host is gone, and another one goes on with what it was told.
inline Step takeover(Duration when) {
    return act(when, [](Latch& latch, Instant now) { begin_anew(latch, now, handover_time); });
}

struct Case {
    const char* why;
    std::vector<Step> steps;
};

inline void run(const Case& c) {
    CAPTURE(c.why);
    Latch latch;
    for (const Step& step : c.steps) {
        const Instant now = Instant(100s) + step.when;
        CAPTURE(step.when.count() / 1000000);
        if (step.act != nullptr) {
            step.act(latch, now);
        } else if (step.signal) {
            latch.signal(*step.signal, now);
        } else {
            CAPTURE(step.source);
            std::optional<StreamMark> mark;
            if (step.ssrc != 0) mark = StreamMark{.ssrc = step.ssrc, .sequence = {}};
            if (mark && step.sequence >= 0) mark->sequence = static_cast<std::uint16_t>(step.sequence);
            CHECK(outcome(latch.on_packet(at(step.source), mark, now)) == step.want);
        }
        if (*step.target != '\0') CHECK((latch.target() ? to_string(*latch.target()) : "-") == step.target);
    }
}

}  // namespace latch_steps
