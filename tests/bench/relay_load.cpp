// A load for tests/bench/relay: RTP both ways through the ports of many calls, with the time of sending in each packet.
//   relay_load ADDRESS_A ADDRESS_B RELAY_A RELAY_B SECONDS smooth|burst|single|counted INTERVAL_US < "PORT_A PORT_B"
//   lines relay_load pairs ADDRESS COUNT     opens and closes pairs of UDP sockets, 1,000 at once
// Each stream has a packet each INTERVAL_US. smooth: spread over 20 instants of the interval; burst: all at one;
// single: as smooth, each packet with a system call and a time of its own, for latency; counted: as smooth, and what
// arrives at the sockets is counted there and not read, which would cost the sender half its CPU. All A parties share
// one socket (port 6000) and so do all B parties: a relay tells calls apart by its own ports. Addresses of either
// family. Prints one JSON object: packets, CPU time of sending (the relay's receive path runs in it on a veth), the
// rate that was reached, latency up to the kernel's time of arrival (SO_TIMESTAMPNS).
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
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
constexpr std::size_t ticks = 20;  // of an interval

std::uint64_t now_ns(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_nsec);
}

struct Address {
    sockaddr_storage storage{};
    socklen_t length = 0;
    [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Address address(const char* text, int port) {
    Address result;
    auto* four = reinterpret_cast<sockaddr_in*>(&result.storage);
    auto* six = reinterpret_cast<sockaddr_in6*>(&result.storage);
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(static_cast<std::uint16_t>(port));
        result.length = sizeof *four;
    } else {
        if (inet_pton(AF_INET6, text, &six->sin6_addr) != 1) std::exit(2);
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(static_cast<std::uint16_t>(port));
        result.length = sizeof *six;
    }
    return result;
}

int bound(const char* text, int port) {
    const Address local = address(text, port);
    const int fd = socket(local.storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    const int size = 16 << 20;
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    if (bind(fd, local.get(), local.length) != 0) std::exit(2);
    return fd;
}

struct Stream {
    int fd;
    Address to;
    std::uint8_t packet[packet_size];
    std::uint16_t sequence = 0;
};

std::vector<std::uint32_t> latencies;  // ns
std::atomic<bool> ending{false};
std::uint64_t started = 0;

/// When the kernel got the packet.
std::uint64_t arrival(msghdr& header) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
        timespec time{};
        std::memcpy(&time, CMSG_DATA(part), sizeof time);
        return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_nsec);
    }
    return 0;
}

void receive(int a, int b) {
    static std::uint8_t buffers[64][2048];
    static std::uint8_t controls[64][64];
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
            for (int i = 0; i < 64; ++i) {
                messages[i].msg_hdr.msg_control = controls[i];
                messages[i].msg_hdr.msg_controllen = sizeof controls[i];
            }
            const int got = recvmmsg(fd, messages, 64, MSG_DONTWAIT, nullptr);
            for (int i = 0; i < got; ++i) {
                std::uint64_t sent = 0;
                std::memcpy(&sent, buffers[i] + 16, sizeof sent);
                if (sent < started) continue;  // of an earlier run
                const std::uint64_t at = arrival(messages[i].msg_hdr);
                latencies.push_back(
                    static_cast<std::uint32_t>(std::min<std::uint64_t>(at > sent ? at - sent : 0, ~0U)));
            }
            idle = idle && got <= 0;
        }
        if (idle) usleep(100);
    }
}

/// From now on the kernel drops what arrives at the socket, and counts it (dropped()).
void drop_all(int fd) {
    sock_filter nothing{.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = 0};
    const sock_fprog program{.len = 1, .filter = &nothing};
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) std::exit(2);
}

std::uint32_t dropped(int fd) {
    std::uint32_t values[SK_MEMINFO_VARS]{};
    socklen_t length = sizeof values;
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values, &length) != 0) std::exit(2);
    return values[SK_MEMINFO_DROPS];
}

