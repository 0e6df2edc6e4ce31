#include "natkit/proxy/authorise.hpp"

#include <doctest/doctest.h>

using namespace natkit::proxy;

TEST_CASE("proxy::may_send: who may send where") {
    struct Row {
        Destination to;
        bool lan, user, server, stranger;
    };
    constexpr Row rows[] = {
        {Destination::edge, true, true, true, true},      {Destination::registered, true, true, true, true},
        {Destination::home, true, true, true, true},      {Destination::dialog, true, true, true, true},
        {Destination::trunk, true, true, false, false},   {Destination::elsewhere, true, true, false, false},
        {Destination::inside, true, false, false, false}, {Destination::client, true, true, true, false},
    };
    for (const Row& row : rows) {
        CAPTURE(static_cast<int>(row.to));
        CHECK(may_send(Sender::lan, row.to) == row.lan);
        CHECK(may_send(Sender::user, row.to) == row.user);
        CHECK(may_send(Sender::server, row.to) == row.server);
        CHECK(may_send(Sender::stranger, row.to) == row.stranger);
    }
}

TEST_CASE("proxy: who a sender is, and whether it must prove it") {
    struct Case {
        const char* why;
        Facts facts;
        Sender want;
        bool prove;
    };
    constexpr Case cases[] = {
        {"a phone on the LAN", {.on_lan = true}, Sender::lan, false},
        {"a phone on the LAN that claims a user",
         {.on_lan = true, .claims_user = true, .users_kept = true},
         Sender::lan,
         false},
        {"one interface only: anybody may look like the LAN",
         {.on_lan = true, .lan_trusted = false, .claims_user = true, .users_kept = true},
         Sender::stranger,
         true},
        {"anybody", {}, Sender::stranger, false},
        {"anybody, where passwords are kept", {.users_kept = true}, Sender::stranger, false},
        {"anybody who claims to be a user", {.claims_user = true, .users_kept = true}, Sender::stranger, true},
        {"the same where claims cannot be proved", {.claims_user = true}, Sender::stranger, false},
        {"a user on the flow it registered on",
         {.own_flow = true, .claims_user = true, .users_kept = true},
         Sender::user,
         false},
        {"a user with a password", {.password = true, .claims_user = true, .users_kept = true}, Sender::user, false},
        {"a peer inside its dialog",
         {.claims_user = true, .users_kept = true, .in_dialog = true},
         Sender::stranger,
         false},
        {"a trunk that shows one of our numbers",
         {.from_server = true, .claims_user = true, .users_kept = true},
         Sender::server,
         false},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(sender_of(c.facts) == c.want);
        CHECK(must_prove(c.facts) == c.prove);
    }
}

TEST_CASE("proxy: whose word about identities counts") {
    CHECK(identities_trusted(Sender::lan));
    CHECK(identities_trusted(Sender::server));
    CHECK_FALSE(identities_trusted(Sender::user));
    CHECK_FALSE(identities_trusted(Sender::stranger));
}
