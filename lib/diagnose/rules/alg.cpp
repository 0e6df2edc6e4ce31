#include "natkit/diagnose/table.hpp"

/// Gateways that read along: what a SIP ALG does to messages.
namespace natkit::diagnose {

bool changed_by_a_gateway(const Case& one, Findings& findings) {
    std::string signs;
    for (const Contradiction& sign : one.call().contradictions)
        signs += (signs.empty() ? "" : "; ") + sign.field + " " + sign.value;
    if (signs.empty()) return false;
    findings.add({.cause = Cause::alg_damage,
                  .hears_nothing = {},
                  .sentence = "A gateway on the way changed the messages and left them contradicting each other (" +
                              signs + ").",
                  .change = "Switch off the SIP ALG (\"SIP helper\") in the router of that party, or use TLS so that "
                            "it cannot read the messages."});
    return false;
}

}  // namespace natkit::diagnose