void send(std::vector<Stream>& streams, std::size_t first, std::size_t step, bool single) {
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
            const std::uint64_t now = now_ns(CLOCK_REALTIME);
            std::memcpy(stream.packet + 16, &now, sizeof now);
            if (single) {
                sendto(fd, stream.packet, packet_size, 0, stream.to.get(), stream.to.length);
                continue;
            }
            vectors.push_back({stream.packet, packet_size});
            mmsghdr message{};
            message.msg_hdr.msg_name = &stream.to.storage;
            message.msg_hdr.msg_namelen = stream.to.length;
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

/// CPU time of opening and closing a pair.
int pairs(const char* text, int count) {
    constexpr int at_once = 1000;
    std::vector<int> open;
    const std::uint64_t before = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (int done = 0; done < count; done += at_once) {
        for (int port = 20000; port < 20000 + 2 * at_once; ++port) open.push_back(bound(text, port));
        for (const int fd : open) close(fd);
        open.clear();
    }
    std::printf("{\"pair_us\":%.2f}\n", static_cast<double>(now_ns(CLOCK_PROCESS_CPUTIME_ID) - before) / count / 1000);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 4 && std::strcmp(argv[1], "pairs") == 0) return pairs(argv[2], std::atoi(argv[3]));
    if (argc != 8) return 2;
    const int a = bound(argv[1], 6000);
    const int b = bound(argv[2], 6000);
    const std::size_t seconds = static_cast<std::size_t>(std::atoi(argv[5]));
    const bool burst = std::strcmp(argv[6], "burst") == 0;
    const bool single = std::strcmp(argv[6], "single") == 0;
    const bool counted = std::strcmp(argv[6], "counted") == 0;
    const std::uint64_t interval_ns = static_cast<std::uint64_t>(std::atoi(argv[7])) * 1000;
    if (interval_ns == 0) return 2;
    std::vector<Stream> streams;
    int port_a = 0;
    int port_b = 0;
    while (std::scanf("%d %d", &port_a, &port_b) == 2) {
        for (const bool of_a : {true, false}) {
            Stream stream{.fd = of_a ? a : b, .to = address(argv[of_a ? 3 : 4], of_a ? port_a : port_b), .packet = {}};
            stream.packet[0] = 0x80;
            const std::uint32_t ssrc = htonl(static_cast<std::uint32_t>(streams.size() + 1));
            std::memcpy(stream.packet + 8, &ssrc, 4);
            streams.push_back(stream);
        }
    }
    if (streams.empty()) return 2;
    const std::size_t rounds = seconds * 1'000'000'000U / interval_ns;
    if (!counted) latencies.reserve(streams.size() * (rounds + 10));
    started = now_ns(CLOCK_REALTIME);
    std::thread receiver;
    if (counted) {
        for (const int fd : {a, b}) drop_all(fd);
        usleep(200'000);  // what a run before has sent
    } else {
        receiver = std::thread(receive, a, b);
    }
    const std::uint32_t dropped_before = dropped(a) + dropped(b);
    std::uint64_t next = now_ns(CLOCK_MONOTONIC);
    const std::uint64_t cpu_before = now_ns(CLOCK_THREAD_CPUTIME_ID);
    const std::uint64_t began = next;
    for (std::size_t round = 0; round < rounds; ++round) {
        for (std::size_t tick = 0; tick < ticks; ++tick) {
            if (!burst || tick == 0) send(streams, burst ? 0 : tick, burst ? 1 : ticks, single);
            next += interval_ns / ticks;
            const timespec until{.tv_sec = static_cast<time_t>(next / 1'000'000'000U),
                                 .tv_nsec = static_cast<long>(next % 1'000'000'000U)};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
        }
    }
    const std::uint64_t cpu = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_before;
    const std::uint64_t took = now_ns(CLOCK_MONOTONIC) - began;
    usleep(300'000);
    ending = true;
    if (receiver.joinable()) receiver.join();
    const std::size_t received = counted ? dropped(a) + dropped(b) - dropped_before : latencies.size();
    std::sort(latencies.begin(), latencies.end());
    const auto at = [](double share) {
        return latencies.empty()
                   ? 0.0
                   : latencies[static_cast<std::size_t>(share * static_cast<double>(latencies.size() - 1))] / 1000.0;
    };
    const std::size_t sent = rounds * streams.size();
    std::printf("{\"sent\":%zu,\"received\":%zu,\"send_cpu_ns\":%llu,\"rate\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
                sent, received, static_cast<unsigned long long>(cpu),
                static_cast<double>(sent) * 1e9 / static_cast<double>(took), at(0.5), at(0.99));
    return 0;
}
