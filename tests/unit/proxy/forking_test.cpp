#include "natkit/proxy/forking.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace natkit::proxy;

TEST_CASE("proxy::best_response: RFC 3261 section 16.7 step 6") {
    struct Case {
        const char* why;
        std::vector<int> statuses;
        int want;
    };
    const Case cases[] = {
        {"one", {486}, 486},
        {"a decline everywhere beats all", {486, 603, 404}, 603},
        {"the lower class", {500, 486}, 486},
        {"redirection before failure", {486, 302}, 302},
        {"a challenge can be answered", {486, 407}, 407},
        {"a silent branch says least", {408, 486}, 486},
        {"overload of one says little of the others", {503, 500}, 500},
        {"the first of equals", {404, 480}, 404},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(c.statuses[best_response(c.statuses).value()] == c.want);
    }
    CHECK_FALSE(best_response({}));
}
