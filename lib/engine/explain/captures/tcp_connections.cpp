#include "natkit/engine/explain/captures/tcp_connections.hpp"

#include <algorithm>

namespace natkit::explain {
namespace {

using diagnose::TcpConnection;

constexpr std::size_t most_over = 4096;
constexpr std::int64_t copied_ns = 5'000'000;  ///< a packet captured on two interfaces: shorter than any retransmission

std::int32_t beyond(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::int32_t>(a - b);
}

}  // namespace

TcpConnections::Key TcpConnections::key_of(const Endpoint& a, const Endpoint& b) {
    return a < b ? Key{.low = a, .high = b} : Key{.low = b, .high = a};
}

/// A SYN with another number than the one before begins a new connection (RFC 9293 section 3.4.1); one with the same
/// was sent again.
TcpConnections::Followed& TcpConnections::followed(const capture::Datagram& segment) {
    const Key key = key_of(segment.source, segment.destination);
    Followed* known = open_.find(key);
    const bool opens = segment.syn && !segment.acknowledged;
    if (known != nullptr && opens && known->syn != segment.sequence) {
        if (over_.size() < most_over) {
            over_.push_back(known->connection);
        } else {
            over_[oldest_] = known->connection;
            oldest_ = (oldest_ + 1) % most_over;
        }
        *known = {};
        known->connection.first_frame = 0;
    }
    Followed& one = open_.touch(key);
    TcpConnection& connection = one.connection;
    if (connection.first_frame == 0) {
        const bool answer = segment.syn && segment.acknowledged;  // to a SYN that the capture has not
        connection.client = answer ? segment.destination : segment.source;
        connection.server = answer ? segment.source : segment.destination;
        connection.first_frame = segment.seen.frame;
        connection.first_ns = segment.seen.time_ns;
    }
    connection.last_ns = std::max(connection.last_ns, segment.seen.time_ns);
    return one;
}

void TcpConnections::note_syn(Followed& one, const capture::Datagram& segment, bool by_client) {
    if (!by_client) {
        one.connection.accepted |= segment.acknowledged.has_value();
        return;
    }
    const bool copy = one.connection.syns > 0 && segment.seen.time_ns - one.syn_ns < copied_ns;
    if (!copy) ++one.connection.syns;
    one.syn = segment.sequence;
    one.syn_ns = segment.seen.time_ns;
}

void TcpConnections::note_data(TcpConnection::Half& half, Numbers& numbers, const capture::Datagram& segment) {
    const std::int64_t now = segment.seen.time_ns;
    const auto size = static_cast<std::uint32_t>(segment.payload.size());
    const std::uint32_t end = segment.sequence + size;
    const bool copy = numbers.known && numbers.last == segment.sequence && now - numbers.last_ns < copied_ns;
    numbers.last = segment.sequence;
    numbers.last_ns = now;
    if (copy) return;
    ++half.segments;
    if (!numbers.known) {
        numbers = {.known = true, .next = end, .acked = segment.sequence, .last = segment.sequence, .last_ns = now};
    } else if (beyond(end, numbers.next) > 0) {
        numbers.next = end;
    } else if (size > 1) {  // one byte is a probe that keeps the connection alive
        ++half.again;
    }
    if (!half.unacknowledged_ns && beyond(numbers.next, numbers.acked) > 0) {
        half.unacknowledged_ns = now;
        half.unacknowledged_frame = segment.seen.frame;
    }
}

void TcpConnections::note_acknowledged(TcpConnection::Half& half, Numbers& numbers, std::uint32_t acknowledged) {
    if (!numbers.known || beyond(acknowledged, numbers.acked) <= 0) return;
    numbers.acked = acknowledged;
    half.unacknowledged_ns.reset();  // what is left was sent later, and is told when it is sent again
}

void TcpConnections::on_segment(const capture::Datagram& segment) {
    Followed& one = followed(segment);
    TcpConnection& connection = one.connection;
    const bool by_client = segment.source == connection.client;
    TcpConnection::Half& half = by_client ? connection.from_client : connection.from_server;
    half.last_ns = segment.seen.time_ns;
    if (segment.syn) note_syn(one, segment, by_client);
    if (!segment.payload.empty()) {
        note_data(half, by_client ? one.client : one.server, segment);
        if (connection.closed && connection.closed->time_ns + copied_ns < segment.seen.time_ns) ++half.after_close;
    }
    if (segment.acknowledged)
        note_acknowledged(by_client ? connection.from_server : connection.from_client,
                          by_client ? one.server : one.client, *segment.acknowledged);
    if ((segment.fin || segment.rst) && !connection.closed)
        connection.closed = {
            .frame = segment.seen.frame, .time_ns = segment.seen.time_ns, .by_client = by_client, .reset = segment.rst};
}

std::vector<TcpConnection> TcpConnections::troubled(std::int64_t first_ns, std::int64_t last_ns) const {
    std::vector<TcpConnection> found;
    const auto add = [&](const TcpConnection& one) {
        const bool trouble = (one.syns > 0 && !one.accepted) || one.closed || one.from_client.unacknowledged_ns ||
                             one.from_server.unacknowledged_ns;
        if (trouble && one.first_ns <= last_ns && one.last_ns >= first_ns) found.push_back(one);
    };
    for (std::size_t i = 0; i < over_.size(); ++i) add(over_[(oldest_ + i) % over_.size()]);
    open_.for_each([&](const Key&, const Followed& open) { add(open.connection); });
    return found;
}

}  // namespace natkit::explain
