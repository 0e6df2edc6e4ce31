#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "natkit/io/loop.hpp"
#include "natkit/record/relay.hpp"
#include "natkit/relay/lan_guard.hpp"
#include "natkit/relay/relay.hpp"
#include "packet_path.hpp"
#include "promotion.hpp"
#include "reports.hpp"
#include "tcp_plane.hpp"
#include "traffic_gauge.hpp"

namespace natkit::relay {

/// The legs of one thread: Relay over a packet path. Everything here runs on its loop's thread.
class Plane {
  public:
    using OnEvents = std::function<void(std::vector<Event> events)>;

    /// With `steered` the ports come by it, to that worker's sockets; null: each port has a socket. `traffic` is told
    /// of each second; it outlives the plane.
    Plane(io::Loop& loop, Timeouts timeouts, OnEvents on_events, TrafficGauge& traffic, SteeredPorts* steered = nullptr,
          unsigned worker = 0);
    ~Plane();
    Plane(const Plane&) = delete;
    Plane& operator=(const Plane&) = delete;

    /// A leg of UDP, as it is opened.
    struct Opening {
        LegKey key = 0;
        Stream stream{};
        bool mux = false;
        std::optional<std::uint8_t> tos;
        std::string call_id;
        WallTime opened{};
    };
    /// Adds the leg when it is new, and takes its ports.
    void open(const Opening& leg, BoundPorts bound);
    /// The same for a TCP leg. What follows is for both kinds, and does nothing where there is no such leg.
    void open_tcp(LegKey key, unsigned connections, io::Fd listener, const IpAddress& local);
    /// Parts the leg and closes its ports; what it has learned and counted stays.
    void close(LegKey key);
    void remove(LegKey key);

    /// `renew`: RFC 4145's connection:new, of TCP legs.
    void signal(LegKey key, const Party& party, SourcePolicy policy, bool renew = false);
    void set_hold(LegKey key, bool hold);
    void join(LegKey a, LegKey b);
    void part(LegKey key);
    void set_timeouts(Timeouts timeouts) { relay_.legs.set_timeouts(timeouts); }
    /// Where a collector of HEP is told of the legs; nothing: it is not. While it is, RTCP is not left to the kernel.
    void set_collector(std::shared_ptr<hep::Counters> counters, std::optional<hep::Destination> destination);
    void set_guard(LanGuard guard) { guard_ = std::move(guard); }
    void set_dial_for(const RangeSet& ranges) { relay_.tcp.set_dial_for(ranges); }

    /// Of UDP legs alone.
    void restore(LegKey key, Component component, const Latch::Known& holder, Duration handover = {});
    void set_mux(LegKey key, bool mux);
    void set_tos(LegKey key, std::uint8_t tos);
    /// A UDP leg on its way to another thread.
    struct Moving {
        std::unique_ptr<Leg> leg;
        BoundPorts ports;
        Reports::About about;
    };
    [[nodiscard]] Moving extract(LegKey key);
    void insert(Moving moving);

    /// Settled streams are forwarded by the kernel from now on, also those that an earlier process has left there: the
    /// ports of these. `fast_path` outlives the plane.
    [[nodiscard]] std::vector<Endpoint> use_fast_path(FastPath& fast_path, std::uint8_t tos,
                                                      const std::vector<bpf::FlowTable::Kept>& kept);
    /// This host may have got or lost addresses.
    void check_addresses();
    /// For the end of the process: nothing is sent or told any more, and the ports close.
    void fall_silent();
    /// Of all legs that have none of their own, open ports and what the kernel forwards included.
    void set_tos(std::uint8_t tos);

    using Statistics = record::StatisticsByLeg;
    /// Of one leg and what it is joined to, or of all (key 0).
    void collect(LegKey key, Statistics& into);

  private:
    /// One port of a leg: what the packet path gives back with each packet.
    struct Port {
        UdpLeg* leg = nullptr;
        Component component{};
        PacketPath::Handle handle = nullptr;
        Endpoint local;
        unsigned interface = 0;  ///< by which the packets of its party come; 0: not known
    };
    using Ports = std::array<Port, 2>;  ///< of a leg, by component

    void on_packet(void* port, const io::Datagram& packet);
    void on_unsent(const PacketPath::Unsent& packet);
    void attach(UdpLeg& leg, BoundPorts bound);
    [[nodiscard]] BoundPorts detach(UdpLeg& leg);
    void close_ports(UdpLeg& leg);
    /// Changes a leg between what its connections have done so far and what they are to do now.
    template <class Change>
    void change(LegKey key, const Change& what);
    [[nodiscard]] std::optional<Promotion::Place> place_of(const UdpLeg& leg, Component component) const;
    /// The leg's packets are the relay's again, before anything about it changes.
    void demote(Leg* leg);
    void on_time();
    void tell_events();
    void start_timer();
    void collect_one(Leg& leg, Instant now, Statistics& into) const;
    /// When the last leg is gone, nobody looks each second any more.
    void tell_traffic_of_the_last();

    io::Loop& loop_;
    Relay relay_;
    LanGuard guard_;
    OnEvents on_events_;
    TrafficGauge& traffic_;
    bool steered_;
    bool silent_ = false;
    std::unordered_map<LegKey, std::unique_ptr<Ports>> ports_;
    std::unique_ptr<PacketPath> path_;
    std::unique_ptr<TcpPlane> tcp_;         ///< once there are TCP legs
    std::unique_ptr<Promotion> promotion_;  ///< where there is a fast path
    Reports reports_;
    io::Timer timer_;
};

}  // namespace natkit::relay
