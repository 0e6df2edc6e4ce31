#include "steered_ports.hpp"

#include <algorithm>
#include <utility>

namespace natkit::relay {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_kept_strays = 256;
constexpr std::size_t largest_stray = 2048;
constexpr Duration stray_time = 1s;
/// Ports are of several addresses; the table grows with those that are in use.
constexpr unsigned most_addresses = 8;
constexpr Duration proof_time = 500ms;

constexpr std::array families{Family::ipv4, Family::ipv6};

}  // namespace

Result<std::unique_ptr<SteeredPorts>> SteeredPorts::start(PortRange range, unsigned workers) {
    if (workers > bpf::Steering::most_workers) {
        return fail(Errc::exhausted, "more than " + std::to_string(bpf::Steering::most_workers) + " workers");
    }
    const unsigned ports = range.last - range.first + 1U;
    auto steering = bpf::Steering::attach(ports * most_addresses);
    if (!steering) return std::unexpected(steering.error());
    std::unique_ptr<SteeredPorts> steered(new SteeredPorts(range, std::move(*steering)));
    for (unsigned worker = 0; worker < workers; ++worker) {
        auto sockets = io::SharedUdp::open();
        if (!sockets) return std::unexpected(sockets.error());
        for (const std::size_t i : {0U, 1U}) {
            if (!sockets->receiving[i]) continue;
            const auto added = steered->steering_->add_worker(worker, families[i], sockets->receiving[i].get());
            if (!added) return std::unexpected(added.error());
            steered->served_[i] = true;
            steered->receiving_.push_back(sockets->receiving[i].get());
        }
        steered->sockets_.push_back(std::move(*sockets));
    }
    for (const Family family : families) {
        if (!steered->serves(family)) continue;
        if (const auto proven = steered->prove(family); !proven) return std::unexpected(proven.error());
    }
    return steered;
}

/// A packet from a media port of the loopback address to itself, by the raw socket and back through the steering.
Result<void> SteeredPorts::prove(Family family) {
    const auto loopback = IpAddress::parse(family == Family::ipv4 ? "127.0.0.1" : "::1");
    const Endpoint port{*loopback, range_.last};
    if (auto claimed = claim(port); !claimed) return claimed;
    constexpr std::array<std::uint8_t, 8> words{'n', 'a', 't', 'k', 'i', 't', '?', '\n'};
    bool came = false;
    int error = 0;
    {
        io::Loop loop;
        io::SharedUdp udp(loop, std::exchange(sockets_[0], {}),
                          {.on_datagram =
                               [&](const io::Datagram& packet) {
                                   came = came ||
                                          (packet.destination == port.address && packet.destination_port == port.port &&
                                           std::ranges::equal(packet.bytes, words));
                               },
                           .on_unsent = [&](const io::SharedUdp::Departure&, int why) { error = why; },
                           .on_refused = [](const Endpoint&) {}});
        io::Timer end(loop, [] {});
        end.start_in(proof_time);
        udp.send({.from = port, .to = port, .bytes = words});
        udp.flush();
        while (!came && error == 0 && end.active()) loop.run_once();
        sockets_[0] = udp.release();
    }
    release(port);
    if (error != 0) return fail_errno("a packet to itself by a raw socket", error);
    if (!came) return fail(Errc::system, "a packet to a steered port of loopback did not arrive");
    return {};
}

void SteeredPorts::set_deaf(bool deaf) noexcept {
    for (const int socket : receiving_) static_cast<void>(io::set_deaf(socket, deaf));
}

Result<void> SteeredPorts::claim(const Endpoint& local) {
    if (auto claimed = steering_->claim(local, 0); !claimed) return claimed;
    ++claimed_;
    return {};
}

void SteeredPorts::release(const Endpoint& local) noexcept {
    steering_->release(local);
    --claimed_;
}

void SteeredPorts::listen(unsigned worker, std::function<void()> on_stray) {
    const std::scoped_lock lock(mutex_);
    on_stray_.resize(std::max<std::size_t>(on_stray_.size(), worker + 1));
    on_stray_[worker] = std::move(on_stray);
}

void SteeredPorts::keep(unsigned worker, const io::Datagram& packet) {
    // What came to the socket's own port was never steered.
    if (packet.bytes.size() > largest_stray || !range_.contains(packet.destination_port)) return;
    const std::scoped_lock lock(mutex_);
    if (strays_.size() == most_kept_strays) strays_.erase(strays_.begin());
    strays_.push_back({.source = packet.source,
                       .destination = {packet.destination, packet.destination_port},
                       .interface_index = packet.interface_index,
                       .came = packet.came,
                       .bytes = {packet.bytes.begin(), packet.bytes.end()}});
    // It may have been handed to another worker since it came.
    for (std::size_t i = 0; i < on_stray_.size(); ++i) {
        if (i != worker && on_stray_[i]) on_stray_[i]();
    }
}

std::vector<SteeredPorts::Stray> SteeredPorts::take(const std::function<bool(const Endpoint&)>& wanted, Instant now) {
    std::vector<Stray> taken;
    const std::scoped_lock lock(mutex_);
    std::erase_if(strays_, [&](const Stray& stray) { return now - stray.came > stray_time; });
    const auto own = std::stable_partition(strays_.begin(), strays_.end(),
                                           [&](const Stray& stray) { return !wanted(stray.destination); });
    std::move(own, strays_.end(), std::back_inserter(taken));
    strays_.erase(own, strays_.end());
    return taken;
}

}  // namespace natkit::relay
