#include <map>
#include <optional>

#include "natkit/io/net/udp_ports.hpp"
#include "packet_path.hpp"

namespace natkit::relay {
namespace {

constexpr bool always = true;

/// A port: the socket that hears everybody, and one connected to the expected remote.
struct Port {
    void* slot;
    Endpoint local;
    io::UdpPorts::Socket everybody;
    std::optional<io::UdpPorts::Socket> connected;
    Endpoint remote;
    io::Presence address;
    const bool* here;  ///< whether this host has its address

    Port(io::UdpPorts& ports, BoundPort bound, void* at, const bool& present)
        : slot(at),
          local(bound.local),
          everybody(ports, std::move(bound.socket), at),
          address(bound.address),
          here(&present) {}
};

class SocketPath final : public PacketPath {
  public:
    SocketPath(io::Loop& loop, Callbacks callbacks)
        :  // A call without a connected socket costs more, one without a port does not exist: half is for ports.
          most_descriptors_(io::raise_descriptor_limit().value_or(1024) / 2),
          ports_(loop, std::move(callbacks.on_packet)),
          on_unsent_(std::move(callbacks.on_unsent)) {}

    Handle attach(BoundPort port, void* slot) override {
        const bool& here = port.address == io::Presence::awaited ? presence_of(port.local.address) : always;
        return std::make_unique<Port>(ports_, std::move(port), slot, here).release();
    }

    BoundPort detach(Handle handle) override {
        const std::unique_ptr<Port> port(static_cast<Port*>(handle));
        return {.local = port->local, .socket = port->everybody.release(), .address = port->address};
    }

    void close(Handle handle) override { delete static_cast<Port*>(handle); }

    void expect(Handle handle, const Endpoint& remote) override {
        Port& port = *static_cast<Port*>(handle);
        if (port.connected && port.remote == remote) return;
        port.connected.reset();
        const Family family = remote.address.family();
        const io::Fd& everybody = port.everybody.fd();
        auto twin = io::open_connected_twin(
            everybody, remote,
            {.tos = io::tos_of(everybody, family), .packet_info = io::tells_packet_info(everybody, family)});
        // The lowest free number is given: it tells how many are in use.
        if (!twin || static_cast<unsigned long>(twin->get()) >= most_descriptors_) return;
        port.remote = remote;
        port.connected.emplace(ports_, std::move(*twin), port.slot);
    }

    void set_tos(Handle handle, std::uint8_t tos) override {
        Port& port = *static_cast<Port*>(handle);
        const Family family = port.local.address.family();
        const io::UdpOptions options{.tos = tos, .packet_info = false};
        (void)io::set_udp_options(port.everybody.fd(), family, options);
        if (port.connected) (void)io::set_udp_options(port.connected->fd(), family, options);
    }

    void check_addresses() override {
        for (auto& [address, here] : here_) here = io::is_here(address);
    }

    [[nodiscard]] bool is_here(Handle handle) const override { return *static_cast<const Port*>(handle)->here; }

    void send(Handle from, const Endpoint& to, std::span<const std::uint8_t> bytes, void* arrival) override {
        const Port& port = *static_cast<Port*>(from);
        if (!*port.here) return on_unsent_({arrival, port.slot, to, bytes.size()});
        const bool connected = port.connected && port.remote == to;
        const io::SendResult result =
            connected ? io::send_udp(port.connected->fd(), bytes) : io::send_udp(port.everybody.fd(), to, bytes);
        if (result.status != io::SendStatus::sent) on_unsent_({arrival, port.slot, to, bytes.size()});
    }

  private:
    [[nodiscard]] const bool& presence_of(const IpAddress& address) {
        const auto known = here_.find(address);
        return known != here_.end() ? known->second : here_.emplace(address, io::is_here(address)).first->second;
    }

    unsigned long most_descriptors_;
    io::UdpPorts ports_;
    OnUnsent on_unsent_;
    std::map<IpAddress, bool> here_;  ///< addresses that are awaited
};

}  // namespace

std::unique_ptr<PacketPath> socket_path(io::Loop& loop, PacketPath::Callbacks callbacks) {
    return std::make_unique<SocketPath>(loop, std::move(callbacks));
}

}  // namespace natkit::relay
