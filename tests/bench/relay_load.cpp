// A load for tests/bench/relay: RTP both ways through the ports of many calls, with the time of sending in each packet.
//   relay_load ADDRESS_A ADDRESS_B RELAY_ADDRESS SECONDS smooth|burst < lines of "PORT_A PORT_B"
// All A parties share one socket (port 6000) and so do all B parties: a relay tells calls apart by its own ports.
// Prints one JSON object: packets, CPU time of sending (the relay's receive path runs in it on a veth), latency.
#include <arpa/inet.h>
#include <sched.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t packet_size = 172;
constexpr std::uint64_t tick_ns = 1'000'000;
constexpr std::size_t ticks = 20;  // of 1 ms: a packet each 20 ms

std::uint64_t now_ns(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_nsec);
}

sockaddr_in address(const char* text, int port) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(static_cast<std::uint16_t>(port));
    if (inet_pton(AF_INET, text, &in.sin_addr) != 1) std::exit(2);
    return in;
}

int bound(const char* text, int port) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    const sockaddr_in local = address(text, port);
    const int size = 16 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) std::exit(2);
    return fd;
}

struct Stream {
    int fd;
    sockaddr_in to;
    std::uint8_t packet[packet_size];
    std::uint16_t sequence = 0;
};

std::vector<std::uint32_t> latencies;  // µs
std::atomic<bool> ending{false};
std::uint64_t started = 0;

void receive(int a, int b) {
    static std::uint8_t buffers[64][2048];
    mmsghdr messages[64]{};
    iovec vectors[64];
    for (int i = 0; i < 64; ++i) {
        vectors[i] = {buffers[i], sizeof buffers[i]};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    while (!ending) {
        bool idle = true;
        for (const int fd : {a, b}) {
            const int got = recvmmsg(fd, messages, 64, MSG_DONTWAIT, nullptr);
            const std::uint64_t now = now_ns(CLOCK_MONOTONIC);
            for (int i = 0; i < got; ++i) {
                std::uint64_t sent = 0;
                std::memcpy(&sent, buffers[i] + 16, sizeof sent);
                if (sent < started) continue;  // of an earlier run
                latencies.push_back(static_cast<std::uint32_t>((now - sent) / 1000));
            }
            idle = idle && got <= 0;
        }
        if (idle) usleep(100);
    }
}

void send(std::vector<Stream>& streams, std::size_t first, std::size_t step) {
    static std::vector<mmsghdr> messages;
    static std::vector<iovec> vectors;
    for (const int fd : {streams[0].fd, streams[1].fd}) {
        messages.clear();
        vectors.clear();
        vectors.reserve(streams.size());
        for (std::size_t i = first; i < streams.size(); i += step) {
            Stream& stream = streams[i];
            if (stream.fd != fd) continue;
            ++stream.sequence;
            stream.packet[2] = static_cast<std::uint8_t>(stream.sequence >> 8);
            stream.packet[3] = static_cast<std::uint8_t>(stream.sequence);
            const std::uint32_t timestamp = htonl(stream.sequence * 160U);
            std::memcpy(stream.packet + 4, &timestamp, 4);
            const std::uint64_t now = now_ns(CLOCK_MONOTONIC);
            std::memcpy(stream.packet + 16, &now, sizeof now);
            vectors.push_back({stream.packet, packet_size});
            mmsghdr message{};
            message.msg_hdr.msg_name = &stream.to;
            message.msg_hdr.msg_namelen = sizeof stream.to;
            message.msg_hdr.msg_iov = &vectors.back();
            message.msg_hdr.msg_iovlen = 1;
            messages.push_back(message);
        }
        for (std::size_t done = 0; done < messages.size();) {
            const int sent = sendmmsg(fd, messages.data() + done, static_cast<unsigned>(messages.size() - done), 0);
            done += sent > 0 ? static_cast<std::size_t>(sent) : 1;
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 6) return 2;
    const int a = bound(argv[1], 6000);
    const int b = bound(argv[2], 6000);
    const bool burst = std::strcmp(argv[5], "burst") == 0;
    std::vector<Stream> streams;
    int port_a = 0;
    int port_b = 0;
    while (std::scanf("%d %d", &port_a, &port_b) == 2) {
        for (const auto& [fd, port] : {std::pair(a, port_a), std::pair(b, port_b)}) {
            Stream stream{.fd = fd, .to = address(argv[3], port), .packet = {}};
            stream.packet[0] = 0x80;
            const std::uint32_t ssrc = htonl(static_cast<std::uint32_t>(streams.size() + 1));
            std::memcpy(stream.packet + 8, &ssrc, 4);
            streams.push_back(stream);
        }
    }
    if (streams.empty()) return 2;
    latencies.reserve(streams.size() * 60 * static_cast<std::size_t>(std::atoi(argv[4]) + 1));
    started = now_ns(CLOCK_MONOTONIC);
    std::thread receiver(receive, a, b);
    std::uint64_t next = now_ns(CLOCK_MONOTONIC);
    const std::uint64_t cpu_before = now_ns(CLOCK_THREAD_CPUTIME_ID);
    const std::size_t rounds = static_cast<std::size_t>(std::atoi(argv[4])) * 50;
    for (std::size_t round = 0; round < rounds; ++round) {
        for (std::size_t tick = 0; tick < ticks; ++tick) {
            if (!burst || tick == 0) send(streams, burst ? 0 : tick, burst ? 1 : ticks);
            next += tick_ns;
            const timespec until{.tv_sec = static_cast<time_t>(next / 1'000'000'000U),
                                 .tv_nsec = static_cast<long>(next % 1'000'000'000U)};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
        }
    }
    const std::uint64_t cpu = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_before;
    usleep(300'000);
    ending = true;
    receiver.join();
    std::sort(latencies.begin(), latencies.end());
    const auto at = [](double share) {
        return latencies.empty()
                   ? 0U
                   : latencies[static_cast<std::size_t>(share * static_cast<double>(latencies.size() - 1))];
    };
    std::printf("{\"sent\":%zu,\"received\":%zu,\"send_cpu_ns\":%llu,\"p50_us\":%u,\"p99_us\":%u}\n",
                rounds * streams.size(), latencies.size(), static_cast<unsigned long long>(cpu), at(0.5), at(0.99));
    return 0;
}
