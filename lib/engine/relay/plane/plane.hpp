#pragma once

#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "natkit/io/loop.hpp"
#include "natkit/io/udp.hpp"
#include "natkit/record/relay.hpp"
#include "natkit/relay/udp.hpp"
#include "tcp_plane.hpp"

/// The engine of mediarelay(1): the pure relay of natkit::relay over sockets, threads, a journal and a control socket.
namespace natkit::mediarelay {

/// How packets reach and leave the legs of one thread. Sockets, one a port, is the tier that needs no privilege; a
/// tier that steers the whole port range into one socket fits behind the same interface.
class PacketPath {
  public:
    /// `slot` is what attach() was given. Valid during the call.
    using OnPacket = std::function<void(void* slot, relay::Component component, const Endpoint& source,
                                        std::span<const std::uint8_t> bytes)>;

    PacketPath() = default;
    PacketPath(const PacketPath&) = delete;
    PacketPath& operator=(const PacketPath&) = delete;
    virtual ~PacketPath() = default;

    using Handle = void*;  ///< one attached port; null is none
    [[nodiscard]] virtual Handle attach(io::Fd port, void* slot, relay::Component component) = 0;
    /// The port, still bound, for another path or thread; what it holds unread stays in it.
    [[nodiscard]] virtual io::Fd detach(Handle handle) = 0;
    /// Closes the port, which costs less than to detach it.
    virtual void close(Handle handle) = 0;
    /// A hint: much of what comes to this port comes from `remote`, and goes there. Others must be heard all the same.
    virtual void settle(Handle handle, const Endpoint& remote) = 0;
    [[nodiscard]] virtual io::SendResult send(Handle from, const Endpoint& to, std::span<const std::uint8_t> bytes) = 0;
};

/// A socket a port, polled one by one; and, while descriptors are plentiful, one more connected to a settled remote.
[[nodiscard]] std::unique_ptr<PacketPath> socket_path(io::Loop& loop, PacketPath::OnPacket on_packet);

/// One direction of a joined stream whose both sides have latched: what a packet of this 4-tuple becomes. Two make a
/// stream.
struct FlowEntry {
    Endpoint source;       ///< the party's
    Endpoint destination;  ///< our port where it arrives
    Endpoint new_source;   ///< our port on the other side
    Endpoint new_destination;
};

/// Where forwarding faster than the packet path would live. A flow that it has taken is invisible to the packet path
/// but for what it hands back (other sources, fragments); its counters must be fetched.
class FlowTable {
  public:
    struct Count {
        std::uint64_t packets = 0;
        std::uint64_t bytes = 0;
        Instant last{};
    };
    FlowTable() = default;
    FlowTable(const FlowTable&) = delete;
    FlowTable& operator=(const FlowTable&) = delete;
    virtual ~FlowTable() = default;

    [[nodiscard]] virtual bool add(const FlowEntry& entry) = 0;
    virtual void remove(const FlowEntry& entry) = 0;
    [[nodiscard]] virtual std::vector<Count> counts(std::span<const FlowEntry> entries) = 0;
};

using Sockets = std::array<io::Fd, 2>;  ///< by component; invalid where a leg has no such port; of TCP the listener

/// The legs of one thread. Everything here runs on its loop's thread.
class Plane {
  public:
    using OnEvents = std::function<void(std::vector<relay::Event> events)>;

    Plane(io::Loop& loop, relay::Timeouts timeouts, OnEvents on_events);
    ~Plane();
    Plane(const Plane&) = delete;
    Plane& operator=(const Plane&) = delete;

    /// Adds the leg when it is new, and takes its sockets.
    void open(relay::LegKey key, relay::Stream stream, bool mux, Sockets sockets);
    /// The same for a TCP leg. What follows is for both kinds.
    void open_tcp(relay::LegKey key, unsigned connections, io::Fd listener, const IpAddress& local);
    /// Parts the leg and closes its sockets; what it has learned and counted stays.
    void close(relay::LegKey key);
    void remove(relay::LegKey key);

    /// `renew`: RFC 4145's connection:new, of TCP legs.
    void signal(relay::LegKey key, const relay::Party& party, relay::SourcePolicy policy, bool renew = false);
    void restore(relay::LegKey key, relay::Component component, const relay::Latch::Known& holder);
    void set_hold(relay::LegKey key, bool hold);
    void set_mux(relay::LegKey key, bool mux);
    void join(relay::LegKey a, relay::LegKey b);
    void part(relay::LegKey key);
    void set_timeouts(relay::Timeouts timeouts);
    void set_dial_for(const RangeSet& ranges);

    /// A UDP leg on its way to another thread.
    struct Moving {
        std::unique_ptr<relay::Leg> leg;
        Sockets sockets;
    };
    [[nodiscard]] Moving extract(relay::LegKey key);
    void insert(Moving moving);

    using Statistics = record::StatisticsByLeg;
    /// Of one leg and what it is joined to, or of all (key 0).
    void collect(relay::LegKey key, Statistics& into);

  private:
    struct Ports {
        std::array<PacketPath::Handle, 2> handles{};
    };

    void on_packet(relay::Leg& leg, relay::Component component, const Endpoint& source,
                   std::span<const std::uint8_t> bytes);
    void settle(relay::Leg& leg, relay::Component component, const Endpoint& source);
    void attach(relay::Leg& leg, Sockets sockets);
    [[nodiscard]] Sockets detach(relay::Leg& leg);
    void close_ports(relay::Leg& leg);
    void tell_events();
    void arm();
    void collect_one(const relay::Leg& leg, Instant now, Statistics& into) const;

    io::Loop& loop_;
    relay::Relay relay_;
    OnEvents on_events_;
    std::unordered_map<relay::LegKey, std::unique_ptr<Ports>> ports_;
    std::unique_ptr<PacketPath> path_;
    io::Timer timer_;
    std::unique_ptr<TcpPlane> tcp_;  ///< once there are TCP legs
    relay::Timeouts timeouts_;
    RangeSet dial_for_;
};

}  // namespace natkit::mediarelay
