#include "streams.hpp"

#include <algorithm>

#include "natkit/io/net/udp.hpp"
#include "natkit/nat/networks.hpp"

namespace natkit::edge {
namespace {

/// How many connections are looked at for one that can go: those that must stay go to the end of the order, so that the
/// next search begins behind them.
constexpr std::size_t most_looked_at = 64;

constexpr std::chrono::seconds in_use_holds{1};

}  // namespace

Streams::Streams(io::Loop& loop, const StreamLimits& limits, std::uint64_t first_connection, Handlers handlers)
    : loop_(loop),
      limits_(limits),
      handlers_(std::move(handlers)),
      next_(std::max<std::uint64_t>(first_connection, 1)),
      timer_(loop, [this] { on_time(); }) {}

Result<void> Streams::listen(sip::Transport transport, io::Fd socket) {
    const auto local = io::local_endpoint(socket);
    if (!local) return std::unexpected(local.error());
    listeners_[{transport, *local}] = std::make_unique<io::TcpListener>(
        loop_, std::move(socket),
        io::TcpListener::Handlers{.on_connection =
                                      [this, transport, at = *local](io::Fd accepted, const Endpoint& remote) {
                                          on_accept(transport, at, std::move(accepted), remote);
                                      },
                                  .on_exhausted =
                                      [this] {
                                          ++counters_.refused;
                                          handlers_.on_problem("a connection refused: no descriptor left");
                                          (void)make_room(all_);  // for the next
                                      }});
    return {};
}

std::vector<Streams::Listening> Streams::listening() const {
    std::vector<Listening> list;
    list.reserve(listeners_.size());
    for (const auto& [name, listener] : listeners_) list.push_back({name.first, listener.get()});
    return list;
}

io::TcpStream::Handlers Streams::handlers_of(std::uint64_t id) {
    return {.on_connected =
                [this, id] {
                    const auto found = connections_.find(id);
                    if (found != connections_.end() && !found->second.tls) on_connected(id);
                },
            .on_bytes =
                [this, id](std::string_view bytes) {
                    const auto found = connections_.find(id);
                    if (found == connections_.end()) return;
                    found->second.tls ? on_encrypted(id, bytes) : on_bytes(id, bytes);
                },
            .on_close = [this, id](const Error& why) { end(id, why.message); }};
}

void Streams::on_connected(std::uint64_t id) {
    Connection& connection = connections_.at(id);
    connection.connected = true;
    connection.heard = loop_.now();
}

void Streams::on_encrypted(std::uint64_t id, std::string_view bytes) {
    Connection& connection = connections_.at(id);
    const auto plain = connection.tls->receive(bytes);
    const bool sent = connection.stream->send(connection.tls->outgoing());
    if (!plain) return end(id, plain.error().message);
    if (!sent) return end(id, "it does not read what it is sent");
    if (!connection.connected && connection.tls->established()) on_connected(id);
    if (!plain->empty()) on_bytes(id, *plain);
}

bool Streams::write(Connection& connection, std::string_view bytes) {
    if (!connection.tls) return connection.stream->send(bytes);
    return connection.tls->send(bytes) && connection.stream->send(connection.tls->outgoing());
}

Streams::Connection& Streams::add(const sip::Flow& flow, bool ours) {
    const std::uint64_t id = next_++;
    Connection& connection = connections_[id];
    connection.flow = flow;
    connection.flow.connection = id;
    connection.ours = ours;
    connection.local = flow.local;
    connection.connected = !ours;
    connection.opened = connection.heard = connection.began = loop_.now();
    if (ours) return connection;
    connection.in_all = all_.insert(all_.end(), id);
    Order& source = of_source_[nat::source_of(flow.remote.address)];
    connection.in_source = source.insert(source.end(), id);
    return connection;
}

void Streams::to_the_end(Connection& connection) {
    if (connection.ours) return;
    all_.splice(all_.end(), all_, connection.in_all);
    Order& source = of_source_[nat::source_of(connection.flow.remote.address)];
    source.splice(source.end(), source, connection.in_source);
}

/// What uses connections is reckoned once a second. A message that came since may have begun something new, so a
/// connection that spoke after the reckoning stays until the next one.
bool Streams::stays(const Connection& connection) {
    if (handlers_.keeps(connection.flow)) return true;
    if (!connection.spoke) return false;
    const Instant now = loop_.now();
    if (!in_use_at_ || now - *in_use_at_ >= in_use_holds) {
        in_use_ = handlers_.in_use();
        in_use_at_ = now;
    }
    return *connection.spoke >= *in_use_at_ || in_use_.contains(connection.flow.connection);
}

/// Ends the connection that has been silent for longest, of those that may go. False: none of the first ones may.
bool Streams::make_room(Order& order) {
    for (std::size_t looked = 0; looked < most_looked_at && !order.empty(); ++looked) {
        const std::uint64_t id = order.front();
        Connection& connection = connections_.at(id);
        if (!stays(connection)) {
            ++counters_.displaced;
            end(id, "others wait for a connection, and it has been silent for longest");
            return true;
        }
        to_the_end(connection);
    }
    return false;
}

/// Room for one more connection from there, where need be made by ending another. A source whose connections must all
/// stay is a site of registered phones: those do not count.
bool Streams::has_room(const IpAddress& address) {
    const auto source = of_source_.find(nat::source_of(address));
    if (source != of_source_.end() && source->second.size() >= limits_.per_source && make_room(source->second)) {
        return true;
    }
    return connections_.size() < limits_.connections - limits_.connections / 64 || make_room(all_);
}

void Streams::on_accept(sip::Transport transport, const Endpoint& local, io::Fd socket, const Endpoint& remote) {
    if (!accepting_) return;
    if (!has_room(remote.address)) {
        ++counters_.refused;
        return handlers_.on_problem("a connection from " + to_string(remote.address) + " refused: there are " +
                                    std::to_string(connections_.size()) + " already");
    }
    std::optional<crypto::TlsSession> tls;
    if (transport == sip::Transport::tls) {
        auto session = tls_ ? crypto::TlsSession::accept(tls_) : fail(Errc::bad_config, "no certificate");
        if (!session) return handlers_.on_problem("a connection refused: " + session.error().message);
        tls = std::move(*session);
    }
    ++counters_.accepted;
    Connection& connection = add({.transport = transport, .local = local, .remote = remote, .connection = 0}, false);
    const std::uint64_t id = connection.flow.connection;
    connection.tls = std::move(tls);
    connection.stream = std::make_unique<io::TcpStream>(loop_, std::move(socket), handlers_of(id));
    plan(connection);
}

Result<Streams::Connection*> Streams::connect(const sip::Flow& flow) {
    if (connections_.size() >= limits_.connections) return fail(Errc::exhausted, "too many connections");
    const std::uint64_t id = next_;
    std::optional<crypto::TlsSession> tls;
    if (flow.transport == sip::Transport::tls) {
        auto session = tls_ ? crypto::TlsSession::connect(tls_, handlers_.name_of(flow))
                            : fail(Errc::bad_config, "TLS is not configured");
        if (!session) return std::unexpected(session.error());
        tls = std::move(*session);
    }
    auto stream =
        io::TcpStream::connect(loop_, {.address = flow.local.address, .port = 0}, flow.remote, handlers_of(id));
    if (!stream) return std::unexpected(stream.error());
    Connection& connection = add(flow, true);
    connection.stream = std::move(*stream);
    connection.local = connection.stream->local().value_or(flow.local);
    if (tls) {
        connection.tls = std::move(tls);
        (void)connection.stream->send(connection.tls->outgoing());
    }
    made_[target_of(flow)] = id;
    plan(connection);
    return &connection;
}

bool Streams::send(const sip::Flow& flow, std::string_view bytes) {
    std::uint64_t id = flow.connection;
    if (id == 0) {
        const auto made = made_.find(target_of(flow));
        if (made != made_.end()) {
            id = made->second;
        } else {
            const auto fresh = connect(flow);
            if (!fresh) {
                handlers_.on_unreachable(flow, fresh.error().message);
                return false;
            }
            id = (*fresh)->flow.connection;
        }
    }
    const auto found = connections_.find(id);
    if (found == connections_.end()) return false;
    if (write(found->second, bytes)) return true;
    end(id, "it does not read what it is sent");
    return false;
}

Endpoint Streams::local_of(const sip::Flow& flow) const {
    std::uint64_t id = flow.connection;
    if (id == 0) {
        const auto made = made_.find(target_of(flow));
        if (made != made_.end()) id = made->second;
    }
    const auto found = connections_.find(id);
    return found == connections_.end() ? flow.local : found->second.local;
}

void Streams::on_bytes(std::uint64_t id, std::string_view bytes) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    Connection& connection = found->second;
    const sip::Flow flow = connection.flow;
    const bool fresh = !connection.framer.incomplete();
    connection.heard = loop_.now();
    to_the_end(connection);
    std::vector<sip::Framed> items;
    const auto fed = connection.framer.feed(bytes, items);
    if (fresh || !items.empty()) connection.began = connection.heard;
    bool pinged = false;
    for (sip::Framed& item : items) {
        if (item.kind == sip::Framed::Kind::ping) {
            ++counters_.pings;
            pinged = true;
        } else {
            if (const auto at = connections_.find(id); at != connections_.end()) at->second.spoke = at->second.heard;
            handlers_.on_message(flow, std::move(item.bytes));
        }
    }
    // However many came at once: a flood of pings is not answered by one of pongs.
    if (pinged && connections_.contains(id)) send(flow, "\r\n");
    if (!fed) return end(id, fed.error().message);
    if (const auto at = connections_.find(id); at != connections_.end()) plan(at->second);
}

