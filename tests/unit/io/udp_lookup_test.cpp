#include "natkit/io/net/udp_lookup.hpp"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>
#include <utility>

#include "natkit/io/net/udp.hpp"

using namespace natkit;
using namespace natkit::io;

namespace {

Endpoint endpoint(const char* text) {
    return Endpoint::parse(text).value();
}

/// A free even port with the next one free too, of all addresses.
std::uint16_t free_pair(UdpLookup& lookup) {
    for (std::uint16_t port = 21000; port < 31000; port += 2) {
        const bool taken = lookup.taken({IpAddress::v4(INADDR_LOOPBACK), port}, 2).value() ||
                           lookup.taken({endpoint("[::1]:1").address, port}, 2).value();
        if (!taken) return port;
    }
    return 0;
}

/// An IPv6 socket on any address that hears IPv4 too.
Fd open_dual(std::uint16_t port) {
    Fd socket(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(port);
    REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0);
    return socket;
}

}  // namespace

TEST_CASE("io::UdpLookup: whoever would hear a stranger has the port") {
    auto lookup = UdpLookup::open();
    REQUIRE(lookup);
    const std::uint16_t port = free_pair(*lookup);
    REQUIRE(port != 0);
    struct Case {
        const char* why;
        const char* bound;  ///< address; nullptr: of IPv6, hearing both families
        unsigned offset;
        const char* asked;
        bool want;
    };
    constexpr Case cases[] = {
        {"the address itself", "127.0.0.1", 0, "127.0.0.1", true},
        {"the second port of the pair", "127.0.0.1", 1, "127.0.0.1", true},
        {"another address of the host", "127.0.0.2", 0, "127.0.0.1", false},
        {"any address", "0.0.0.0", 0, "127.0.0.1", true},
        {"any address of IPv6 alone", "::", 0, "127.0.0.1", false},
        {"any address of both families, for IPv4", nullptr, 0, "127.0.0.1", true},
        {"any address of both families, for IPv6", nullptr, 1, "::1", true},
        {"IPv6, the address itself", "::1", 0, "::1", true},
        {"IPv6, any address", "::", 1, "::1", true},
        {"IPv4's any address is not IPv6's", "0.0.0.0", 0, "::1", false},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const Endpoint asked{IpAddress::parse(c.asked).value(), port};
        CHECK(lookup->taken(asked, 2) == false);
        {
            const auto at = static_cast<std::uint16_t>(port + c.offset);
            const Fd socket =
                c.bound == nullptr ? open_dual(at) : open_udp({IpAddress::parse(c.bound).value(), at}).value();
            CHECK(lookup->taken(asked, 2) == c.want);
            CHECK(lookup->taken({asked.address, at}) == c.want);
            CHECK(lookup->taken({asked.address, static_cast<std::uint16_t>(port + 1 - c.offset)}) == false);
        }
        CHECK(lookup->taken(asked, 2) == false);
    }
}

TEST_CASE("io::UdpLookup: a connected socket hears its peer alone") {
    auto lookup = UdpLookup::open();
    REQUIRE(lookup);
    const std::uint16_t port = free_pair(*lookup);
    const Fd socket = open_udp({IpAddress::v4(INADDR_LOOPBACK), port}).value();
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_port = htons(9);
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&peer), sizeof peer) == 0);
    CHECK(lookup->taken({IpAddress::v4(INADDR_LOOPBACK), port}, 2) == false);
}
