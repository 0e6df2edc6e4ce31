#include "natkit/proxy/authorise.hpp"

#include <doctest/doctest.h>

using namespace natkit::proxy;

TEST_CASE("proxy::may_send: strangers reach registered users and their own dialogs, nothing else") {
    CHECK(may_send(Sender::stranger, Destination::registered));
    CHECK(may_send(Sender::stranger, Destination::edge));
    CHECK(may_send(Sender::neighbour, Destination::dialog));
    CHECK_FALSE(may_send(Sender::stranger, Destination::elsewhere));
    CHECK_FALSE(may_send(Sender::stranger, Destination::inside));
    CHECK_FALSE(may_send(Sender::registered, Destination::inside));
    CHECK(may_send(Sender::registered, Destination::elsewhere));
    CHECK(may_send(Sender::lan, Destination::inside));
    CHECK(may_send(Sender::lan, Destination::elsewhere));
}
