#include <optional>

#include "natkit/engine/relay/plane.hpp"

namespace natkit::mediarelay {
namespace {

/// A port: the socket that hears everybody, and one connected to the settled remote.
struct Port {
    void* slot = nullptr;
    relay::Component component{};
    std::unique_ptr<io::UdpSocket> everybody;
    std::unique_ptr<io::UdpSocket> settled;
    Endpoint remote;
};

class SocketPath final : public PacketPath {
  public:
    SocketPath(io::Loop& loop, OnPacket on_packet)
        : loop_(loop),
          on_packet_(std::move(on_packet)),
          // A call without a connected socket costs more, one without a port does not exist: half is for ports.
          most_descriptors_(io::raise_descriptor_limit().value_or(1024) / 2) {}

    Handle attach(io::Fd port, void* slot, relay::Component component) override {
        auto made = std::make_unique<Port>();
        made->slot = slot;
        made->component = component;
        made->everybody = listen(std::move(port), *made);
        return made.release();
    }

    io::Fd detach(Handle handle) override {
        const std::unique_ptr<Port> port(static_cast<Port*>(handle));
        return port->everybody->release();
    }

    void settle(Handle handle, const Endpoint& remote) override {
        Port& port = *static_cast<Port*>(handle);
        if (port.settled && port.remote == remote) return;
        port.settled.reset();
        auto twin = io::open_connected_twin(port.everybody->fd(), remote, {.tos = tos_of(port), .packet_info = false});
        // The lowest free number is given: it tells how many are in use.
        if (!twin || static_cast<unsigned long>(twin->get()) >= most_descriptors_) return;
        port.remote = remote;
        port.settled = listen(std::move(*twin), port);
    }

    io::SendResult send(Handle from, const Endpoint& to, std::span<const std::uint8_t> bytes) override {
        const Port& port = *static_cast<Port*>(from);
        if (port.settled && port.remote == to) return port.settled->send(bytes);
        return port.everybody->send(to, bytes);
    }

  private:
    std::unique_ptr<io::UdpSocket> listen(io::Fd socket, const Port& port) {
        return std::make_unique<io::UdpSocket>(
            loop_, std::move(socket),
            [this, slot = port.slot, component = port.component](const io::Datagram& datagram) {
                on_packet_(slot, component, datagram.source, datagram.bytes);
            });
    }

    /// What the port was opened with.
    static std::optional<std::uint8_t> tos_of(const Port& port) {
        return io::tos_of(port.everybody->fd(), port.everybody->local().address.family());
    }

    io::Loop& loop_;
    OnPacket on_packet_;
    unsigned long most_descriptors_;
};

}  // namespace

std::unique_ptr<PacketPath> socket_path(io::Loop& loop, PacketPath::OnPacket on_packet) {
    return std::make_unique<SocketPath>(loop, std::move(on_packet));
}

}  // namespace natkit::mediarelay
