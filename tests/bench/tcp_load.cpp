// What tests/bench/tcp runs: a source and a sink of bytes, and the plainest relay that splice() allows, to compare
// with.
//
//     tcp_load sink ADDRESS PORT                       takes connections one by one; a line of JSON for each
//     tcp_load send ADDRESS PORT SECONDS               sends for that long, then ends
//     tcp_load relay ADDRESS PORT TO-ADDRESS TO-PORT   relays connections one by one, both directions
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void die(const char* what) {
    std::fprintf(stderr, "tcp_load: %s: %s\n", what, std::strerror(errno));
    std::exit(1);
}

sockaddr_in address_of(const char* address, const char* port) {
    sockaddr_in result{};
    result.sin_family = AF_INET;
    result.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
    if (::inet_pton(AF_INET, address, &result.sin_addr) != 1) die(address);
    return result;
}

int tcp_socket() {
    const int made = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0) die("socket");
    const int on = 1;
    ::setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return made;
}

int listen_at(const char* address, const char* port) {
    const int made = tcp_socket();
    const sockaddr_in local = address_of(address, port);
    if (::bind(made, reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) die("bind");
    if (::listen(made, 16) != 0) die("listen");
    return made;
}

int connect_to(const char* address, const char* port) {
    const int made = tcp_socket();
    const sockaddr_in remote = address_of(address, port);
    if (::connect(made, reinterpret_cast<const sockaddr*>(&remote), sizeof remote) != 0) die("connect");
    return made;
}

void sink(int listener) {
    std::vector<char> buffer(1 << 20);
    for (;;) {
        const int connection = ::accept(listener, nullptr, nullptr);
        if (connection < 0) die("accept");
        unsigned long long bytes = 0;
        Clock::time_point first{};
        for (ssize_t got = 0; (got = ::recv(connection, buffer.data(), buffer.size(), 0)) > 0;) {
            if (bytes == 0) first = Clock::now();
            bytes += static_cast<unsigned long long>(got);
        }
        const double seconds = std::chrono::duration<double>(Clock::now() - first).count();
        ::close(connection);
        std::printf("{\"bytes\":%llu,\"seconds\":%.6f}\n", bytes, seconds);
        std::fflush(stdout);
    }
}

void send_for(int connection, double seconds) {
    const std::vector<char> buffer(1 << 18, 'x');
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    while (Clock::now() < end) {
        if (::send(connection, buffer.data(), buffer.size(), MSG_NOSIGNAL) < 0) die("send");
    }
    ::shutdown(connection, SHUT_WR);
    char byte = 0;
    (void)!::read(connection, &byte, 1);  // until the other end has it all
}

void carry(int from, int to) {
    int pipe[2];
    if (::pipe2(pipe, O_CLOEXEC) != 0) die("pipe2");
    const int size = 1 << 18;
    (void)::fcntl(pipe[1], F_SETPIPE_SZ, size);
    for (;;) {
        const ssize_t got = ::splice(from, nullptr, pipe[1], nullptr, size, SPLICE_F_MOVE);
        if (got <= 0) break;
        for (ssize_t left = got; left > 0;) {
            const ssize_t put = ::splice(pipe[0], nullptr, to, nullptr, static_cast<std::size_t>(left), SPLICE_F_MOVE);
            if (put <= 0) die("splice");
            left -= put;
        }
    }
    ::shutdown(to, SHUT_WR);
    ::close(pipe[0]);
    ::close(pipe[1]);
}

void relay(int listener, const char* address, const char* port) {
    for (;;) {
        const int a = ::accept(listener, nullptr, nullptr);
        if (a < 0) die("accept");
        const int b = connect_to(address, port);
        const int on = 1;
        for (const int each : {a, b}) ::setsockopt(each, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        std::thread back([=] { carry(b, a); });
        carry(a, b);
        back.join();
        ::close(a);
        ::close(b);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const std::string mode = argc > 1 ? argv[1] : "";
    if (mode == "sink" && argc == 4) sink(listen_at(argv[2], argv[3]));
    if (mode == "send" && argc == 5) return send_for(connect_to(argv[2], argv[3]), std::atof(argv[4])), 0;
    if (mode == "relay" && argc == 6) relay(listen_at(argv[2], argv[3]), argv[4], argv[5]);
    std::fprintf(stderr,
                 "usage: tcp_load sink ADDRESS PORT | send ADDRESS PORT SECONDS | relay ADDRESS PORT TO PORT\n");
    return 2;
}
