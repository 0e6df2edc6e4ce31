#include "natkit/relay/reservation.hpp"

#include <doctest/doctest.h>

using namespace natkit::relay;

TEST_CASE("relay::with_range: the kernel's list of reserved ports, with ours in it") {
    struct Case {
        const char* why;
        const char* list;
        PortRange range;
        const char* want;
        bool held;
    };
    constexpr Case cases[] = {
        {"nothing reserved (an empty line)", "\n", {16384, 32767}, "16384-32767", false},
        {"others' ports stay", "8080,40000-40010\n", {16384, 32767}, "8080,16384-32767,40000-40010", false},
        {"it is there", "16384-32767\n", {16384, 32767}, "16384-32767", true},
        {"more is there", "80,10000-40000\n", {16384, 32767}, "80,10000-40000", true},
        {"a part is there", "16000-17000,32000\n", {16384, 32767}, "16000-32767", false},
        {"neighbours are joined", "16383,32768-32770", {16384, 32767}, "16383-32770", false},
        {"neighbours in the list hold it together",
         "16384-20000,20001-32767",
         {16384, 32767},
         "16384-20000,20001-32767",
         true},
        {"the last port of all", "65535", {65000, 65534}, "65000-65535", false},
        {"out of order and spaced", " 9 , 7-8 ", {20, 21}, "7-9,20-21", false},
        {"unreadable: left alone", "a-b", {16384, 32767}, "a-b", false},
        {"backwards: left alone", "9-8", {16384, 32767}, "9-8", false},
        {"too large: left alone", "70000", {16384, 32767}, "70000", false},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(with_range(c.list, c.range) == c.want);
        CHECK(holds_range(c.list, c.range) == c.held);
    }
}
