#include "natkit/engine/relay/plane.hpp"

namespace natkit::mediarelay {
namespace {

class SocketPath final : public PacketPath {
  public:
    SocketPath(io::Loop& loop, OnPacket on_packet) : loop_(loop), on_packet_(std::move(on_packet)) {}

    Handle attach(io::Fd port, void* slot, relay::Component component) override {
        return new io::UdpSocket(loop_, std::move(port), [this, slot, component](const io::Datagram& datagram) {
            on_packet_(slot, component, datagram.source, datagram.bytes);
        });
    }

    io::Fd detach(Handle handle) override {
        std::unique_ptr<io::UdpSocket> socket(static_cast<io::UdpSocket*>(handle));
        return socket->release();
    }

    io::SendResult send(Handle from, const Endpoint& to, std::span<const std::uint8_t> bytes) override {
        return static_cast<io::UdpSocket*>(from)->send(to, bytes);
    }

  private:
    io::Loop& loop_;
    OnPacket on_packet_;
};

}  // namespace

std::unique_ptr<PacketPath> socket_path(io::Loop& loop, PacketPath::OnPacket on_packet) {
    return std::make_unique<SocketPath>(loop, std::move(on_packet));
}

}  // namespace natkit::mediarelay
