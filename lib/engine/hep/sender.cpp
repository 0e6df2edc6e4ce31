#include "natkit/engine/hep/sender.hpp"

#include <cerrno>
#include <chrono>
#include <span>
#include <utility>

#include "natkit/io/net/udp.hpp"

namespace natkit::hep {
namespace {

constexpr std::chrono::seconds retry_time{1};

}  // namespace

void Sender::set(std::optional<Destination> destination) {
    if (destination == destination_) return;
    destination_ = std::move(destination);
    socket_.reset();
    retry_at_ = {};
    if (!destination_) {
        room_.reset();
    } else if (!room_) {
        room_ = std::make_unique<std::array<std::uint8_t, largest_datagram>>();
    }
}

/// After a failure the route, or the address that packets leave from, may be another one.
bool Sender::connect() {
    if (socket_) return true;
    const Instant now = std::chrono::steady_clock::now();
    if (now < retry_at_) return false;
    retry_at_ = now + retry_time;
    auto made = io::open_udp_to(*destination_->collector);
    if (made) socket_ = std::move(*made);
    return made.has_value();
}

void Sender::send(Packet packet) {
    if (!destination_) return;
    if (!destination_->collector || !connect()) {
        ++counters_->dropped;
        return;
    }
    packet.time_ns = std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
    packet.agent = destination_->agent;
    packet.node = destination_->node;
    const std::size_t size = write(packet, *room_);
    const auto sent = io::send_udp(socket_, std::span(*room_).first(size));
    ++(sent.status == io::SendStatus::sent ? counters_->sent : counters_->dropped);
    if (sent.status == io::SendStatus::failed && sent.error_number != EMSGSIZE) socket_.reset();
}

}  // namespace natkit::hep
