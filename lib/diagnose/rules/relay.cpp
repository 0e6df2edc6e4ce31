#include <algorithm>

#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// What goes into a relay must come out.
namespace natkit::diagnose {
namespace {

/// A relay that ends the encryption itself passes on nothing that it cannot read.
std::string of_its_keys(const MediaDirection& direction) {
    const MediaDescription* told = direction.sender_delivered;
    if (told == nullptr || told->encryption == Encryption::none) return {};
    return " Media is encrypted, and where the relay has keys of its own it drops what does not fit them: see its log.";
}

}  // namespace

bool relay_sends_nothing_on(const Case& one, const MediaDirection& direction, const MediaDirection& opposite,
                            Findings& findings) {
    if (!direction.dead || !direction.dead->sent) return false;
    const Dead& dead = *direction.dead;
    const auto into = std::ranges::find_if(
        dead.astray, [](const Astray& astray) { return astray.reach == Reach::on_the_way && !astray.path->forwarded; });
    if (into == dead.astray.end()) return false;
    const Endpoint& at = into->path->stream->destination;
    if (opposite.traffic.arrived > 0) {
        findings.add(during(
            one, dead,
            {.cause = Cause::relay_swallows,
             .hears_nothing = direction.to,
             .sentence = name_at_start(direction.to) + " hears nothing" + since(one, dead) + ": " +
                         name(direction.from) + " sends " + packets(into->packets) + " to the relay at " +
                         to_string(at) + ", and the relay does not send them on, though it serves the other direction.",
             .change = "The relay refuses their source: see its drop records; the signalled address and the "
                       "one they come from differ." +
                       of_its_keys(direction)}));
    } else {
        findings.add(during(
            one, dead,
            {.cause = Cause::relay_not_joined,
             .hears_nothing = direction.to,
             .sentence = name_at_start(direction.from) + " sends to the relay at " + to_string(at) + " (" +
                         packets(into->packets) + "), and the relay sends nothing on: its two legs are not joined" +
                         (opposite.traffic.sent == 0 ? ", the other party never came." : "."),
             .change = "Look at the relay: did it see the answer (was it given to it)? `mediarelay list` "
                       "shows legs that nobody joined." +
                       of_its_keys(direction)}));
    }
    return true;
}

}  // namespace natkit::diagnose
