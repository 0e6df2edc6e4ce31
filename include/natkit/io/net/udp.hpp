#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/time.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/loop.hpp"
#include "natkit/io/net/awaited.hpp"

namespace natkit::io {

struct UdpOptions {
    std::optional<std::uint8_t> tos;  ///< the TOS or traffic class byte of everything sent; absent: the host's default
    int receive_buffer = 0;           ///< bytes asked for (SO_RCVBUF); 0: the host's default
    bool packet_info = true;          ///< tell each datagram's destination address and interface
    Presence address = Presence::needed;  ///< of what open_udp() binds to
};

/// A bound UDP socket: non-blocking, close-on-exec, IPv6 alone on IPv6 addresses. Never with SO_REUSEADDR or
/// SO_REUSEPORT: a second process must not be able to take the port. The error names endpoint and reason: refused (in
/// use by somebody else), not_found (not an address of this host), exhausted (no descriptor left), system.
[[nodiscard]] Result<Fd> open_udp(const Endpoint& local, const UdpOptions& options = {});

/// A socket from any address and port of this host to `remote`: it learns, by a later send, that nobody listens there.
/// Errors as open_udp(); system, also where no route leads there.
[[nodiscard]] Result<Fd> open_udp_to(const Endpoint& remote);

/// A second socket on the port of `bound`, connected to `remote`: the system then finds it and its route at once, which
/// saves a third of the cost of a packet. It is as present as that one (io::Presence). Everybody else's datagrams still
/// arrive at `bound`. The port is shareable (SO_REUSEPORT) only during this call, and only for the same user.
[[nodiscard]] Result<Fd> open_connected_twin(const Fd& bound, const Endpoint& remote, const UdpOptions& options = {});

/// Applies options to a socket that somebody else opened.
[[nodiscard]] Result<void> set_udp_options(const Fd& socket, Family family, const UdpOptions& options);

/// The TOS or traffic class byte of what a socket sends; nothing when it cannot be told.
[[nodiscard]] std::optional<std::uint8_t> tos_of(const Fd& socket, Family family);

/// Whether a socket tells each datagram's destination address and interface.
[[nodiscard]] bool tells_packet_info(const Fd& socket, Family family);

/// The address a socket is bound to.
[[nodiscard]] Result<Endpoint> local_endpoint(const Fd& socket);

/// One datagram, valid during the callback only.
struct Datagram {
    std::span<const std::uint8_t> bytes;
    Endpoint source;
    IpAddress destination;               ///< unspecified when packet_info is off
    std::uint16_t destination_port = 0;  ///< 0 where the socket is of one port, or packet_info is off
    std::uint32_t interface_index = 0;   ///< 0 when packet_info is off
    Instant came{};                      ///< when the batch that it is of was read
};

enum class SendStatus : std::uint8_t {
    sent,
    later,   ///< the socket's buffer is full, or an earlier datagram was refused (ECONNREFUSED): try again
    failed,  ///< see SendResult::error_number
};

struct SendResult {
    SendStatus status = SendStatus::sent;
    int error_number = 0;
};

/// Nothing is queued, nothing is waited for.
[[nodiscard]] SendResult send_udp(const Fd& connected, std::span<const std::uint8_t> bytes);
[[nodiscard]] SendResult send_udp(const Fd& socket, const Endpoint& to, std::span<const std::uint8_t> bytes);

/// Sends and receives datagrams on a bound socket. Reads in batches (recvmmsg); nothing is queued on sending.
class UdpSocket {
  public:
    using OnDatagram = std::function<void(const Datagram&)>;

    UdpSocket(Loop& loop, Fd socket, OnDatagram on_datagram);
    ~UdpSocket();
    UdpSocket(const UdpSocket&) = delete;
    UdpSocket& operator=(const UdpSocket&) = delete;

    SendResult send(const Endpoint& to, std::span<const std::uint8_t> bytes);
    SendResult send(const Endpoint& to, std::string_view text);
    /// To the remote of a connected socket.
    SendResult send(std::span<const std::uint8_t> bytes);

    [[nodiscard]] const Endpoint& local() const noexcept { return local_; }
    [[nodiscard]] const Fd& fd() const noexcept { return socket_; }
    /// Stops or resumes reading, for a socket that another process reads at the moment.
    void read(bool on);
    /// Gives the descriptor away, for another loop; this object is of no further use.
    [[nodiscard]] Fd release();

  private:
    struct Receiver;

    Fd socket_;
    Endpoint local_;
    std::shared_ptr<Receiver> receiver_;  ///< shared with a running callback, which may destroy the socket
    std::unique_ptr<Poll> poll_;
};

}  // namespace natkit::io
