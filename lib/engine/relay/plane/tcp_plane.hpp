#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "natkit/io/stream.hpp"
#include "natkit/record/relay.hpp"
#include "natkit/relay/tcp.hpp"

namespace natkit::mediarelay {

/// The TCP legs of one thread: relay::TcpRelay over sockets. Everything here runs on its loop's thread.
class TcpPlane {
  public:
    using OnEvents = std::function<void(std::vector<relay::Event> events)>;

    TcpPlane(io::Loop& loop, relay::Timeouts timeouts, OnEvents on_events);
    ~TcpPlane();
    TcpPlane(const TcpPlane&) = delete;
    TcpPlane& operator=(const TcpPlane&) = delete;

    /// Adds the leg when it is new, and listens. What it dials comes from `local`'s address.
    void open(relay::LegKey key, unsigned limit, io::Fd listener, const IpAddress& local);
    /// Parts the leg, ends its connections, closes its port; what it has counted stays.
    void close(relay::LegKey key);
    void remove(relay::LegKey key);
    void signal(relay::LegKey key, const relay::Party& party, relay::SourcePolicy policy, bool renew);
    void set_hold(relay::LegKey key, bool hold);
    void join(relay::LegKey a, relay::LegKey b);
    void part(relay::LegKey key);
    void set_timeouts(relay::Timeouts timeouts) { relay_.set_timeouts(timeouts); }
    void set_dial_for(const RangeSet& ranges) { relay_.set_dial_for(ranges); }

    using Statistics = record::StatisticsByLeg;
    /// Of one leg and what it is joined to, or of all (key 0).
    void collect(relay::LegKey key, Statistics& into);

  private:
    /// Both halves of a coupled pair share it.
    struct Pair {
        relay::ConnectionId a = 0;
        relay::ConnectionId b = 0;
        std::unique_ptr<io::StreamPair> streams;
    };
    /// One connection: being dialled, waiting, or half of a pair.
    struct Line {
        std::unique_ptr<io::StreamDialler> dialler;
        io::Fd socket;
        std::unique_ptr<io::LossWatch> watch;  ///< while it waits
        std::shared_ptr<Pair> pair;
    };
    struct Port {
        IpAddress local;
        std::unique_ptr<io::StreamAcceptor> acceptor;
    };

    void on_accepted(relay::LegKey key, io::Fd connection, const Endpoint& source);
    void on_dialled(relay::ConnectionId id, io::Fd connection, int error_number);
    void on_pair_ended(relay::ConnectionId id, io::StreamPair::End end);
    void wait_for_other_half(relay::ConnectionId id, io::Fd connection);
    void take_progress();
    void take_progress(const Pair& pair);
    /// What every input ends with: effects carried out, events told, the timer set.
    void settle();
    void carry_out(const relay::TcpEffect& effect);
    void dial(const relay::TcpEffect& effect);
    void couple(const relay::TcpEffect& effect);
    void hang_up(relay::ConnectionId id, bool reset);
    void collect_one(const relay::TcpLeg& leg, Instant now, Statistics& into) const;

    io::Loop& loop_;
    relay::TcpRelay relay_;
    OnEvents on_events_;
    io::PipePool pipes_;
    io::LossSet losses_;
    std::unordered_map<relay::LegKey, Port> ports_;
    std::unordered_map<relay::ConnectionId, Line> lines_;
    io::Timer timer_;
};

}  // namespace natkit::mediarelay
