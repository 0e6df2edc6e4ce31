#include "natkit/io/net/stream.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string>

using namespace natkit;
using namespace natkit::io;
using namespace std::chrono_literals;

namespace {

/// Two ends of one TCP connection over loopback.
struct Wire {
    Fd here;   ///< what the code under test gets
    Fd there;  ///< the party's
};

Endpoint name_of(const Fd& socket) {
    sockaddr_in name{};
    socklen_t length = sizeof name;
    REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &length) == 0);
    return {*IpAddress::parse("127.0.0.1"), ntohs(name.sin_port)};
}

Fd connect_to(const Endpoint& remote) {
    Fd made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(remote.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(made.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    return made;
}

Fd listen_here() {
    auto listener = open_stream_listener({*IpAddress::parse("127.0.0.1"), 0});
    REQUIRE(listener.has_value());
    return std::move(*listener);
}

Wire wire() {
    const Fd listener = listen_here();
    Wire made;
    made.there = connect_to(name_of(listener));
    made.here = Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    REQUIRE(made.here);
    set_stream_options(made.here);
    return made;
}

void say(const Fd& socket, const std::string& text, int flags = 0) {
    REQUIRE(::send(socket.get(), text.data(), text.size(), flags | MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
}

/// All that is there now; `end` becomes 0 at the end of the direction, else errno.
std::string hear(const Fd& socket, int* end = nullptr) {
    std::string all;
    char part[65536];
    for (;;) {
        const ssize_t got = ::recv(socket.get(), part, sizeof part, MSG_DONTWAIT);
        if (got > 0) {
            all.append(part, static_cast<std::size_t>(got));
            continue;
        }
        if (end != nullptr) *end = got == 0 ? 0 : errno;
        return all;
    }
}

/// As much as the system takes without waiting.
std::size_t stuff(const Fd& socket) {
    const std::string block(65536, 'x');
    std::size_t sent = 0;
    for (ssize_t put = 0; (put = ::send(socket.get(), block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL)) > 0;) {
        sent += static_cast<std::size_t>(put);
    }
    return sent;
}

/// Turns the loop until `done`, at most for `time`; how often it woke.
int turn(Loop& loop, Duration time, const std::function<bool()>& done = [] { return false; }) {
    bool late = false;
    Timer limit(loop, [&] { late = true; });
    limit.start_in(time);
    int turns = 0;
    for (; !late && !done(); ++turns) loop.run_once();
    return turns;
}

void break_off(Fd socket) {
    reset_stream(std::move(socket));
}

/// While it lives, no descriptor is to be had.
class NoDescriptors {
  public:
    NoDescriptors() {
        REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
        const int next = ::dup(0);
        REQUIRE(next >= 0);
        ::close(next);
        const rlimit none{.rlim_cur = static_cast<rlim_t>(next), .rlim_max = before_.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    }
    ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;

  private:
    rlimit before_{};
};

/// Two parties with a pair between them.
struct Relayed {
    Loop loop;
    PipePool pipes;
    LossSet losses{loop};
    Fd a, b;  ///< the parties'
    std::unique_ptr<StreamPair> pair;
    std::optional<StreamPair::End> ended;

    Relayed() {
        Wire left = wire();
        Wire right = wire();
        a = std::move(left.there);
        b = std::move(right.there);
        pair = std::make_unique<StreamPair>(loop, pipes, losses, std::move(left.here), std::move(right.here),
                                            [this](StreamPair::End end) {
                                                ended = end;
                                                pair.reset();
                                            });
    }
    /// What `to` has heard once it is `size` bytes, or its direction has ended.
    std::string heard(const Fd& to, std::size_t size, int* end = nullptr) {
        std::string all;
        int how = EAGAIN;
        turn(loop, 5s, [&] {
            all += hear(to, &how);
            return all.size() >= size || how != EAGAIN;
        });
        if (end != nullptr) *end = how;
        return all;
    }
};

/// A wake-up or two for what happens, and the timers; a busy loop makes thousands.
constexpr int few = 40;

}  // namespace

TEST_CASE("io::StreamPair: bytes, the end of each direction, and the end of both") {
    Relayed relayed;
    int end = -1;
    say(relayed.a, "question");
    ::shutdown(relayed.a.get(), SHUT_WR);
    CHECK(relayed.heard(relayed.b, 100, &end) == "question");
    CHECK(end == 0);
    CHECK(relayed.pair->side(0).finished);
    say(relayed.b, "answer");
    ::shutdown(relayed.b.get(), SHUT_WR);
    CHECK(relayed.heard(relayed.a, 100, &end) == "answer");
    CHECK(end == 0);
    CHECK(relayed.ended == StreamPair::End::closed);
}

TEST_CASE("io::StreamPair: an urgent byte stays in its place, and costs no time") {
    Relayed relayed;
    SUBCASE("among data, with more later") {
        say(relayed.a, "before");
        say(relayed.a, "!", MSG_OOB);
        CHECK(relayed.heard(relayed.b, 7) == "before!");
        CHECK(turn(relayed.loop, 200ms) < few);
        say(relayed.a, "after");
        CHECK(relayed.heard(relayed.b, 5) == "after");
    }
    SUBCASE("with data and the end behind it") {
        say(relayed.a, "before");
        say(relayed.a, "!", MSG_OOB);
        say(relayed.a, "after");
        ::shutdown(relayed.a.get(), SHUT_WR);
        int end = -1;
        CHECK(relayed.heard(relayed.b, 100, &end) == "before!after");
        CHECK(end == 0);
    }
    SUBCASE("the last byte of all, alone") {
        say(relayed.a, "!", MSG_OOB);
        ::shutdown(relayed.a.get(), SHUT_WR);
        int end = -1;
        CHECK(relayed.heard(relayed.b, 100, &end) == "!");
        CHECK(end == 0);
    }
    SUBCASE("while the other side takes nothing") {
        const std::string block(65536, 'x');
        std::size_t sent = 0;
        while (relayed.pair->side(0).received == sent) {
            say(relayed.a, block);
            sent += block.size();
            turn(relayed.loop, 20ms);
        }
        say(relayed.a, "!", MSG_OOB);
        CHECK(turn(relayed.loop, 200ms) < few);
        const std::string all = relayed.heard(relayed.b, sent + 1);
        CHECK(all.size() == sent + 1);
        CHECK(all.back() == '!');
    }
}

TEST_CASE("io::StreamPair: a reset goes on, after what came before it") {
    Relayed relayed;
    int end = -1;
    SUBCASE("right behind data") {
        say(relayed.a, "last words");
        break_off(std::move(relayed.a));
        CHECK(relayed.heard(relayed.b, 100, &end) == "last words");
        CHECK(end == ECONNRESET);
        CHECK(relayed.ended == StreamPair::End::reset);
    }
    SUBCASE("with bytes held for a side that takes none") {
        while (stuff(relayed.a) > 0) turn(relayed.loop, 20ms);
        const auto before = relayed.pair->side(0).received;
        CHECK(before > 0);
        break_off(std::move(relayed.a));
        turn(relayed.loop, 5s, [&] { return relayed.ended.has_value(); });
        CHECK(relayed.ended == StreamPair::End::reset);
        (void)hear(relayed.b, &end);
        CHECK(end == ECONNRESET);
    }
    SUBCASE("of the side that takes none") {
        while (stuff(relayed.a) > 0) turn(relayed.loop, 20ms);
        break_off(std::move(relayed.b));
        turn(relayed.loop, 5s, [&] { return relayed.ended.has_value(); });
        CHECK(relayed.ended == StreamPair::End::reset);
    }
}

TEST_CASE("io::StreamPair: without a descriptor for a pipe it waits, and loses nothing") {
    Relayed relayed;
    SUBCASE("nothing moves yet") {
        {
            const NoDescriptors none;
            say(relayed.a, "from a");
            say(relayed.b, "from b");
            CHECK(turn(relayed.loop, 300ms) < few);
            CHECK(hear(relayed.b).empty());
        }
        CHECK(relayed.heard(relayed.b, 6) == "from a");
        CHECK(relayed.heard(relayed.a, 6) == "from b");
    }
    SUBCASE("one direction has a pipe, and its reader is slow") {
        std::size_t sent = 0;
        for (std::size_t put = 1; put > 0; sent += put = stuff(relayed.a)) turn(relayed.loop, 20ms);
        const NoDescriptors none;
        say(relayed.b, "from b");
        std::size_t got = 0;
        CHECK(turn(relayed.loop, 300ms) < few);
        turn(relayed.loop, 10s, [&] { return (got += hear(relayed.b).size()) >= sent; });
        CHECK(got == sent);
        CHECK(relayed.heard(relayed.a, 6) == "from b");  // by the pipe that came free
    }
}

TEST_CASE("io::StreamAcceptor: out of descriptors it waits, and takes up what came meanwhile") {
    Loop loop;
    Fd listener = listen_here();
    const Endpoint local = name_of(listener);
    std::vector<Fd> taken;
    StreamAcceptor acceptor(loop, std::move(listener),
                            [&](Fd connection, const Endpoint&) { taken.push_back(std::move(connection)); });
    const Fd one = connect_to(local);
    const Fd two = connect_to(local);
    {
        const NoDescriptors none;
        CHECK(turn(loop, 500ms) < few);
        CHECK(taken.empty());
    }
    turn(loop, 5s, [&] { return taken.size() == 2; });
    CHECK(taken.size() == 2);
}

TEST_CASE("io::StreamDialler: a connection or the reason") {
    Loop loop;
    const IpAddress here = *IpAddress::parse("127.0.0.1");
    Fd listener = listen_here();
    const Endpoint local = name_of(listener);
    const auto dial = [&] {
        std::optional<int> error;
        StreamDialler dialler(loop, here, local, [&](Fd connection, int number) {
            error = number;
            CHECK(static_cast<bool>(connection) == (number == 0));
        });
        CHECK_FALSE(error);  // never before it has returned
        turn(loop, 5s, [&] { return error.has_value(); });
        return error.value_or(-1);
    };
    CHECK(dial() == 0);
    {
        const NoDescriptors none;
        CHECK(dial() == EMFILE);
    }
    listener.reset();
    CHECK(dial() == ECONNREFUSED);
}

TEST_CASE("io::LossWatch: only what is gone is news") {
    Loop loop;
    LossSet losses(loop);
    Wire one = wire();
    Wire other = wire();
    int lost = 0;
    LossWatch watch(losses, one.here.get(), [&] { ++lost; });
    {
        const LossWatch ended_before(losses, other.here.get(), [&] { lost += 100; });
    }
    say(one.there, "data");
    say(one.there, "!", MSG_OOB);
    ::shutdown(one.there.get(), SHUT_WR);
    break_off(std::move(other.there));
    CHECK(turn(loop, 200ms) < few);
    CHECK(lost == 0);
    SUBCASE("a reset") {
        break_off(std::move(one.there));
    }
    SUBCASE("the end of both directions") {
        ::shutdown(one.here.get(), SHUT_WR);
    }
    turn(loop, 5s, [&] { return lost > 0; });
    CHECK(turn(loop, 100ms) < few);
    CHECK(lost == 1);  // once
}
