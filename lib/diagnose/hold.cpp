#include <algorithm>

#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// Silence that is meant (RFC 3264 section 8.4).
namespace natkit::diagnose {
namespace {

/// "The caller put the call on hold in frame 7 (a=sendonly)".
std::string who_holds(const SessionDescription& description, const MediaDescription& held, bool talked) {
    const bool zero = held.rtp && held.rtp->address.is_unspecified();
    const std::string what = zero ? "c=0.0.0.0" : std::string("a=") + sdp::to_string(held.direction);
    const std::string frame = " in frame " + std::to_string(description.frame);
    return name_at_start(description.writer) + (talked
                                                    ? " put the call on hold" + frame + " (" + what + ")"
                                                    : " wanted nothing sent from the beginning (" + what + frame + ")");
}

}  // namespace

bool put_on_hold(const Case& one, Findings& findings) {
    const Call& call = one.call();
    for (const SessionDescription& hold : call.descriptions) {
        const auto held = std::ranges::find_if(hold.streams, &MediaDescription::hold);
        if (held == hold.streams.end() || (!hold.request && hold.status < 200))
            continue;  // early media is often sendonly
        if (!call.callee_tag.empty() && !hold.tag.empty() && hold.tag != call.callee_tag)
            continue;  // of another branch
        const auto wants_media = [&](const SessionDescription& another) {
            return another.writer == hold.writer && another.cseq != hold.cseq &&
                   std::ranges::none_of(another.streams, &MediaDescription::hold);
        };
        const bool talked = std::ranges::any_of(call.descriptions, [&](const SessionDescription& earlier) {
            return wants_media(earlier) && earlier.frame < hold.frame;
        });
        const auto resumed = std::ranges::find_if(call.descriptions, [&](const SessionDescription& later) {
            return wants_media(later) && later.frame > hold.frame;
        });
        const std::string until =
            resumed == call.descriptions.end() ? "from then on" : "until frame " + std::to_string(resumed->frame);
        findings.add({.cause = Cause::on_hold,
                      .hears_nothing = hold.writer,
                      .sentence = who_holds(hold, *held, talked) + ": that nothing is sent to it " + until +
                                  " is meant, and no failure.",
                      .change = "Nothing to repair; relays must not time out while a call is on hold "
                                "([media_proxy] hold_timeout)."});
        break;
    }
    return false;
}

}  // namespace natkit::diagnose
