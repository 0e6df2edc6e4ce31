#include <optional>

#include "natkit/io/udp_ports.hpp"
#include "plane.hpp"

namespace natkit::mediarelay {
namespace {

/// A port: the socket that hears everybody, and one connected to the settled remote.
struct Port {
    void* slot;
    relay::Component component;
    io::UdpPorts::Socket everybody;
    std::optional<io::UdpPorts::Socket> settled;
    Endpoint remote;

    Port(io::UdpPorts& ports, io::Fd socket, void* at, relay::Component of)
        : slot(at), component(of), everybody(ports, std::move(socket), this) {}
};

class SocketPath final : public PacketPath {
  public:
    SocketPath(io::Loop& loop, OnPacket on_packet)
        : on_packet_(std::move(on_packet)),
          // A call without a connected socket costs more, one without a port does not exist: half is for ports.
          most_descriptors_(io::raise_descriptor_limit().value_or(1024) / 2),
          ports_(loop, [this](void* owner, const io::Datagram& datagram) {
              const Port& port = *static_cast<Port*>(owner);
              on_packet_(port.slot, port.component, datagram.source, datagram.bytes);
          }) {}

    Handle attach(io::Fd port, void* slot, relay::Component component) override {
        return std::make_unique<Port>(ports_, std::move(port), slot, component).release();
    }

    io::Fd detach(Handle handle) override {
        const std::unique_ptr<Port> port(static_cast<Port*>(handle));
        return port->everybody.release();
    }

    void close(Handle handle) override { delete static_cast<Port*>(handle); }

    void settle(Handle handle, const Endpoint& remote) override {
        Port& port = *static_cast<Port*>(handle);
        if (port.settled && port.remote == remote) return;
        port.settled.reset();
        auto twin = io::open_connected_twin(
            port.everybody.fd(), remote,
            {.tos = io::tos_of(port.everybody.fd(), remote.address.family()), .packet_info = false});
        // The lowest free number is given: it tells how many are in use.
        if (!twin || static_cast<unsigned long>(twin->get()) >= most_descriptors_) return;
        port.remote = remote;
        port.settled.emplace(ports_, std::move(*twin), handle);
    }

    io::SendResult send(Handle from, const Endpoint& to, std::span<const std::uint8_t> bytes) override {
        const Port& port = *static_cast<Port*>(from);
        if (port.settled && port.remote == to) return io::send_udp(port.settled->fd(), bytes);
        return io::send_udp(port.everybody.fd(), to, bytes);
    }

  private:
    OnPacket on_packet_;
    unsigned long most_descriptors_;
    io::UdpPorts ports_;
};

}  // namespace

std::unique_ptr<PacketPath> socket_path(io::Loop& loop, PacketPath::OnPacket on_packet) {
    return std::make_unique<SocketPath>(loop, std::move(on_packet));
}

}  // namespace natkit::mediarelay
