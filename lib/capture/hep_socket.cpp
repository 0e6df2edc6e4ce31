// HEP datagrams from the network.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <vector>

#include "formats.hpp"

namespace natkit::capture {
namespace {

constexpr std::size_t largest_hep = 65'535;
constexpr std::uint64_t datagrams_a_look = 256;
constexpr int hep_wait_ms = 250;
constexpr int socket_bytes = 8 * 1024 * 1024;  // bytes

class HepSocket final : public PacketReader::Format {
  public:
    explicit HepSocket(const Endpoint& local) : Format(ByteSource::of({}, "hep " + to_string(local))) {}
    HepSocket(const HepSocket&) = delete;
    HepSocket& operator=(const HepSocket&) = delete;
    ~HepSocket() override {
        if (fd_ >= 0) ::close(fd_);
    }

    Result<void> open(const Endpoint& local) {
        const bool v4 = local.address.is_v4();
        fd_ = ::socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd_ < 0) return fail_errno(source.name(), errno);
        (void)::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &socket_bytes, sizeof socket_bytes);  // as much as we may have
        const auto bytes = local.address.bytes();
        sockaddr_in four{};
        sockaddr_in6 six{};
        int done = 0;
        if (v4) {
            four.sin_family = AF_INET;
            four.sin_port = htons(local.port);
            std::copy_n(bytes.begin(), 4, reinterpret_cast<std::uint8_t*>(&four.sin_addr));
            done = ::bind(fd_, reinterpret_cast<const sockaddr*>(&four), sizeof four);
        } else {
            six.sin6_family = AF_INET6;
            six.sin6_port = htons(local.port);
            std::copy_n(bytes.begin(), 16, reinterpret_cast<std::uint8_t*>(&six.sin6_addr));
            done = ::bind(fd_, reinterpret_cast<const sockaddr*>(&six), sizeof six);
        }
        if (done != 0) return fail_errno(source.name(), errno);
        return {};
    }

    Result<std::optional<Packet>> next() override {
        if (wait && frames_ % datagrams_a_look == datagrams_a_look - 1 && !wait()) return std::nullopt;
        for (;;) {
            pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
            if (::poll(&waiting, 1, hep_wait_ms) <= 0) {
                if (wait && !wait()) return std::nullopt;
                continue;
            }
            const ssize_t size = ::recv(fd_, bytes_.data(), bytes_.size(), MSG_DONTWAIT);
            if (size < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNREFUSED)) continue;
            if (size < 0) return fail_errno(source.name(), errno);
            const auto now = std::chrono::system_clock::now().time_since_epoch();
            return Packet{.frame = ++frames_,
                          .time_ns = std::chrono::nanoseconds(now).count(),
                          .link_type = link_type_hep,
                          .bytes = {bytes_.data(), static_cast<std::size_t>(size)},
                          .original_length = static_cast<std::uint32_t>(size)};
        }
    }

  private:
    int fd_ = -1;
    std::vector<std::uint8_t> bytes_ = std::vector<std::uint8_t>(largest_hep);
    std::uint64_t frames_ = 0;
};

}  // namespace

Result<std::unique_ptr<PacketReader::Format>> open_hep(const Endpoint& local) {
    auto socket = std::make_unique<HepSocket>(local);
    if (auto ok = socket->open(local); !ok) return std::unexpected(ok.error());
    return socket;
}

}  // namespace natkit::capture
