#include "party.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using namespace natkit::ng;
using relay::SourcePolicy;

namespace {

nat::Networks networks() {
    return {.lan = RangeSet({*IpRange::parse("192.168.10.0/24")}),
            .nated = nat::default_nated(),
            .nat_servers = RangeSet({*IpRange::parse("203.0.113.64-203.0.113.79")})};
}

}  // namespace

TEST_CASE("ng: where a party is, and by which rule its packets are known") {
    struct Case {
        const char* why;
        const char* said;
        const char* source;  ///< "": no received-from
        Trust trust;
        nat::Place place;
        const char* endpoint;
        std::optional<SourcePolicy> sources;
    };
    constexpr auto by_description = Trust::description;
    constexpr auto by_source = Trust::source;
    const Case cases[] = {
        {"a phone on the LAN", "192.168.10.5:4000", "192.168.10.5", by_description, nat::Place::lan,
         "192.168.10.5:4000", SourcePolicy::learn_port},
        {"a phone on the Internet", "203.0.113.9:4000", "203.0.113.9", by_description, nat::Place::wan,
         "203.0.113.9:4000", SourcePolicy::learn_port},
        {"media at another host than signalling", "203.0.113.10:4000", "203.0.113.9", by_description, nat::Place::wan,
         "203.0.113.10:4000", SourcePolicy::learn_port},
        {"a private address from elsewhere: a NAT", "192.168.1.5:4000", "198.51.100.7", by_description,
         nat::Place::far_end, "192.168.1.5:4000", SourcePolicy::latch},
        {"an address of our LAN from elsewhere: a NAT too", "192.168.10.5:4000", "198.51.100.7", by_description,
         nat::Place::far_end, "192.168.10.5:4000", SourcePolicy::latch},
        {"SIP-source-address: sent to where it was seen", "192.168.1.5:4000", "198.51.100.7", by_source,
         nat::Place::wan, "198.51.100.7:4000", SourcePolicy::learn_port},
        {"the same behind a NAT of several addresses: any of them", "192.168.1.5:4000", "203.0.113.70", by_source,
         nat::Place::far_end, "192.168.1.5:4000", SourcePolicy::latch},
        {"SIP-source-address of the other family says nothing of media", "203.0.113.9:4000", "2001:db8::9", by_source,
         nat::Place::wan, "203.0.113.9:4000", SourcePolicy::learn_port},
        {"no received-from", "203.0.113.9:4000", "", by_source, nat::Place::wan, "203.0.113.9:4000",
         SourcePolicy::learn_port},
        {"no received-from, and a private address: the first packet tells", "192.168.1.5:4000", "", by_source,
         nat::Place::wan, "192.168.1.5:4000", SourcePolicy::first_source},
        {"no received-from, a NAT by its address", "203.0.113.70:4000", "", by_description, nat::Place::far_end,
         "203.0.113.70:4000", std::nullopt},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Request request;
        if (*c.source != 0) request.received_from = *IpAddress::parse(c.source);
        request.wishes.trust = c.trust;
        const auto said = dialog::Described{.kind = relay::Stream::rtp, .rtp = *Endpoint::parse(c.said)};
        const relay::Party party = describe_party(said, request, networks()).party;
        CHECK(party.place == c.place);
        CHECK(to_string(*party.endpoint) == c.endpoint);
        CHECK(party.sources == c.sources);
    }
}

TEST_CASE("ng: names of interfaces") {
    const Interfaces own{{"internal", Side::wan}, {"core", Side::lan}};
    CHECK(side_named("internal", own) == Side::wan);
    CHECK(side_named("core", own) == Side::lan);
    CHECK(side_named("external", own) == Side::wan);
    CHECK(side_named("priv", {}) == Side::lan);
    CHECK(side_named("Public", {}) == Side::wan);
    CHECK_FALSE(side_named("dmz", own));
}
