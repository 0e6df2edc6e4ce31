#include "natkit/proxy/unanswered.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using natkit::proxy::Unanswered;
using Verdict = Unanswered::Verdict;

TEST_CASE("Unanswered: so many places may ring for one address, and for all strangers") {
    Unanswered calls({.source = 4, .all = 6});
    const auto one = IpAddress::parse("203.0.113.1").value();
    const auto other = IpAddress::parse("2001:db8::1").value();
    CHECK(calls.admit(1, one, 1) == Verdict::pass);
    CHECK(calls.admit(2, one, 3) == Verdict::pass);
    CHECK(calls.admit(3, one, 1) == Verdict::source);
    CHECK(calls.admit(4, other, 3) == Verdict::all);
    CHECK(calls.admit(5, other, 2) == Verdict::pass);
    CHECK(calls.size() == 6);
    calls.done(3);  // it was refused
    CHECK(calls.admit(6, one, 1) == Verdict::all);
    calls.done(2);
    calls.done(2);
    CHECK(calls.size() == 3);
    CHECK(calls.admit(7, one, 3) == Verdict::pass);
    for (std::uint64_t call = 1; call < 8; ++call) calls.done(call);
    CHECK(calls.size() == 0);
}

TEST_CASE("Unanswered: the addresses of one IPv6 /64 are one source") {
    Unanswered calls({.source = 2, .all = 6});
    CHECK(calls.admit(1, IpAddress::parse("2001:db8::1").value(), 1) == Verdict::pass);
    CHECK(calls.admit(2, IpAddress::parse("2001:db8::2").value(), 1) == Verdict::pass);
    CHECK(calls.admit(3, IpAddress::parse("2001:db8::3").value(), 1) == Verdict::source);
    CHECK(calls.admit(4, IpAddress::parse("2001:db8:0:1::3").value(), 1) == Verdict::pass);
}
