#include <optional>

#include "natkit/io/net/udp_ports.hpp"
#include "packet_path.hpp"

namespace natkit::relay {
namespace {

/// A port: the socket that hears everybody, and one connected to the expected remote.
struct Port {
    void* slot;
    io::UdpPorts::Socket everybody;
    std::optional<io::UdpPorts::Socket> connected;
    Endpoint remote;

    Port(io::UdpPorts& ports, io::Fd socket, void* at) : slot(at), everybody(ports, std::move(socket), at) {}
};

class SocketPath final : public PacketPath {
  public:
    SocketPath(io::Loop& loop, OnPacket on_packet)
        :  // A call without a connected socket costs more, one without a port does not exist: half is for ports.
          most_descriptors_(io::raise_descriptor_limit().value_or(1024) / 2),
          ports_(loop, std::move(on_packet)) {}

    Handle attach(io::Fd port, void* slot) override {
        return std::make_unique<Port>(ports_, std::move(port), slot).release();
    }

    io::Fd detach(Handle handle) override {
        const std::unique_ptr<Port> port(static_cast<Port*>(handle));
        return port->everybody.release();
    }

    void close(Handle handle) override { delete static_cast<Port*>(handle); }

    void expect(Handle handle, const Endpoint& remote) override {
        Port& port = *static_cast<Port*>(handle);
        if (port.connected && port.remote == remote) return;
        port.connected.reset();
        auto twin = io::open_connected_twin(
            port.everybody.fd(), remote,
            {.tos = io::tos_of(port.everybody.fd(), remote.address.family()), .packet_info = false});
        // The lowest free number is given: it tells how many are in use.
        if (!twin || static_cast<unsigned long>(twin->get()) >= most_descriptors_) return;
        port.remote = remote;
        port.connected.emplace(ports_, std::move(*twin), port.slot);
    }

    io::SendResult send(Handle from, const Endpoint& to, std::span<const std::uint8_t> bytes) override {
        const Port& port = *static_cast<Port*>(from);
        if (port.connected && port.remote == to) return io::send_udp(port.connected->fd(), bytes);
        return io::send_udp(port.everybody.fd(), to, bytes);
    }

  private:
    unsigned long most_descriptors_;
    io::UdpPorts ports_;
};

}  // namespace

std::unique_ptr<PacketPath> socket_path(io::Loop& loop, PacketPath::OnPacket on_packet) {
    return std::make_unique<SocketPath>(loop, std::move(on_packet));
}

}  // namespace natkit::relay
