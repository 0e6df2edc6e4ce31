#include "../../../lib/sip/message/plain.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "../../../lib/sip/message/sofia.hpp"

using namespace natkit;
using namespace natkit::sip;

namespace {

using Pieces = std::vector<std::string>;

/// Every text made of one piece of each list.
Pieces product(const std::vector<Pieces>& lists) {
    Pieces texts = {""};
    for (const Pieces& list : lists) {
        Pieces longer;
        for (const std::string& text : texts) {
            for (const std::string& piece : list) longer.push_back(text + piece);
        }
        texts = std::move(longer);
    }
    return texts;
}

/// How many of the texts are read the plain way; each of them sofia-sip must read as the same.
template <class Plain, class Sofia>
std::size_t count_plain(const Pieces& texts, const Plain& plain, const Sofia& sofia) {
    std::size_t read = 0;
    for (const std::string& text : texts) {
        const auto value = plain(text);
        if (!value) continue;
        ++read;
        INFO(text);
        const auto other = sofia(text);
        REQUIRE(other.has_value());
        CHECK(*value == *other);
    }
    return read;
}

const Pieces uris =
    product({{"sip:", "SIP:", "sips:", "tel:", ""},
             {"", "bob@", "b.o_b-1+2@", "b%20b@", "bob:pass@", "@", "0123@"},
             {"192.168.1.5", "example.com", "[2001:db8::1]", "", "-", "..", "EXAMPLE.com", "5060"},
             {"", ":5060", ":0", ":65536", ":", ":05060", ":5060x"},
             {"", ";lr", ";transport=udp;ob", ";a=", ";=b", ";", ";LR", ";a=%41", "?x=y", ";a=b.C-d+e_f"}});

}  // namespace

TEST_CASE("plain::read_uri: what it reads, sofia-sip reads as the same; the usual forms are plain") {
    CHECK(count_plain(uris, plain::read_uri, sofia::read_uri) > 100);
    CHECK(plain::read_uri("sip:bob@192.168.1.5:5060;transport=udp;lr").has_value());
    CHECK(plain::read_uri("sip:example.com")->host == "example.com");
}

TEST_CASE("plain::read_via: what it reads, sofia-sip reads as the same; the usual forms are plain") {
    const Pieces vias = product(
        {{"SIP/2.0/UDP ", "SIP/2.0/TLS ", "SIP/2.0/udp ", "SIP / 2.0 / UDP ", "SIP/2.0/UDP  ", "SIP/3.0/UDP "},
         {"192.168.1.5", "host.example.com", "[2001:db8::1]", "Host"},
         {"", ":5060", ":70000", ": 5060"},
         {"", ";branch=z9hG4bK-1.x_Y+2", ";branch=", ";branch", ";branch=a b"},
         {"", ";rport", ";rport=4000", ";rport=", ";rport=x", ";rport;rport=1"},
         {"", ";received=203.0.113.9", ";received=[2001:db8::1]", ";ttl=1", ";Received=1.2.3.4", " (comment)", ","}});
    CHECK(count_plain(vias, plain::read_via, sofia::read_via) > 40);
    CHECK(plain::read_via("SIP/2.0/UDP 192.168.1.5:5060;branch=z9hG4bKabc;rport")->rport_asked);
}

TEST_CASE("plain::read_name_addr: what it reads, sofia-sip reads as the same; the usual forms are plain") {
    const Pieces addresses =
        product({{"", "Bob ", "Bob", "B.o-b_1 Two ", "\"Bob\" ", "\"Bob\"", "\"\" ", "\"B\\\"b\" ", "\"<sip:x>\" ",
                  "B,b ", " "},
                 {"<", "", "< "},
                 {"sip:bob@192.168.1.5:5060", "sip:example.com;lr", "sip:b%20b@example.com", "*", "tel:1", ""},
                 {">", "", " >", "> "},
                 {"", ";tag=1x.Y-2", ";expires=60;q=0.5", ";q=", ";a=\"b\"", " ;tag=1", ";tag = 1", ", <sip:a>",
                  ";Tag=1", "x"}});
    CHECK(count_plain(addresses, plain::read_name_addr, sofia::read_name_addr) > 40);
    CHECK(plain::read_name_addr("sipp <sip:sipp@203.0.113.50:5060>;tag=1SIPpTag00-2")->uri ==
          "sip:sipp@203.0.113.50:5060");
    CHECK(plain::read_name_addr("\"Bob\" <sip:bob@example.com>").has_value());
    CHECK_FALSE(plain::read_name_addr("sip:bob@example.com;tag=1").has_value());
    CHECK_FALSE(plain::read_name_addr(std::string(20'000, 'a') + " <sip:a>").has_value());
}