void Streams::end(std::uint64_t id, const std::string& why) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    const Connection connection = std::move(found->second);
    connections_.erase(found);
    if (!connection.ours) {
        all_.erase(connection.in_all);
        const auto source = of_source_.find(nat::source_of(connection.flow.remote.address));
        source->second.erase(connection.in_source);
        if (source->second.empty()) of_source_.erase(source);
    }
    sip::Flow target = connection.flow;
    target.connection = 0;
    if (connection.ours) made_.erase(target_of(target));
    if (connection.ours) handlers_.on_unreachable(target, why);
    if (connection.connected) handlers_.on_closed(connection.flow, why);
}

Instant Streams::deadline(const Connection& connection) const {
    if (!connection.connected) return connection.heard + limits_.connect;
    if (connection.framer.incomplete()) return connection.began + limits_.whole_message;
    if (!connection.spoke && !connection.ours) return connection.opened + limits_.first_message;
    return connection.heard + limits_.idle;
}

/// An entry is added only when the connection's moment comes before the one that is planned: one that comes later is
/// found out when the planned one is due.
void Streams::plan(Connection& connection) {
    const Instant due = deadline(connection);
    if (connection.planned != Instant{} && connection.planned <= due) return;
    connection.planned = due;
    deadlines_.add(due, connection.flow.connection);
    if (deadlines_.next() == due || !timer_.active()) timer_.start_at(*deadlines_.next());
}

void Streams::on_time() {
    const Instant now = loop_.now();
    while (const auto id = deadlines_.pop_due(now)) {
        const auto found = connections_.find(*id);
        // The entry that counts is still to come: this one has been overtaken by an earlier one.
        if (found == connections_.end() || found->second.planned > now) continue;
        Connection& connection = found->second;
        const Instant due = deadline(connection);
        connection.planned = {};
        if (due > now) {
            plan(connection);
            continue;
        }
        if (!connection.connected) {
            end(*id, "no connection within the time");
        } else if (connection.framer.incomplete()) {
            end(*id, "a message that does not end");
        } else if (!connection.spoke && !connection.ours) {
            end(*id, "it says nothing");
        } else if (handlers_.needed(connection.flow)) {
            connection.heard = now;
            plan(connection);
        } else {
            end(*id, "silent");
        }
    }
    if (const auto next = deadlines_.next()) timer_.start_at(*next);
}

}  // namespace natkit::edge
