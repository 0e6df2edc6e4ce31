#include "natkit/io/net/host.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "natkit/io/lines.hpp"
#include "natkit/io/mark.hpp"
#include "natkit/io/net/udp.hpp"

using namespace natkit;

namespace {

/// Every option and flag of a socket that sending could have touched.
std::vector<int> state_of(const io::Fd& socket) {
    std::vector<int> state = {::fcntl(socket.get(), F_GETFL), ::fcntl(socket.get(), F_GETFD)};
    for (const int level : {SOL_SOCKET, static_cast<int>(IPPROTO_IP)}) {
        for (int option = 1; option < 80; ++option) {
            if (level == SOL_SOCKET && (option == SO_ERROR || option == SO_MEMINFO)) continue;  // not settings
            std::array<int, 16> value{};
            socklen_t length = sizeof value;
            state.push_back(::getsockopt(socket.get(), level, option, value.data(), &length));
            state.insert(state.end(), value.begin(), value.end());
        }
    }
    return state;
}

}  // namespace

TEST_CASE("io::send_shared: sends, changes nothing on the socket, and reads nothing from it") {
    const Endpoint any = Endpoint::parse("127.0.0.1:0").value();
    const auto owner = io::open_udp(any).value();
    const auto phone = io::open_udp(any).value();
    const Endpoint owner_at = io::local_endpoint(owner).value();
    const Endpoint phone_at = io::local_endpoint(phone).value();
    CHECK(io::send_shared(phone, owner_at, "for the owner").status == io::SharedSend::sent);
    const auto shared = owner.duplicate().value();
    const auto before = state_of(owner);
    for (int i = 0; i < 100; ++i) {
        REQUIRE(io::send_shared(shared, phone_at, "\r\n\r\n").status == io::SharedSend::sent);
    }
    CHECK(state_of(owner) == before);
    std::array<char, 64> bytes{};
    CHECK(::recv(owner.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) == 13);
    CHECK(::recv(phone.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) == 4);
}

TEST_CASE("io::send_shared: a refusal for somebody else is no failure of this datagram") {
    const auto socket = io::open_udp(Endpoint::parse("127.0.0.1:0").value()).value();
    const int on = 1;
    REQUIRE(::setsockopt(socket.get(), IPPROTO_IP, IP_RECVERR, &on, sizeof on) == 0);  // makes refusals visible
    Endpoint closed;
    {
        const auto gone = io::open_udp(Endpoint::parse("127.0.0.1:0").value()).value();
        closed = io::local_endpoint(gone).value();
    }
    const auto open = io::open_udp(Endpoint::parse("127.0.0.1:0").value()).value();
    CHECK(io::send_shared(socket, closed, "x").status == io::SharedSend::sent);
    CHECK(io::send_shared(socket, io::local_endpoint(open).value(), "x").status == io::SharedSend::sent);
    CHECK(io::send_shared(socket, Endpoint::parse("[::1]:9").value(), "x").status == io::SharedSend::failed);
}

TEST_CASE("io::is_of_this_host: what sending from an address that is not here gives says nothing of who it was for") {
    for (const int error : {ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, EINVAL, ENETDOWN, EPERM}) {
        CAPTURE(error);
        CHECK(io::is_of_this_host(error));
    }
    for (const int error : {0, ECONNREFUSED, EMSGSIZE, EACCES}) {
        CAPTURE(error);
        CHECK_FALSE(io::is_of_this_host(error));
    }
}

TEST_CASE("io::host_addresses: loopback is there") {
    const auto addresses = io::host_addresses();
    REQUIRE(addresses);
    bool found = false;
    for (const HostAddress& one : *addresses) {
        if (one.interface == "lo" && to_string(one.address) == "127.0.0.1") found = one.prefix == 8 && one.index > 0;
    }
    CHECK(found);
}

TEST_CASE("io::open_tcp_listener: the port is ours alone") {
    const auto first = io::open_tcp_listener(Endpoint::parse("127.0.0.1:0").value());
    REQUIRE(first);
    const Endpoint at = io::socket_name(*first)->local;
    CHECK(io::socket_name(*first)->stream);
    const auto second = io::open_tcp_listener(at);
    REQUIRE_FALSE(second);
    CHECK(second.error().message.find("address already in use") != std::string::npos);
}

TEST_CASE("io::Mark: what one process set the next one finds; rubbish is nothing") {
    std::string folder = (std::filesystem::temp_directory_path() / "natkit-mark-XXXXXX").string();
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    const std::string path = folder + "/mark";
    const Instant when{std::chrono::hours(5)};
    {
        const auto mark = io::Mark::open(path);
        REQUIRE(mark);
        CHECK_FALSE((*mark)->before());
        (*mark)->set(when);
    }
    CHECK(io::Mark::open(path).value()->before() == when);
    const io::Fd file(::open(path.c_str(), O_WRONLY));
    REQUIRE(::pwrite(file.get(), "another boot", 12, 0) == 12);
    CHECK_FALSE(io::Mark::open(path).value()->before());
    std::filesystem::remove_all(folder);
}
