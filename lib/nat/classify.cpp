#include "natkit/nat/classify.hpp"

#include <array>
#include <string>

#include "natkit/base/text.hpp"

namespace natkit::nat {
namespace {

template <class Word, std::size_t Size>
Result<Word> word_of(std::string_view word, const std::array<Word, Size>& words, const char* what) {
    for (const Word one : words) {
        if (word == to_string(one)) return one;
    }
    return fail(Errc::bad_input, std::string("not a ") + what + ": '" + text::printable(word, 20) + "'");
}

/// Whether the sender shows a NATed address of its own while its packets come from elsewhere.
bool betrays_nat(const std::optional<IpAddress>& claimed, const IpAddress& received,
                 const Networks& networks) noexcept {
    return claimed && *claimed != received && networks.nated.contains(*claimed) && !networks.nated.contains(received);
}

}  // namespace

const char* to_string(Place place) noexcept {
    switch (place) {
        case Place::lan: return "lan";
        case Place::wan: return "wan";
        case Place::far_end: return "far-end";
    }
    return "unknown";
}

const char* to_string(Rule rule) noexcept {
    switch (rule) {
        case Rule::nat_server: return "nat-server";
        case Rule::nated: return "nated";
        case Rule::lan: return "lan";
        case Rule::wan: return "wan";
    }
    return "unknown";
}

Result<Place> parse_place(std::string_view word) {
    return word_of(word, std::array{Place::lan, Place::wan, Place::far_end}, "place");
}

Result<Rule> parse_rule(std::string_view word) {
    return word_of(word, std::array{Rule::nat_server, Rule::nated, Rule::lan, Rule::wan}, "rule");
}

std::string why(const Verdict& verdict, const IpAddress& received) {
    const std::string seen = to_string(received);
    switch (verdict.rule) {
        case Rule::nat_server: return seen + " is in nat_servers (" + to_string(verdict.site) + ")";
        case Rule::nated:
            if (!verdict.claimed) return "it called itself by an address in nated, and is seen as " + seen;
            return "it calls itself " + to_string(*verdict.claimed) + ", an address in nated, and is seen as " + seen;
        case Rule::lan: return seen + " is in lan";
        case Rule::wan: return seen + " is in no list, and nothing it says of itself is in nated";
    }
    return {};
}

Verdict classify(const Evidence& seen, const Networks& networks) noexcept {
    Verdict verdict = classify_address(seen.received, networks);
    if (verdict.rule == Rule::nat_server) return verdict;
    // Behind a proxy the Contact is the phone's, and says nothing about the proxy that sent the packet.
    const bool by_contact = seen.via_count == 1 && betrays_nat(seen.contact, seen.received, networks);
    const auto& claimed = by_contact ? seen.contact : seen.via;
    if (betrays_nat(claimed, seen.received, networks)) {
        verdict.place = Place::far_end;
        verdict.rule = Rule::nated;
        verdict.claimed = claimed;
    }
    return verdict;
}

Verdict classify_address(const IpAddress& address, const Networks& networks) noexcept {
    Verdict verdict{.place = Place::wan, .rule = Rule::wan, .site = site_of(address, networks), .claimed = {}};
    if (networks.nat_servers.contains(address)) {
        verdict.place = Place::far_end;
        verdict.rule = Rule::nat_server;
    } else if (networks.lan.contains(address)) {
        verdict.place = Place::lan;
        verdict.rule = Rule::lan;
    }
    return verdict;
}

Place media_place(Place party, const IpAddress& visible, const IpAddress& sdp_address,
                  const Networks& networks) noexcept {
    const bool private_media = networks.nated.contains(sdp_address) || networks.lan.contains(sdp_address);
    return party == Place::wan && private_media && sdp_address != visible ? Place::far_end : party;
}

}  // namespace natkit::nat
