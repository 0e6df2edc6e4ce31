#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/time.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/loop.hpp"
#include "natkit/io/net/udp.hpp"

namespace natkit::relay {

/// How packets reach and leave the legs of one thread. Sockets, one a port, is the tier that needs no privilege; a
/// tier that steers the whole port range into one socket fits behind the same interface.
class PacketPath {
  public:
    /// `slot` is what attach() was given for the port. Valid during the call.
    using OnPacket = std::function<void(void* slot, const io::Datagram& packet)>;

    PacketPath() = default;
    PacketPath(const PacketPath&) = delete;
    PacketPath& operator=(const PacketPath&) = delete;
    virtual ~PacketPath() = default;

    using Handle = void*;  ///< one attached port; null is none
    [[nodiscard]] virtual Handle attach(io::Fd port, void* slot) = 0;
    /// The port, still bound, for another path or thread; what it holds unread stays in it.
    [[nodiscard]] virtual io::Fd detach(Handle handle) = 0;
    /// Closes the port, which costs less than to detach it.
    virtual void close(Handle handle) = 0;
    /// A hint: much of what comes to this port comes from `remote`, and goes there. Others must be heard all the same.
    virtual void expect(Handle handle, const Endpoint& remote) = 0;
    [[nodiscard]] virtual io::SendResult send(Handle from, const Endpoint& to, std::span<const std::uint8_t> bytes) = 0;
};

/// A socket a port, polled one by one; and, while descriptors are plentiful, one more connected to an expected remote.
[[nodiscard]] std::unique_ptr<PacketPath> socket_path(io::Loop& loop, PacketPath::OnPacket on_packet);

/// One direction of a joined stream whose both sides have latched: what a packet from this source to this destination
/// becomes. Two make a stream.
struct FastPathEntry {
    Endpoint source;       ///< the party's
    Endpoint destination;  ///< our port where it arrives
    Endpoint new_source;   ///< our port on the other side
    Endpoint new_destination;
};

/// Where forwarding faster than the packet path would live. What it has an entry for is invisible to the packet path
/// but for what it hands back (other sources, fragments); its counters must be fetched.
class FastPath {
  public:
    struct Count {
        std::uint64_t packets = 0;
        std::uint64_t bytes = 0;
        Instant last{};
    };
    FastPath() = default;
    FastPath(const FastPath&) = delete;
    FastPath& operator=(const FastPath&) = delete;
    virtual ~FastPath() = default;

    [[nodiscard]] virtual bool add(const FastPathEntry& entry) = 0;
    virtual void remove(const FastPathEntry& entry) = 0;
    [[nodiscard]] virtual std::vector<Count> counts(std::span<const FastPathEntry> entries) = 0;
};

}  // namespace natkit::relay
