#include <cerrno>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "packet_path.hpp"
#include "steered_ports.hpp"

namespace natkit::relay {
namespace {

using namespace std::chrono_literals;

/// A steered port, or one that has a socket of its own all the same.
struct SteeredPort {
    void* slot = nullptr;
    Endpoint local;
    std::uint8_t tos = 0;
    const bool* own_address = nullptr;  ///< whether its address is this host's still
    PacketPath::Handle plain = nullptr;
};

constexpr Duration check_time = 1s;

/// The ports of a worker by address and number.
class PortTable {
  public:
    explicit PortTable(PortRange range) : range_(range) {}

    [[nodiscard]] SteeredPort* find(const IpAddress& address, std::uint16_t port) const noexcept {
        if (!range_.contains(port)) return nullptr;
        for (const Row& row : rows_) {
            if (row.address == address) return row.ports[port - std::size_t{range_.first}];
        }
        return nullptr;
    }

    /// Adds it, and tells it where to see whether its address is this host's.
    void add(SteeredPort& port) {
        Row& row = row_of(port.local.address);
        row.ports[port.local.port - std::size_t{range_.first}] = &port;
        port.own_address = &row.own;
    }
    void remove(const SteeredPort& port) {
        row_of(port.local.address).ports[port.local.port - std::size_t{range_.first}] = nullptr;
    }

    /// A raw socket sends from addresses that are no longer this host's, another host's perhaps by now; a bound one
    /// does not.
    void check_addresses() {
        for (Row& row : rows_) row.own = io::is_here(row.address);
    }

  private:
    struct Row {
        IpAddress address;
        std::vector<SteeredPort*> ports;
        bool own = true;
    };
    [[nodiscard]] Row& row_of(const IpAddress& address) {
        for (Row& row : rows_) {
            if (row.address == address) return row;
        }
        return rows_.emplace_back(Row{.address = address,
                                      .ports = std::vector<SteeredPort*>(range_.last - range_.first + std::size_t{1}),
                                      .own = io::is_here(address)});
    }

    PortRange range_;
    std::deque<Row> rows_;  ///< few: the addresses of [media_proxy.addresses]; they stay where they are
};

/// Remotes of which an ICMP message has told that nobody hears there: the next packet to each fails, as it would on a
/// socket connected to it. Bounded: where two share a place, the last one counts.
class Refusals {
  public:
    void add(const Endpoint& remote) {
        place_of(remote) = remote;
        any_ = true;
    }
    [[nodiscard]] bool take(const Endpoint& remote) {
        if (!any_) return false;
        Endpoint& place = place_of(remote);
        if (place != remote) return false;
        place = {};
        return true;
    }

  private:
    [[nodiscard]] Endpoint& place_of(const Endpoint& remote) {
        return places_[EndpointHash{}(remote) % places_.size()];
    }
    std::array<Endpoint, 64> places_{};
    bool any_ = false;
};

class SteeredPath final : public PacketPath {
  public:
    SteeredPath(io::Loop& loop, SteeredPorts& steered, unsigned worker, Callbacks callbacks)
        : loop_(loop),
          steered_(steered),
          worker_(worker),
          callbacks_(std::move(callbacks)),
          table_(steered.range()),
          shared_(loop, steered.take_sockets(worker),
                  {.on_datagram =
                       [this](const io::Datagram& packet) {
                           in_batch_ = true;
                           on_datagram(packet);
                           in_batch_ = false;
                       },
                   .on_unsent = [this](const io::SharedUdp::Departure& packet, int) { on_unsent(packet); },
                   .on_refused = [this](const Endpoint& remote) { refusals_.add(remote); }}),
          strays_timer_(loop, [this] { take_strays(); }),
          check_timer_(loop,
                       [this] {
                           table_.check_addresses();
                           check_timer_.start_in(check_time);
                       }),
          plain_(socket_path(loop, callbacks_)) {
        steered_.listen(worker_, [this] { (void)loop_.post([this] { take_strays(); }); });
    }

    ~SteeredPath() override { steered_.listen(worker_, nullptr); }

