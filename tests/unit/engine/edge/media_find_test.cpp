#include <doctest/doctest.h>

#include "media/media.hpp"

namespace natkit::edge {
namespace {

sip::Flow flow(const char* local, const char* remote) {
    return {.transport = sip::Transport::udp, .local = *Endpoint::parse(local), .remote = *Endpoint::parse(remote)};
}

TEST_CASE("edge::Media::find: a dialog's token tells the passes of one call apart") {
    const sip::Flow alice = flow("192.168.10.1:5060", "192.168.10.20:5060");
    const sip::Flow server = flow("192.168.10.1:5060", "192.168.10.50:5060");
    const sip::Flow carol = flow("203.0.113.10:5060", "203.0.113.50:5060");
    const sip::Flow moved = flow("203.0.113.10:5060", "203.0.113.50:41000");
    const Settings settings;
    Media media(settings);
    const SessionId second = media.create("call", {.flow = server, .verdict = {}, .tag = "a"},
                                          {.flow = carol, .verdict = {}, .tag = "b"}, Instant{});
    struct Case {
        const char* why;
        sip::Flow caller, callee;
        bool found;
    };
    const Case cases[] = {
        {"its own token", server, carol, true},
        {"the callee has moved", server, moved, true},
        {"the first pass, whose session a restart has lost", alice, server, false},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const sip::DialogToken token{.caller = c.caller, .callee = c.callee};
        CHECK(media.find("call", "a", "b", &token).has_value() == c.found);
        CHECK(media.find("call", "b", "a", &token).has_value() == c.found);
    }
    const SessionId first = media.create("call", {.flow = alice, .verdict = {}, .tag = "a"},
                                         {.flow = server, .verdict = {}, .tag = "b"}, Instant{});
    const sip::DialogToken token{.caller = alice, .callee = server};
    CHECK(media.find("call", "a", "b", &token) == first);
    CHECK(media.find("call", "a", "b") == second);
}

}  // namespace
}  // namespace natkit::edge
