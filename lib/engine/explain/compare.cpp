#include "natkit/engine/explain/compare.hpp"

#include <array>
#include <utility>

namespace natkit::explain {
namespace {

constexpr unsigned kamailio_stock = 1 + 2 + 16;      // nat_uac_test("19") in the stock kamailio.cfg
constexpr unsigned opensips_stock = 1 + 2 + 4 + 16;  // the four tests of its residential script

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

PeerVerdict kamailio(const MessageFacts& facts, const Arrival& arrival) {
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

RangeSet ranges(std::initializer_list<const char*> texts) {
    RangeSet set;
    for (const char* text : texts) set.add(*IpRange::parse(text));
    return set;
}

/// The first c= line that means something, of the session or of a stream: the only one OpenSIPS reads.
std::optional<IpAddress> first_connection(const sdp::Document& document) {
    if (document.session_connection()) return document.address(*document.session_connection());
    for (const sdp::Media& media : document.media()) {
        if (media.connection) return document.address(*media.connection);
    }
    return std::nullopt;
}

/// Its table of private addresses has the loopback; 192.0.0.0/29 is in it only when "carrier-grade-nat" is asked for,
/// which is no test by itself.
unsigned opensips_number(const MessageFacts& facts, const Arrival& arrival) {
    static const RangeSet always =
        ranges({"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8"});
    static const RangeSet on_demand = ranges({"192.0.0.0/29"});
    const Endpoint& source = arrival.source;
    unsigned number = 0;
    const auto look_at = [&](const std::optional<IpAddress>& address, unsigned bit) {
        if (address && always.contains(*address)) number |= bit;
        if (address && on_demand.contains(*address)) number |= 128;
    };
    if (facts.contact) {
        const auto address = facts.contact->address();
        look_at(address, 1);
        if (address != source.address) number |= 32;
        if (facts.contact->port.value_or(5060) != source.port) number |= 64;
    }
    if (facts.via) {
        const auto address = facts.via->address();
        look_at(address, 4);
        if (address != source.address) number |= 2;
        if (facts.via->port.value_or(5060) != source.port) number |= 16;
    }
    for (const sdp::Document& document : facts.descriptions) {
        const auto address = first_connection(document);
        if (!address || !address->is_v4() || address->is_unspecified()) break;
        look_at(address, 8);
    }
    return number;
}

PeerVerdict opensips(const MessageFacts& facts, const Arrival& arrival) {
    constexpr std::array flags = std::to_array<Flag>({{1, "private-contact"},
                                                      {2, "diff-ip-src-via"},
                                                      {4, "private-via"},
                                                      {8, "private-sdp"},
                                                      {16, "diff-port-src-via"},
                                                      {32, "diff-ip-src-contact"},
                                                      {64, "diff-port-src-contact"},
                                                      {128, "carrier-grade-nat"}});
    const unsigned number = opensips_number(facts, arrival);
    return {.peer = "opensips",
            .behind_nat = (number & opensips_stock) != 0,
            .rule = "nat_uac_test(\"diff-port-src-via,private-via,diff-ip-src-via,private-contact\")",
            .number = number,
            .tests = names(flags, number)};
}

/// apply-nat-acl with the list nat.auto. A REGISTER: the Contact's host is in it. An INVITE: the top Via's host is and
/// the source is not; one over WebSocket is taken for NATed in any case. Nothing else is looked at.
PeerVerdict freeswitch(std::string_view method, const MessageFacts& facts, const Arrival& arrival) {
    static const RangeSet list = ranges({"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"});
    const auto in_list = [](const std::optional<IpAddress>& address) { return address && list.contains(*address); };
    PeerVerdict verdict{.peer = "freeswitch", .rule = "apply-nat-acl=nat.auto", .tests = {}};
    const bool dialog = method == "INVITE";
    if (!dialog && method != "REGISTER") return verdict;
    if (facts.via && (facts.via->transport == "WS" || facts.via->transport == "WSS")) {
        verdict.tests.emplace_back("websocket");
    } else if (dialog && facts.via && in_list(facts.via->address()) && !in_list(arrival.source.address)) {
        verdict.tests.emplace_back("via-in-nat-acl");
    } else if (!dialog && facts.contact && in_list(facts.contact->address())) {
        verdict.tests.emplace_back("contact-in-nat-acl");
    }
    verdict.behind_nat = !verdict.tests.empty();
    return verdict;
}

}  // namespace

std::vector<PeerVerdict> compare_peers(std::string_view method, const MessageFacts& facts, const Arrival& arrival) {
    return {kamailio(facts, arrival), opensips(facts, arrival), freeswitch(method, facts, arrival)};
}

}  // namespace natkit::explain
