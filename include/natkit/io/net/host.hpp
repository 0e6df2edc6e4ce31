#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/host.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/net/awaited.hpp"

namespace natkit::io {

/// The addresses of all interfaces, also of those that are down: they stay the host's own.
[[nodiscard]] Result<std::vector<HostAddress>> host_addresses();

/// A network interface.
struct Interface {
    std::string name;
    unsigned index = 0;
    bool up = false;
    bool ethernet = false;   ///< its frames have Ethernet headers; lo counts as none
    bool addressed = false;  ///< it has an IP address, so that packets come to it and not to a bridge
    std::array<std::uint8_t, 6> hardware_address{};  ///< of Ethernet
};
[[nodiscard]] Result<std::vector<Interface>> interfaces();

/// A listening TCP socket: non-blocking, close-on-exec, IPv6 alone on IPv6 addresses. SO_REUSEADDR is set, which for
/// TCP allows binding beside old connections in TIME_WAIT and never beside another listener.
[[nodiscard]] Result<Fd> open_tcp_listener(const Endpoint& local, Presence address = Presence::needed);

enum class SharedSend : unsigned char {
    sent,
    later,   ///< full buffer or an answer to something else (ECONNREFUSED): try again
    unable,  ///< this host cannot send at present: a link that is down, no route, an address that is gone, a firewall
    failed,  ///< this destination cannot be reached from this socket
};
struct SharedSendResult {
    SharedSend status{};
    int error_number = 0;
};

/// Whether an error of sending says that this host cannot send at present, and nothing of whoever it was for.
[[nodiscard]] bool is_of_this_host(int error_number) noexcept;

/// Sends one datagram on a UDP socket that another process owns: never blocks, changes nothing on the socket, which is
/// shared through its open file (so not even O_NONBLOCK is touched), and reads nothing from it.
[[nodiscard]] SharedSendResult send_shared(const Fd& socket, const Endpoint& to, std::string_view bytes) noexcept;

/// Makes a UDP or listening TCP socket that somebody else opened one like those of open_udp() and open_tcp_listener():
/// non-blocking, for UDP with packet information and a receive buffer of this many bytes, and a port that nobody can
/// take. `bad_config` for a TCP listener that was bound with SO_REUSEPORT: its port stays open to others.
[[nodiscard]] Result<void> prepare_listener(const Fd& socket, int receive_buffer);

/// How many descriptors systemd passed in (LISTEN_FDS for this process), as descriptors from 3 on; the environment
/// variables are removed so that no child takes them for its own.
[[nodiscard]] std::vector<Fd> take_listen_fds();

/// A socket's kind and bound address: what it must be to serve as a listener.
struct SocketName {
    bool stream = false;  ///< TCP, and listening
    Endpoint local;
};
[[nodiscard]] Result<SocketName> socket_name(const Fd& socket);

/// Where the other end of a connected TCP socket is.
[[nodiscard]] Result<Endpoint> peer_of(int socket);
/// Ends a connection in both directions; the descriptor stays its owner's, who finds out by reading.
void shut_down(int socket) noexcept;

/// The process that listens at the other end of a connected Unix socket (SO_PEERCRED).
[[nodiscard]] Result<int> peer_pid(const Fd& socket);

}  // namespace natkit::io
