#include "natkit/ng/overload.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using namespace natkit;
using namespace natkit::ng;

TEST_CASE("ng::Overload: busy for five seconds, and until it was not for five") {
    struct Case {
        const char* why;
        std::vector<double> busy;  ///< once a second
        const char* want;          ///< '+': overloaded after that look
    };
    const Case cases[] = {
        {"idle", {0, 0.1, 0.2, 0, 0.1, 0.2, 0}, "-------"},
        {"for less than five seconds", {1, 1, 1, 1, 1, 0.5, 1}, "-------"},
        {"for five", {1, 1, 1, 1, 1, 1, 1}, "-----++"},
        {"nine tenths are not more than that", {0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9}, "-------"},
        {"a little less busy is not enough", {1, 1, 1, 1, 1, 1, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8}, "-----++++++++"},
        {"nor is a short rest", {1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0}, "-----++++++++"},
        {"rested", {1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1}, "-----++++++--"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Overload overload;
        Instant now{};
        std::string got;
        for (const double busy : c.busy) {
            const bool before = overload.overloaded();
            const bool changed = overload.look(busy, now);
            CHECK(changed == (overload.overloaded() != before));
            got += overload.overloaded() ? '+' : '-';
            now += std::chrono::seconds(1);
        }
        CHECK(got == c.want);
    }
}
