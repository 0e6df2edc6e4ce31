#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "natkit/base/endpoint.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/loop.hpp"
#include "natkit/io/net/udp.hpp"

namespace natkit::relay {

/// A media port of this host on its way from its reservation to the thread that serves it. Without a descriptor it is
/// steered: its packets come to a socket that is no port's own.
struct BoundPort {
    Endpoint local;
    io::Fd socket;
    std::uint8_t tos = 0;  ///< of a steered port; a socket has its own
    unsigned worker = 0;   ///< of a steered port: whose socket gets its packets
    io::Presence address = io::Presence::needed;

    explicit operator bool() const noexcept { return local.port != 0; }
};
using BoundPorts = std::array<BoundPort, 2>;  ///< by component; false where a leg has no such port; of TCP the listener

/// How packets reach and leave the legs of one thread: over sockets, one a port, which needs no privilege, or with the
/// whole port range steered into one socket.
class PacketPath {
  public:
    /// `slot` is what attach() was given for the port. Valid during the call, and until the batch of packets that this
    /// one is of has been handled.
    using OnPacket = std::function<void(void* slot, const io::Datagram& packet)>;
    /// What send() was given of a packet that could not be sent. Before the end of the batch, if not within send().
    struct Unsent {
        void* arrival;  ///< the slot to which the packet came
        void* from;     ///< the slot from whose port it was to go
        Endpoint to;
        std::size_t bytes;
    };
    using OnUnsent = std::function<void(const Unsent& packet)>;
    struct Callbacks {
        OnPacket on_packet;
        OnUnsent on_unsent;
    };

    PacketPath() = default;
    PacketPath(const PacketPath&) = delete;
    PacketPath& operator=(const PacketPath&) = delete;
    virtual ~PacketPath() = default;

    using Handle = void*;  ///< one attached port; null is none
    [[nodiscard]] virtual Handle attach(BoundPort port, void* slot) = 0;
    /// The port, still bound, for another path or thread; what waits for it unread is not lost.
    [[nodiscard]] virtual BoundPort detach(Handle handle) = 0;
    /// Closes the port, which costs less than to detach it.
    virtual void close(Handle handle) = 0;
    /// A hint: much of what comes to this port comes from `remote`, and goes there. Others must be heard all the same.
    virtual void expect(Handle handle, const Endpoint& remote) = 0;
    /// Of what is sent from this port from now on.
    virtual void set_tos(Handle handle, std::uint8_t tos) = 0;
    /// This host may have got or lost addresses: nothing is sent from one that it does not have. Of ports whose address
    /// it must have, and that are not steered, nothing is looked at.
    virtual void check_addresses() = 0;
    /// Whether this host had the port's address when that was looked at last.
    [[nodiscard]] virtual bool is_here(Handle handle) const = 0;
    /// Only during OnPacket, of the packet that came to the slot `arrival`: `bytes` are those of its datagram.
    virtual void send(Handle from, const Endpoint& to, std::span<const std::uint8_t> bytes, void* arrival) = 0;
};

/// A socket a port, polled one by one; and, while descriptors are plentiful, one more connected to an expected remote.
[[nodiscard]] std::unique_ptr<PacketPath> socket_path(io::Loop& loop, PacketPath::Callbacks callbacks);
class SteeredPorts;
/// All ports through few sockets, as `ports` steers them to that worker, and packets in batches across ports; ports
/// that have a socket of their own as socket_path() does it.
[[nodiscard]] std::unique_ptr<PacketPath> steered_path(io::Loop& loop, SteeredPorts& ports, unsigned worker,
                                                       PacketPath::Callbacks callbacks);

}  // namespace natkit::relay
