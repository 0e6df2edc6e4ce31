#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// What goes into a relay must come out.
namespace natkit::diagnose {

bool relay_sends_nothing_on(const Case&, const MediaDirection& direction, const MediaDirection& opposite,
                            Findings& findings) {
    const auto& [from, told, sent, arrived, sources, relayed] = direction.traffic;
    if (!relayed || sent == 0 || arrived > 0) return false;
    if (opposite.traffic.arrived > 0) {
        findings.add({.cause = Cause::never_arrives,
                      .hears_nothing = direction.to,
                      .sentence = name_at_start(direction.to) + " hears nothing: " + name(from) + " sends " +
                                  packets(sent) + " to the relay at " + to_string(*told) +
                                  ", and the relay does not send them on, though it serves the other direction.",
                      .change = "The relay refuses their source: see its drop records; the signalled address and the "
                                "one they come from differ."});
    } else if (!findings.has(Cause::relay_not_joined)) {
        findings.add({.cause = Cause::relay_not_joined,
                      .hears_nothing = direction.to,
                      .sentence = name_at_start(from) + " sends to the relay at " + to_string(*told) + " (" +
                                  packets(sent) + "), and the relay sends nothing on: its two legs are not joined" +
                                  (opposite.traffic.sent == 0 ? ", the other party never came." : "."),
                      .change = "Look at the relay: did it see the answer (was it given to it)? `mediarelay list` "
                                "shows legs that nobody joined."});
    }
    return true;
}

}  // namespace natkit::diagnose