    Handle attach(BoundPort bound, void* slot) override {
        auto port = std::make_unique<SteeredPort>(SteeredPort{.slot = slot, .local = bound.local, .tos = bound.tos});
        if (bound.socket) {
            port->plain = plain_->attach(std::move(bound), slot);
        } else {
            table_.add(*port);
            if (!check_timer_.active()) check_timer_.start_in(check_time);
            if (bound.worker != worker_) steered_.hand_to(port->local, worker_);
            // What the owner says of the leg comes first.
            if (!strays_timer_.active()) strays_timer_.start_in({});
        }
        return port.release();
    }

    BoundPort detach(Handle handle) override {
        const std::unique_ptr<SteeredPort> port(static_cast<SteeredPort*>(handle));
        if (port->plain != nullptr) return plain_->detach(port->plain);
        shared_.drain();
        table_.remove(*port);
        return {.local = port->local, .tos = port->tos, .worker = worker_};
    }

    void close(Handle handle) override {
        const std::unique_ptr<SteeredPort> port(static_cast<SteeredPort*>(handle));
        if (port->plain != nullptr) return plain_->close(port->plain);
        steered_.release(port->local);
        table_.remove(*port);
    }

    void expect(Handle handle, const Endpoint& remote) override {
        const SteeredPort& port = *static_cast<SteeredPort*>(handle);
        if (port.plain != nullptr) plain_->expect(port.plain, remote);
    }

    void set_tos(Handle handle, std::uint8_t tos) override {
        SteeredPort& port = *static_cast<SteeredPort*>(handle);
        port.tos = tos;
        if (port.plain != nullptr) plain_->set_tos(port.plain, tos);
    }

    void check_addresses() override {
        table_.check_addresses();
        plain_->check_addresses();
    }

    [[nodiscard]] bool is_here(Handle handle) const override {
        const SteeredPort& port = *static_cast<const SteeredPort*>(handle);
        return port.plain != nullptr ? plain_->is_here(port.plain) : *port.own_address;
    }

    void send(Handle from, const Endpoint& to, std::span<const std::uint8_t> bytes, void* arrival) override {
        const SteeredPort& port = *static_cast<SteeredPort*>(from);
        if (port.plain != nullptr) return plain_->send(port.plain, to, bytes, arrival);
        const io::SharedUdp::Departure packet{.from = port.local,
                                              .to = to,
                                              .tos = port.tos,
                                              .bytes = bytes,
                                              .headroom = in_batch_,
                                              .context = {arrival, port.slot}};
        if (!*port.own_address || refusals_.take(to)) return on_unsent(packet);
        shared_.send(packet);
        // A stray, and what came to a port with a socket of its own, is not of a batch of ours.
        if (!in_batch_) shared_.flush();
    }

  private:
    void on_datagram(const io::Datagram& packet) {
        const SteeredPort* port = table_.find(packet.destination, packet.destination_port);
        if (port == nullptr) return steered_.keep(worker_, packet);
        callbacks_.on_packet(port->slot, packet);
    }

    void on_unsent(const io::SharedUdp::Departure& packet) {
        callbacks_.on_unsent({packet.context[0], packet.context[1], packet.to, packet.bytes.size()});
    }

    void take_strays() {
        const auto own = [this](const Endpoint& local) { return table_.find(local.address, local.port) != nullptr; };
        for (const SteeredPorts::Stray& stray : steered_.take(own, loop_.now())) {
            on_datagram({.bytes = stray.bytes,
                         .source = stray.source,
                         .destination = stray.destination.address,
                         .destination_port = stray.destination.port,
                         .interface_index = stray.interface_index,
                         .came = loop_.now()});
        }
    }

    io::Loop& loop_;
    SteeredPorts& steered_;
    unsigned worker_;
    Callbacks callbacks_;
    PortTable table_;
    Refusals refusals_;
    bool in_batch_ = false;
    io::SharedUdp shared_;
    io::Timer strays_timer_;
    io::Timer check_timer_;
    std::unique_ptr<PacketPath> plain_;
};

}  // namespace

std::unique_ptr<PacketPath> steered_path(io::Loop& loop, SteeredPorts& ports, unsigned worker,
                                         PacketPath::Callbacks callbacks) {
    return std::make_unique<SteeredPath>(loop, ports, worker, std::move(callbacks));
}

}  // namespace natkit::relay
