#include "tcp_plane.hpp"

#include <cerrno>
#include <utility>

namespace natkit::relay {

namespace {

ConnectFailure failure_of(int error_number) {
    switch (error_number) {
        case ECONNREFUSED:
        case ECONNRESET: return ConnectFailure::refused;
        case ETIMEDOUT: return ConnectFailure::timed_out;
        case EHOSTUNREACH:
        case ENETUNREACH: return ConnectFailure::unreachable;
        default: return ConnectFailure::system;
    }
}

}  // namespace

TcpPlane::TcpPlane(io::Loop& loop, Relay& relay, std::function<void()> on_told)
    : loop_(loop), relay_(relay), on_told_(std::move(on_told)), losses_(loop) {}

TcpPlane::~TcpPlane() = default;

void TcpPlane::listen(LegKey key, io::Fd listener, const IpAddress& local) {
    ports_[key] = {.local = local,
                   .acceptor = std::make_unique<io::StreamAcceptor>(
                       loop_, std::move(listener), [this, key](io::Fd connection, const Endpoint& source) {
                           on_accepted(key, std::move(connection), source);
                       })};
}

void TcpPlane::stop_listening(LegKey key) {
    ports_.erase(key);
}

void TcpPlane::after_socket_event() {
    carry_out_effects();
    on_told_();
}

// --- what sockets tell ---------------------------------------------------------------------------------------------

void TcpPlane::on_accepted(LegKey key, io::Fd connection, const Endpoint& source) {
    TcpLeg* leg = as_tcp(relay_.legs.find(key));
    const auto id = leg == nullptr ? std::nullopt : relay_.tcp.on_accepted(*leg, source, loop_.now());
    if (id) {
        io::set_stream_options(connection);
        wait_for_other_half(*id, std::move(connection));
    } else {
        io::reset_stream(std::move(connection));
    }
    after_socket_event();
}

void TcpPlane::on_dialled(ConnectionId id, io::Fd connection, int error_number) {
    if (error_number == 0) {
        wait_for_other_half(id, std::move(connection));
        relay_.tcp.on_connected(id, loop_.now());
    } else {
        connections_.erase(id);
        relay_.tcp.on_failed(id, failure_of(error_number), loop_.now());
    }
    after_socket_event();
}

/// Nothing is read meanwhile, so what its party sends, urgent data and an end included, stays within the system's
/// buffers; only its loss is noticed.
void TcpPlane::wait_for_other_half(ConnectionId id, io::Fd socket) {
    Connection& connection = connections_[id];
    connection.dialler.reset();
    connection.socket = std::move(socket);
    connection.watch = std::make_unique<io::LossWatch>(losses_, connection.socket.get(), [this, id] {
        close_connection(id, true);
        relay_.tcp.on_ended(id, Ending::reset, loop_.now());
        after_socket_event();
    });
}

void TcpPlane::on_pair_ended(ConnectionId id, io::StreamPair::End end) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    const std::shared_ptr<Pair> pair = found->second.pair;
    take_progress(*pair);
    relay_.tcp.on_ended(id, end == io::StreamPair::End::reset ? Ending::reset : Ending::closed, loop_.now());
    connections_.erase(pair->a);
    connections_.erase(pair->b);
    after_socket_event();
}

void TcpPlane::take_progress(const Pair& pair) {
    const Instant now = loop_.now();
    const auto a = pair.streams->side(0);
    const auto b = pair.streams->side(1);
    relay_.tcp.on_progress(pair.a, a.received, a.sent, a.finished, now);
    relay_.tcp.on_progress(pair.b, b.received, b.sent, b.finished, now);
}

void TcpPlane::take_progress() {
    for (const auto& [id, connection] : connections_) {
        if (connection.pair && connection.pair->a == id) take_progress(*connection.pair);
    }
}

// --- what sockets are to do ----------------------------------------------------------------------------------------

void TcpPlane::carry_out_effects() {
    // Carrying out makes no new effects: what it leads to comes from the loop later.
    for (const TcpEffect& effect : relay_.tcp.take_effects()) carry_out(effect);
}

void TcpPlane::carry_out(const TcpEffect& effect) {
    switch (effect.kind) {
        case TcpEffect::Kind::dial: return dial(effect);
        case TcpEffect::Kind::couple: return couple(effect);
        case TcpEffect::Kind::close: return close_connection(effect.id, effect.reset);
    }
}

void TcpPlane::dial(const TcpEffect& effect) {
    const auto port = ports_.find(effect.leg);
    const IpAddress from = port == ports_.end() ? IpAddress() : port->second.local;
    connections_[effect.id].dialler = std::make_unique<io::StreamDialler>(
        loop_, from, effect.remote,
        [this, id = effect.id](io::Fd connection, int error) { on_dialled(id, std::move(connection), error); });
}

void TcpPlane::couple(const TcpEffect& effect) {
    Connection& a = connections_[effect.id];
    Connection& b = connections_[effect.other];
    a.watch.reset();
    b.watch.reset();
    const auto pair = std::make_shared<Pair>(Pair{.a = effect.id, .b = effect.other, .streams = nullptr});
    pair->streams =
        std::make_unique<io::StreamPair>(loop_, pipes_, losses_, std::move(a.socket), std::move(b.socket),
                                         [this, id = effect.id](io::StreamPair::End end) { on_pair_ended(id, end); });
    a.pair = b.pair = pair;
}

void TcpPlane::close_connection(ConnectionId id, bool reset) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    Connection connection = std::move(found->second);
    connections_.erase(found);
    connection.watch.reset();
    if (reset && connection.pair) connection.pair->streams->abort();
    if (reset) io::reset_stream(std::move(connection.socket));
}

// --- counters ------------------------------------------------------------------------------------------------------

void TcpPlane::collect(const TcpLeg& leg, record::LegStatistics& statistics) const {
    statistics.counters[0] = leg.counters;
    record::Connections& connections = statistics.connections.emplace();
    connections.opened = leg.opened;
    connections.failed = leg.failed;
    for (const ConnectionId id : leg.connections) {
        const TcpConnection& each = *relay_.tcp.connection(id);
        if (each.state == TcpConnection::State::coupled) {
            connections.open.push_back({each.remote, each.rule});
        } else {
            ++connections.waiting;
        }
    }
    const bool up = !connections.open.empty();
    statistics.audio = leg.hold ? AudioState::held : up ? AudioState::two_way : AudioState::waiting;
}

}  // namespace natkit::relay
