#include "natkit/io/acceptor.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "natkit/io/lines.hpp"
#include "natkit/io/net/host.hpp"
#include "natkit/io/net/http.hpp"
#include "natkit/io/net/tcp.hpp"
#include "natkit/io/privileges.hpp"
#include "own_loopback.hpp"
#include "run_until.hpp"

using namespace natkit;
using namespace natkit::io;
using namespace std::chrono_literals;

namespace {

struct Folder {
    std::filesystem::path path;
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "natkit-acceptor-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~Folder() { std::filesystem::remove_all(path); }
};

/// Takes every descriptor that the process may still have.
class Hoard {
  public:
    Hoard() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit tight{.rlim_cur = 256, .rlim_max = before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &tight);
        for (;;) {
            Fd taken(::open("/dev/null", O_RDONLY | O_CLOEXEC));
            if (!taken) break;
            taken_.push_back(std::move(taken));
        }
    }
    ~Hoard() {
        taken_.clear();
        ::setrlimit(RLIMIT_NOFILE, &before_);
    }
    void give_up_one() { taken_.pop_back(); }

  private:
    rlimit before_{};
    std::vector<Fd> taken_;
};

/// Processor time that the loop takes in half a second of nothing to do.
Duration idle_cost(Loop& loop) {
    const auto used = [] {
        rusage usage{};
        ::getrusage(RUSAGE_SELF, &usage);
        const auto of = [](const timeval& time) {
            return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
        };
        return Duration(of(usage.ru_utime) + of(usage.ru_stime));
    };
    const Duration before = used();
    bool over = false;
    Timer end(loop, [&] { over = true; });
    end.start_in(500ms);
    while (!over) loop.run_once();
    return used() - before;
}

bool is_closed(const Fd& client) {
    char byte = 0;
    return ::recv(client.get(), &byte, 1, MSG_DONTWAIT) == 0;
}

}  // namespace

TEST_CASE("io::LineServer: out of descriptors, clients that wait are turned away and the loop rests") {
    const Folder folder;
    const std::string path = folder.path / "sock";
    Loop loop;
    std::vector<Fd> accepted;
    const auto server = LineServer::listen(loop, path, [&](Fd socket) { accepted.push_back(std::move(socket)); });
    REQUIRE(server);
    std::vector<Fd> clients;
    for (int i = 0; i < 3; ++i) clients.push_back(connect_unix(path).value());
    {
        const Hoard hoard;
        CHECK(run_until(loop, [&] { return is_closed(clients[2]); }));
        CHECK(idle_cost(loop) < 250ms);
        CHECK(accepted.empty());
    }
    clients.push_back(connect_unix(path).value());
    CHECK(run_until(loop, [&] { return accepted.size() == 1; }));
}

TEST_CASE("io::HttpServer: out of descriptors, scrapers that wait are turned away and the loop rests") {
    Loop loop;
    const Endpoint any{.address = own_loopback(), .port = 0};
    const auto server = HttpServer::listen(loop, any, [](const HttpServer::Request&, const HttpServer::Respond&) {});
    REQUIRE(server);
    int closed = 0;
    std::vector<std::unique_ptr<TcpStream>> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(
            TcpStream::connect(loop, any, (*server)->local(),
                               {.on_connected = {}, .on_bytes = {}, .on_close = [&](const Error&) { ++closed; }})
                .value());
    }
    const Hoard hoard;
    CHECK(run_until(loop, [&] { return closed == 3; }));
    CHECK(idle_cost(loop) < 250ms);
}

TEST_CASE("io::Acceptor: with not even a descriptor to give up it waits, and goes on when there is one") {
    Loop loop;
    const auto listener = open_tcp_listener({.address = own_loopback(), .port = 0}).value();
    Hoard hoard;
    int accepted = 0;
    Acceptor acceptor(loop, listener, {.on_connection = [&](Fd) { ++accepted; }});  // it found none to keep
    hoard.give_up_one();
    const Fd caller(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(caller);
    const auto name = socket_name(listener).value().local;
    sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(name.port), .sin_addr = {}, .sin_zero = {}};
    std::memcpy(&to.sin_addr, name.address.bytes().data(), sizeof to.sin_addr);
    REQUIRE(::connect(caller.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    CHECK(idle_cost(loop) < 250ms);
    CHECK(accepted == 0);
    hoard.give_up_one();
    CHECK(run_until(loop, [&] { return accepted == 1; }));
}

TEST_CASE("io::check_private_folder: a real folder, ours, closed to others") {
    const Folder folder;
    const auto refused = [](const std::string& path, const char* why) {
        const auto done = check_private_folder(path);
        return !done && done.error().code == Errc::refused && done.error().message.find(why) != std::string::npos;
    };
    const std::string path = folder.path / "run";
    CHECK_FALSE(check_private_folder(path));
    REQUIRE(::mkdir(path.c_str(), 0755) == 0);
    CHECK(check_private_folder(path));
    REQUIRE(::chmod(path.c_str(), 0775) == 0);
    CHECK(refused(path, "can be written to by group or others"));
    REQUIRE(::chmod(path.c_str(), 0757) == 0);
    CHECK(refused(path, "can be written to by group or others"));
    REQUIRE(::chmod(path.c_str(), 0750) == 0);
    CHECK(check_private_folder(path));
    std::filesystem::create_symlink(path, folder.path / "link");
    CHECK(refused(folder.path / "link", "is not a folder itself"));
    if (::geteuid() != 0) return;
    REQUIRE(::chown(path.c_str(), 12345, 12345) == 0);
    CHECK(refused(path, "belongs to user 12345"));
}

TEST_CASE("io::connect_unix: who may not connect is told who may") {
    const Folder folder;
    const std::string path = folder.path / "sock";
    Loop loop;
    const auto server = LineServer::listen(loop, path, [](Fd) {});
    REQUIRE(server);
    if (::geteuid() != 0) return;  // nobody else to be
    std::filesystem::permissions(folder.path, std::filesystem::perms::owner_all);
    REQUIRE(::seteuid(65534) == 0);
    const auto hidden = connect_unix(path);  // by its folder
    REQUIRE(::seteuid(0) == 0);
    REQUIRE_FALSE(hidden);
    CHECK(hidden.error().code == Errc::refused);
    CHECK(hidden.error().message.ends_with("permission denied; only root may"));
    REQUIRE(::chown(folder.path.c_str(), 12345, 12345) == 0);
    REQUIRE(::seteuid(65534) == 0);
    const auto others = connect_unix(path);
    REQUIRE(::seteuid(0) == 0);
    REQUIRE_FALSE(others);
    CHECK(others.error().message.ends_with("permission denied; only user 12345 and root may"));
}
