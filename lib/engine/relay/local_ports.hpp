#pragma once

#include <map>
#include <span>
#include <vector>

#include "natkit/base/host.hpp"
#include "natkit/io/net/udp_lookup.hpp"
#include "natkit/record/relay.hpp"
#include "natkit/relay/ports.hpp"
#include "plane/plane.hpp"
#include "plane/steered_ports.hpp"

namespace natkit::relay {

/// How many ports are set aside for a leg.
[[nodiscard]] inline Ports::Kind kind_of(const record::LegRecord& leg) {
    return leg.has_pair() ? Ports::Kind::pair : Ports::Kind::single;
}

/// What a leg's port is bound for. A port number serves one of them at a time.
enum class Transport : std::uint8_t { udp, tcp };

/// The media ports of every local address: chosen, bound, given back.
class LocalPorts {
  public:
    /// With addresses that are awaited, ports are bound wherever these are.
    explicit LocalPorts(PortRange range, io::Presence address = io::Presence::needed);
    /// From now on ports are taken on these addresses; what was taken stays. Of a side and family the first one that
    /// `host` has, else the first; of those that are awaited the first.
    void set_addresses(std::vector<IpAddress> lan, std::vector<IpAddress> wan, std::span<const HostAddress> host);

    /// Sets a port (pair) aside on the first address of that side and family. not_found when there is no such address.
    [[nodiscard]] Result<Endpoint> reserve(Side side, Family family, Ports::Kind kind, Instant now);
    /// The same, and binds it (for TCP: listens): both ports of a pair or none. Ports that somebody else has are passed
    /// over.
    struct Bound {
        Endpoint local;
        BoundPorts ports;
    };
    [[nodiscard]] Result<Bound> open(Side side, Family family, Ports::Kind kind, Transport transport, Instant now,
                                     std::optional<std::uint8_t> tos = {});
    /// Binds what was reserved or restored. `tos`: of its packets, instead of set_tos()'s.
    [[nodiscard]] Result<BoundPorts> bind(const Endpoint& local, Ports::Kind kind, Transport transport,
                                          std::optional<std::uint8_t> tos = {});
    /// Takes up a certain port again; false when that cannot be.
    [[nodiscard]] bool restore(const Endpoint& local, Ports::Kind kind);
    /// Closes what bind() has given, and nobody has got from there.
    void close(BoundPorts ports);
    void give_back(const Endpoint& local, Ports::Kind kind, Instant now);

    /// From now on UDP ports are steered, but for those of a family that it does not serve. `ports` must outlive this
    /// object.
    void steer_by(SteeredPorts& ports);
    void set_tos(std::optional<std::uint8_t> tos) noexcept { tos_ = tos; }
    [[nodiscard]] std::size_t total() const;
    [[nodiscard]] std::size_t in_use() const;
    [[nodiscard]] std::size_t cooling() const;

  private:
    [[nodiscard]] Result<IpAddress> address_for(Side side, Family family) const;
    /// Both ports of a pair or none.
    [[nodiscard]] Result<BoundPorts> bind_udp(const Endpoint& local, std::size_t count,
                                              std::optional<std::uint8_t> tos) const;
    [[nodiscard]] Result<BoundPorts> steer(const Endpoint& local, std::size_t count, std::optional<std::uint8_t> tos);
    /// Refused where somebody else has one of the ports, not_found where the address is not this host's.
    [[nodiscard]] Result<void> check_free(const Endpoint& local, std::size_t count);
    [[nodiscard]] Ports& ports_of(const IpAddress& address);

    PortRange range_;
    io::Presence address_;
    std::vector<IpAddress> lan_;
    std::vector<IpAddress> wan_;
    std::optional<std::uint8_t> tos_;
    std::map<IpAddress, Ports> ports_;
    Ports::Random random_;
    std::vector<IpAddress> host_;  ///< the host's own
    SteeredPorts* steered_ = nullptr;
    std::optional<io::UdpLookup> lookup_;  ///< where the kernel has it
};

}  // namespace natkit::relay
