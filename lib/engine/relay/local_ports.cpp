#include "local_ports.hpp"

#include <algorithm>
#include <memory>
#include <random>

#include "natkit/io/random.hpp"

namespace natkit::relay {
namespace {

/// Foreign ports in the range are rare; a range full of them is an error, not a reason to try each.
constexpr int most_attempts = 64;

}  // namespace

LocalPorts::LocalPorts(PortRange range, io::Presence address) : range_(range), address_(address) {
    // Ports must not be guessed from earlier ones.
    random_ = [source = std::make_shared<io::Random>()](std::uint32_t below) {
        return std::uniform_int_distribution<std::uint32_t>(0, below - 1)(*source);
    };
}

void LocalPorts::set_addresses(std::vector<IpAddress> lan, std::vector<IpAddress> wan,
                               std::span<const HostAddress> host) {
    lan_ = std::move(lan);
    wan_ = std::move(wan);
    host_.clear();
    for (const HostAddress& own : host) {
        if (own.up) host_.push_back(own.address);
    }
    if (address_ == io::Presence::awaited) return;
    for (std::vector<IpAddress>* side : {&lan_, &wan_}) {
        std::ranges::stable_partition(*side, [&](const IpAddress& address) {
            return std::ranges::any_of(host, [&](const HostAddress& own) { return own.up && own.address == address; });
        });
    }
}

Ports& LocalPorts::ports_of(const IpAddress& address) {
    return ports_.try_emplace(address, range_).first->second;
}

Result<IpAddress> LocalPorts::address_for(Side side, Family family) const {
    const auto& addresses = side == Side::lan ? lan_ : wan_;
    const auto found = std::find_if(addresses.begin(), addresses.end(),
                                    [&](const IpAddress& address) { return address.family() == family; });
    if (found != addresses.end()) return *found;
    return fail(Errc::not_found, std::string("no ") + to_string(family) + " address on the " + to_string(side) +
                                     " side; name one in [media_proxy.addresses]");
}

Result<Endpoint> LocalPorts::reserve(Side side, Family family, Ports::Kind kind, Instant now) {
    const auto address = address_for(side, family);
    if (!address) return std::unexpected(address.error());
    const auto port = ports_of(*address).take(kind, now, random_);
    if (!port) return fail(Errc::exhausted, to_string(*address) + ": " + port.error().message);
    return Endpoint{*address, *port};
}

void LocalPorts::steer_by(SteeredPorts& ports) {
    steered_ = &ports;
    if (auto lookup = io::UdpLookup::open()) lookup_.emplace(std::move(*lookup));
}

Result<void> LocalPorts::check_free(const Endpoint& local, std::size_t count) {
    if (lookup_ && std::ranges::find(host_, local.address) != host_.end()) {
        const auto taken = lookup_->taken(local, static_cast<unsigned>(count));
        if (taken && *taken) return fail(Errc::refused, "udp " + to_string(local) + ": in use by another program");
        if (taken) return {};
    }
    for (std::size_t i = 0; i < count; ++i) {
        const Endpoint each{local.address, static_cast<std::uint16_t>(local.port + i)};
        if (auto socket = io::open_udp(each, {.packet_info = false, .address = address_}); !socket)
            return std::unexpected(socket.error());
    }
    return {};
}

Result<BoundPorts> LocalPorts::steer(const Endpoint& local, std::size_t count, std::optional<std::uint8_t> tos) {
    // A foreign socket on the port would lose its packets to us.
    if (auto free = check_free(local, count); !free) return std::unexpected(free.error());
    BoundPorts bound;
    for (std::size_t i = 0; i < count; ++i) {
        const Endpoint each{local.address, static_cast<std::uint16_t>(local.port + i)};
        if (auto claimed = steered_->claim(each); !claimed) {
            if (i > 0) steered_->release(local);
            return std::unexpected(claimed.error());
        }
        bound[i] = {.local = each, .tos = tos.value_or(0), .address = address_};
    }
    return bound;
}

Result<BoundPorts> LocalPorts::bind_udp(const Endpoint& local, std::size_t count,
                                        std::optional<std::uint8_t> tos) const {
    BoundPorts bound;
    for (std::size_t i = 0; i < count; ++i) {
        const Endpoint each{local.address, static_cast<std::uint16_t>(local.port + i)};
        auto socket = io::open_udp(each, {.tos = tos, .address = address_});
        if (!socket) return std::unexpected(socket.error());
        bound[i] = {.local = each, .socket = std::move(*socket), .address = address_};
    }
    return bound;
}

Result<BoundPorts> LocalPorts::bind(const Endpoint& local, Ports::Kind kind, Transport transport,
                                    std::optional<std::uint8_t> tos) {
    if (transport == Transport::tcp) {
        auto listener = io::open_stream_listener(local, address_);
        if (!listener) return std::unexpected(listener.error());
        BoundPorts bound;
        bound[0] = {.local = local, .socket = std::move(*listener), .address = address_};
        return bound;
    }
    const std::size_t count = kind == Ports::Kind::pair ? 2 : 1;
    const bool steered = steered_ != nullptr && steered_->serves(local.address.family());
    if (!tos) tos = tos_;
    return steered ? steer(local, count, tos) : bind_udp(local, count, tos);
}

Result<LocalPorts::Bound> LocalPorts::open(Side side, Family family, Ports::Kind kind, Transport transport, Instant now,
                                           std::optional<std::uint8_t> tos) {
    for (int attempt = 0; attempt < most_attempts; ++attempt) {
        const auto local = reserve(side, family, kind, now);
        if (!local) return std::unexpected(local.error());
        auto bound = bind(*local, kind, transport, tos);
        if (bound) return Bound{*local, std::move(*bound)};
        give_back(*local, kind, now);
        if (bound.error().code != Errc::refused) return std::unexpected(bound.error());
    }
    return fail(Errc::exhausted,
                std::to_string(most_attempts) +
                    " ports in a row are in use by other programs; choose another [media_proxy] ports");
}

bool LocalPorts::restore(const Endpoint& local, Ports::Kind kind) {
    return ports_of(local.address).take_exactly(kind, local.port);
}

void LocalPorts::close(BoundPorts ports) {
    for (const BoundPort& each : ports) {
        if (each && !each.socket) steered_->release(each.local);
    }
}

void LocalPorts::give_back(const Endpoint& local, Ports::Kind kind, Instant now) {
    ports_of(local.address).give_back(kind, local.port, now);
}

std::size_t LocalPorts::total() const {
    std::size_t sum = 0;
    for (const auto& [address, ports] : ports_) sum += ports.total();
    return sum;
}

std::size_t LocalPorts::in_use() const {
    std::size_t sum = 0;
    for (const auto& [address, ports] : ports_) sum += ports.in_use();
    return sum;
}

std::size_t LocalPorts::cooling() const {
    std::size_t sum = 0;
    for (const auto& [address, ports] : ports_) sum += ports.cooling();
    return sum;
}

}  // namespace natkit::relay
