#include "natkit/engine/explain/compare.hpp"

#include <array>
#include <utility>

namespace natkit::explain {
namespace {

constexpr unsigned kamailio_stock = 1 + 2 + 16;      // nat_uac_test("19") in the stock kamailio.cfg
constexpr unsigned opensips_stock = 1 + 2 + 4 + 16;  // nat_uac_test("23") in the generated residential script

struct Flag {
    unsigned bit;
    const char* name;
};

std::vector<std::string> names(std::span<const Flag> flags, unsigned number) {
    std::vector<std::string> result;
    for (const Flag& flag : flags) {
        if ((number & flag.bit) != 0) result.emplace_back(flag.name);
    }
    return result;
}

PeerVerdict kamailio(const Facts& facts, const Arrival& arrival) {
    constexpr std::array flags = std::to_array<Flag>({{1, "contact-1918"},
                                                      {2, "via-received"},
                                                      {4, "via-1918"},
                                                      {8, "sdp-1918"},
                                                      {16, "via-port"},
                                                      {32, "source-1918"},
                                                      {64, "websocket"},
                                                      {128, "contact-port"},
                                                      {256, "sdp-differs"}});
    const unsigned number = nat_uac_test(facts, arrival);
    return {.peer = "kamailio",
            .behind_nat = (number & kamailio_stock) != 0,
            .rule = "nat_uac_test(\"19\")",
            .number = number,
            .tests = names(flags, number)};
}

PeerVerdict opensips(const Facts& facts, const Arrival& arrival) {
    constexpr std::array flags = std::to_array<Flag>({{1, "private-contact"},
                                                      {2, "diff-ip-src-via"},
                                                      {4, "private-via"},
                                                      {8, "private-sdp"},
                                                      {16, "diff-port-src-via"},
                                                      {32, "diff-ip-src-contact"},
                                                      {64, "diff-port-src-contact"},
                                                      {128, "carrier-grade-nat"}});
    unsigned number = nat_uac_test(facts, arrival) & 31U;  // the first five mean the same in both
    const auto contact = facts.contact ? facts.contact->address() : std::nullopt;
    if (facts.contact && contact != arrival.source.address) number |= 32;
    if (facts.contact && facts.contact->port.value_or(5060) != arrival.source.port) number |= 64;
    const auto carrier_grade = [](const IpAddress& address) {
        return address.is_v4() && address.bytes()[0] == 100 && address.bytes()[1] >= 64 && address.bytes()[1] <= 127;
    };
    if (carrier_grade(arrival.source.address) || (contact && carrier_grade(*contact))) number |= 128;
    return {.peer = "opensips",
            .behind_nat = (number & opensips_stock) != 0,
            .rule = "nat_uac_test(\"23\")",
            .number = number,
            .tests = names(flags, number)};
}

/// apply-nat-acl: the Contact's host is in the list nat.auto (RFC 1918 and RFC 6598, IPv4) and the source is not.
PeerVerdict freeswitch(const Facts& facts, const Arrival& arrival) {
    const auto in_list = [](const IpAddress& address) {
        static const RangeSet list = nat::default_nated();
        return address.is_v4() && list.contains(address);
    };
    const auto contact = facts.contact ? facts.contact->address() : std::nullopt;
    PeerVerdict verdict{.peer = "freeswitch",
                        .behind_nat = contact && in_list(*contact) && !in_list(arrival.source.address),
                        .rule = "apply-nat-acl=nat.auto"};
    if (verdict.behind_nat) verdict.tests.emplace_back("contact-in-nat-acl");
    return verdict;
}

}  // namespace

std::vector<PeerVerdict> compare_peers(const Facts& facts, const Arrival& arrival) {
    return {kamailio(facts, arrival), opensips(facts, arrival), freeswitch(facts, arrival)};
}

}  // namespace natkit::explain
