#include "natkit/loop/roles.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace natkit;
using namespace natkit::loop;
using nat::Place;
using sdp::Setup;

namespace {

struct Case {
    Setup offered;
    Place offerer;
    Place answerer;
    Setup shown;  ///< to the one that is asked
    Setup answered;
    Setup told;      ///< to the one that offered
    Setup left_for;  ///< what the one that offered does then; the other one does what it answered
};

constexpr Place lan = Place::lan, wan = Place::wan, nat_ = Place::far_end;
constexpr Setup active = Setup::active, passive = Setup::passive, actpass = Setup::actpass, holdconn = Setup::holdconn;

void check(const Case& c, bool relayed) {
    CAPTURE(std::string(sdp::to_string(c.offered)) + " from " + nat::to_string(c.offerer) + " to " +
            nat::to_string(c.answerer) + ", answered " + sdp::to_string(c.answered));
    const Between between{.offerer = c.offerer, .answerer = c.answerer, .relayed = relayed};
    CHECK(shown_offer(c.offered, between) == c.shown);
    CHECK(shown_answer(c.offered, c.answered, between) == c.told);
    CHECK(left_by(shown_answer(c.offered, c.answered, between)) == c.left_for);
}

}  // namespace

TEST_CASE("loop::roles: over a relay") {
    const Case cases[] = {
        // With a=setup as it says.
        {active, lan, wan, active, passive, passive, active},
        {passive, lan, wan, passive, active, active, passive},
        {active, nat_, wan, active, passive, passive, active},
        {active, lan, nat_, active, passive, passive, active},   // the relay dials the port forwarded on the NAT
        {passive, nat_, wan, passive, active, active, passive},  // likewise
        {passive, nat_, nat_, passive, active, active, passive},
        // actpass: who is behind a NAT connects.
        {actpass, lan, wan, actpass, active, active, passive},
        {actpass, lan, wan, actpass, passive, passive, active},
        {actpass, wan, lan, actpass, passive, passive, active},
        {actpass, nat_, wan, active, passive, passive, active},
        {actpass, nat_, lan, active, passive, passive, active},
        {actpass, wan, nat_, passive, active, active, passive},
        {actpass, lan, nat_, passive, active, active, passive},
        {actpass, nat_, nat_, passive, active, passive, active},  // both connect to the relay
        // Nobody for now.
        {holdconn, lan, wan, holdconn, holdconn, holdconn, holdconn},
        {holdconn, nat_, nat_, holdconn, active, holdconn, holdconn},
        {active, lan, wan, active, holdconn, holdconn, holdconn},
        {actpass, nat_, wan, active, holdconn, holdconn, holdconn},
        // Answers that RFC 4145 does not allow: the offerer is still told one that it does.
        {active, lan, wan, active, active, passive, active},
        {passive, lan, wan, passive, passive, active, passive},
        {actpass, lan, wan, actpass, actpass, passive, active},
        {actpass, nat_, wan, active, active, passive, active},
    };
    for (const Case& c : cases) check(c, true);
}

TEST_CASE("loop::roles: without a relay each sees what the other does") {
    const Case cases[] = {
        {active, lan, lan, active, passive, passive, active},
        {passive, wan, wan, passive, active, active, passive},
        {actpass, nat_, nat_, actpass, passive, passive, active},
        {actpass, nat_, nat_, actpass, active, active, passive},
        {actpass, wan, wan, actpass, holdconn, holdconn, holdconn},
        {holdconn, wan, wan, holdconn, holdconn, holdconn, holdconn},
    };
    for (const Case& c : cases) check(c, false);
}
