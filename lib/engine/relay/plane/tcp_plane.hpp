#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include "natkit/io/net/stream.hpp"
#include "natkit/record/relay.hpp"
#include "natkit/relay/relay.hpp"

namespace natkit::relay {

/// The sockets of the TCP legs of one thread, which are those of its Plane. Everything here runs on its loop's thread.
class TcpPlane {
  public:
    /// `on_told` is called when something has been told to the legs' table.
    TcpPlane(io::Loop& loop, Relay& relay, std::function<void()> on_told);
    ~TcpPlane();
    TcpPlane(const TcpPlane&) = delete;
    TcpPlane& operator=(const TcpPlane&) = delete;

    /// A port of the leg. What it dials comes from `local`.
    void listen(LegKey key, io::Fd listener, const IpAddress& local);
    void stop_listening(LegKey key);
    /// What connections have carried so far. To be called before anything is changed.
    void take_progress();
    /// What they are to do now. To be called after anything has been changed.
    void carry_out_effects();
    void collect(const TcpLeg& leg, record::LegStatistics& into) const;

  private:
    /// Both halves of a coupled pair share it.
    struct Pair {
        ConnectionId a = 0;
        ConnectionId b = 0;
        std::unique_ptr<io::StreamPair> streams;
    };
    /// One connection: being dialled, waiting, or half of a pair.
    struct Connection {
        std::unique_ptr<io::StreamDialler> dialler;
        io::Fd socket;
        std::unique_ptr<io::LossWatch> watch;  ///< while it waits
        std::shared_ptr<Pair> pair;
    };
    struct Port {
        IpAddress local;
        std::unique_ptr<io::StreamAcceptor> acceptor;
    };

    void on_accepted(LegKey key, io::Fd connection, const Endpoint& source);
    void on_dialled(ConnectionId id, io::Fd connection, int error_number);
    void on_pair_ended(ConnectionId id, io::StreamPair::End end);
    void wait_for_other_half(ConnectionId id, io::Fd socket);
    void take_progress(const Pair& pair);
    void after_socket_event();
    void carry_out(const TcpEffect& effect);
    void dial(const TcpEffect& effect);
    void couple(const TcpEffect& effect);
    void close_connection(ConnectionId id, bool reset);

    io::Loop& loop_;
    Relay& relay_;
    std::function<void()> on_told_;
    io::PipePool pipes_;
    io::LossSet losses_;
    std::unordered_map<LegKey, Port> ports_;
    std::unordered_map<ConnectionId, Connection> connections_;
};

}  // namespace natkit::relay
