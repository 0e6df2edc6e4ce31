#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "natkit/base/deadlines.hpp"
#include "natkit/crypto/tls.hpp"
#include "natkit/io/net/tcp.hpp"
#include "natkit/sip/flow.hpp"
#include "natkit/sip/message/framing.hpp"

namespace natkit::edge {

/// What one neighbour, and all of them together, may hold of the edge.
struct StreamLimits {
    std::size_t connections = 8192;  ///< one in 64 of them is kept for those we make
    std::size_t per_source = 256;    ///< of those, of one nat::source_of(), the ones that must stay not counted
    Duration connect = std::chrono::seconds(5);
    Duration first_message = std::chrono::seconds(20);  ///< from the connection to the end of its first message
    Duration whole_message = std::chrono::seconds(10);  ///< from a message's first byte to its last
    Duration idle = std::chrono::minutes(30);           ///< without a byte from there, unless somebody needs it
};

/// The edge's TCP and TLS connections: those its neighbours made, and those it makes to servers. Cuts them into
/// messages, answers keep-alives, ends the ones that are slow, silent, full or senseless.
class Streams {
  public:
    struct Handlers {
        std::function<void(const sip::Flow& flow, std::string message)> on_message;
        /// A connection is over, whoever ended it. Its flow is dead for good.
        std::function<void(const sip::Flow& flow, const std::string& why)> on_closed;
        /// What was sent on this flow (its connection is 0: to a server) cannot get there.
        std::function<void(const sip::Flow& flow, const std::string& why)> on_unreachable;
        /// Whether a silent connection must stay: a client is registered on it.
        std::function<bool(const sip::Flow& flow)> needed;
        /// Whether a connection never makes room for another: it is a server's or of the LAN, or somebody is registered
        /// by it.
        std::function<bool(const sip::Flow& flow)> keeps;
        /// The connections that a dialog or a transaction needs; they make no room either. Asked once a second at most.
        std::function<std::unordered_set<std::uint64_t>()> in_use;
        /// What the certificate of a server at the end of this flow must be for: a host name or an address.
        std::function<std::string(const sip::Flow& flow)> name_of;
        /// Something an operator should hear of.
        std::function<void(const std::string& text)> on_problem;
    };
    struct Counters {
        std::uint64_t accepted = 0;
        std::uint64_t refused = 0;    ///< over a limit, or for want of descriptors
        std::uint64_t displaced = 0;  ///< ended to make room for others
        std::uint64_t pings = 0;      ///< CRLFCRLF
    };

    /// `first_connection` numbers the connections of this run from there; no two runs may share any.
    Streams(io::Loop& loop, const StreamLimits& limits, std::uint64_t first_connection, Handlers handlers);
    Streams(const Streams&) = delete;
    Streams& operator=(const Streams&) = delete;

    /// Other limits from now on; connections stay.
    void set_limits(const StreamLimits& limits) { limits_ = limits; }
    /// For connections from now on; null: no TLS.
    void set_tls(std::shared_ptr<const crypto::TlsContext> tls) { tls_ = std::move(tls); }
    /// Accepts on a listening socket from now on, in place of an earlier one of the same name.
    [[nodiscard]] Result<void> listen(sip::Transport transport, io::Fd socket);
    /// Stops accepting everywhere; connections stay.
    void stop_listening() { listeners_.clear(); }
    struct Listening {
        sip::Transport transport{};
        const io::TcpListener* listener = nullptr;
    };
    [[nodiscard]] std::vector<Listening> listening() const;

    /// Sends on a flow. With connection 0 one is made when there is none yet; what cannot be sent is told by
    /// on_unreachable. False when the flow's connection is gone.
    bool send(const sip::Flow& flow, std::string_view bytes);
    /// Our end of the flow's connection: the port of a connection of ours is none that is listened on. The flow's own
    /// where there is no such connection.
    [[nodiscard]] Endpoint local_of(const sip::Flow& flow) const;
    /// CRLFCRLF on a client's connection; false when it is gone.
    bool ping(const sip::Flow& flow) { return send(flow, "\r\n\r\n"); }
    /// Ends a connection; on_closed follows.
    void close(std::uint64_t connection, const std::string& why) { end(connection, why); }

    /// Whether what others connect stays open; else it ends at once, and nothing is told of it.
    void set_accepting(bool accepting) noexcept { accepting_ = accepting; }

    [[nodiscard]] std::size_t size() const noexcept { return connections_.size(); }
    [[nodiscard]] const Counters& counters() const noexcept { return counters_; }

  private:
    /// The connections that others have made, the one that has been silent for longest first.
    using Order = std::list<std::uint64_t>;
    struct Connection {
        sip::Flow flow;
        bool ours = false;  ///< made by us
        Endpoint local;     ///< where it begins on this host
        bool connected = true;
        std::optional<Instant> spoke;  ///< when the last whole message came
        Instant opened{};
        Instant heard{};    ///< last byte, or its beginning
        Instant began{};    ///< first byte of the message that is not whole yet
        Instant planned{};  ///< of its entry in deadlines_
        sip::Framer framer;
        std::optional<crypto::TlsSession> tls;
        std::unique_ptr<io::TcpStream> stream;
        Order::iterator in_all{};  ///< its places, where it is not ours
        Order::iterator in_source{};
    };
    using Target = std::pair<sip::Transport, std::pair<Endpoint, Endpoint>>;

    [[nodiscard]] static Target target_of(const sip::Flow& flow) { return {flow.transport, {flow.local, flow.remote}}; }
    void on_accept(sip::Transport transport, const Endpoint& local, io::Fd socket, const Endpoint& remote);
    [[nodiscard]] Result<Connection*> connect(const sip::Flow& flow);
    [[nodiscard]] io::TcpStream::Handlers handlers_of(std::uint64_t id);
    Connection& add(const sip::Flow& flow, bool ours);
    void to_the_end(Connection& connection);
    [[nodiscard]] bool stays(const Connection& connection);
    [[nodiscard]] bool make_room(Order& order);
    [[nodiscard]] bool has_room(const IpAddress& address);
    void on_connected(std::uint64_t id);
    void on_bytes(std::uint64_t id, std::string_view bytes);
    void on_encrypted(std::uint64_t id, std::string_view bytes);
    [[nodiscard]] static bool write(Connection& connection, std::string_view bytes);
    void end(std::uint64_t id, const std::string& why);
    [[nodiscard]] Instant deadline(const Connection& connection) const;
    void plan(Connection& connection);
    void on_time();

    io::Loop& loop_;
    StreamLimits limits_;
    Handlers handlers_;
    std::uint64_t next_;
    std::map<std::pair<sip::Transport, Endpoint>, std::unique_ptr<io::TcpListener>> listeners_;
    std::unordered_map<std::uint64_t, Connection> connections_;
    std::map<Target, std::uint64_t> made_;  ///< by us: which connection leads where
    Order all_;
    std::map<IpAddress, Order> of_source_;      ///< the same by nat::source_of()
    std::unordered_set<std::uint64_t> in_use_;  ///< by dialogs and transactions, at in_use_at_
    std::optional<Instant> in_use_at_;
    Deadlines<std::uint64_t> deadlines_;
    io::Timer timer_;
    Counters counters_;
    bool accepting_ = true;
    std::shared_ptr<const crypto::TlsContext> tls_;
};

}  // namespace natkit::edge
