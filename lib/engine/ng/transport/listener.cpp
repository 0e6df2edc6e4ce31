#include "listener.hpp"

#include <filesystem>
#include <map>
#include <optional>

#include "natkit/io/lines.hpp"
#include "natkit/io/net/host.hpp"
#include "natkit/io/net/http.hpp"
#include "natkit/io/net/tcp.hpp"
#include "natkit/io/net/udp.hpp"

namespace natkit::ng {
namespace {

constexpr std::size_t most_connections = 256;
constexpr int receive_buffer = 1 << 20;  ///< a burst of calls

class UdpListener : public Listener {
  public:
    UdpListener(io::Loop& loop, io::Fd socket, Handlers handlers)
        : handlers_(std::move(handlers)), socket_(std::make_shared<std::optional<io::UdpSocket>>()), alive_(socket_) {
        socket_->emplace(loop, std::move(socket), [this](const io::Datagram& datagram) { take(datagram); });
    }
    ~UdpListener() override { socket_->reset(); }

  private:
    void take(const io::Datagram& datagram) {
        const std::string_view text(reinterpret_cast<const char*>(datagram.bytes.data()), datagram.bytes.size());
        const Endpoint source = datagram.source;
        handlers_.on_message(text, {.name = to_string(source.address), .datagram = true},
                             [alive = alive_, source](const std::string& reply) {
                                 if (const auto socket = alive.lock(); socket && *socket)
                                     (void)(*socket)->send(source, reply);
                             });
    }

    Handlers handlers_;
    std::shared_ptr<std::optional<io::UdpSocket>> socket_;
    std::weak_ptr<std::optional<io::UdpSocket>> alive_;
};

/// Connections over which messages follow each other.
class StreamConnections : public std::enable_shared_from_this<StreamConnections> {
  public:
    StreamConnections(io::Loop& loop, Listener::Handlers handlers) : loop_(loop), handlers_(std::move(handlers)) {}

    void accept(io::Fd socket, std::string who) {
        if (connections_.size() >= most_connections) return;
        const std::uint64_t id = ++last_;
        Connection& connection = connections_[id];
        connection.who = std::move(who);
        connection.stream = std::make_unique<io::TcpStream>(
            loop_, std::move(socket),
            io::TcpStream::Handlers{.on_connected = {},
                                    .on_bytes = [this, id](std::string_view bytes) { take(id, bytes); },
                                    .on_close = [this, id](const Error&) { connections_.erase(id); }});
    }

  private:
    struct Connection {
        std::unique_ptr<io::TcpStream> stream;
        std::string who;
        std::string in;
    };

    void take(std::uint64_t id, std::string_view bytes) {
        auto found = connections_.find(id);
        if (found == connections_.end()) return;
        found->second.in.append(bytes);
        for (;;) {
            const FrameLength frame = handlers_.frame(found->second.in);
            if (frame.state == FrameLength::State::incomplete) return;
            if (frame.state == FrameLength::State::broken) {
                connections_.erase(found);
                return;
            }
            const std::string message = found->second.in.substr(0, frame.length);
            found->second.in.erase(0, frame.length);
            handlers_.on_message(message, {.name = found->second.who},
                                 [weak = weak_from_this(), id](const std::string& reply) {
                                     if (const auto self = weak.lock()) self->send(id, reply);
                                 });
            found = connections_.find(id);
            if (found == connections_.end()) return;
        }
    }

    /// Who does not read its answers is cut off.
    void send(std::uint64_t id, const std::string& reply) {
        const auto found = connections_.find(id);
        if (found != connections_.end() && !found->second.stream->send(reply + "\n")) connections_.erase(found);
    }

    io::Loop& loop_;
    Listener::Handlers handlers_;
    std::map<std::uint64_t, Connection> connections_;
    std::uint64_t last_ = 0;
};

class TcpListener : public Listener {
  public:
    TcpListener(io::Loop& loop, io::Fd socket, Handlers handlers)
        : connections_(std::make_shared<StreamConnections>(loop, std::move(handlers))),
          listener_(loop, std::move(socket),
                    {.on_connection =
                         [this](io::Fd accepted, const Endpoint& remote) {
                             connections_->accept(std::move(accepted), to_string(remote.address));
                         },
                     .on_exhausted = [] {}}) {}

  private:
    std::shared_ptr<StreamConnections> connections_;
    io::TcpListener listener_;
};

class UnixListener : public Listener {
  public:
    UnixListener(io::Loop& loop, Handlers handlers)
        : connections_(std::make_shared<StreamConnections>(loop, std::move(handlers))) {}

    Result<void> listen(io::Loop& loop, const std::string& path) {
        auto server = io::LineServer::listen(loop, path, [connections = connections_](io::Fd socket) {
            connections->accept(std::move(socket), "unix");
        });
        if (!server) return std::unexpected(server.error());
        server_ = std::move(*server);
        return share(path);
    }

  private:
    /// In a folder with the set-group-ID bit the socket has the folder's group, and whoever is of that may connect.
    static Result<void> share(const std::filesystem::path& path) {
        using std::filesystem::perms;
        std::error_code failed;
        const auto folder = std::filesystem::status(path.parent_path(), failed).permissions();
        if (failed || (folder & perms::set_gid) == perms::none) return {};
        const auto all = perms::owner_read | perms::owner_write | perms::group_read | perms::group_write;
        std::filesystem::permissions(path, all, failed);
        if (failed) return fail(Errc::system, "chmod " + path.string() + ": " + failed.message());
        return {};
    }

    std::shared_ptr<StreamConnections> connections_;
    std::unique_ptr<io::LineServer> server_;
};

/// POST /ng and /ng-plain: a message for a message.
class HttpListener : public Listener {
  public:
    Result<void> listen(io::Loop& loop, const Endpoint& local, Handlers handlers, io::Presence address) {
        auto server = io::HttpServer::listen(
            loop, local,
            [handlers = std::move(handlers)](const io::HttpServer::Request& request, io::HttpServer::Respond respond) {
                using Response = io::HttpServer::Response;
                if (request.path != "/ng" && request.path != "/ng-plain")
                    return respond(Response{.status = 404, .body = "POST to /ng\n"});
                if (request.method != "POST") return respond(Response{.status = 405, .body = "only POST\n"});
                const bool json = request.body.find('{') < 80;
                handlers.on_message(
                    request.body, {.name = "http"}, [respond = std::move(respond), json](const std::string& reply) {
                        respond(Response{.content_type = json ? "application/json" : "application/x-rtpengine-ng",
                                         .body = reply});
                    });
            },
            address);
        if (!server) return std::unexpected(server.error());
        server_ = std::move(*server);
        return {};
    }

  private:
    std::unique_ptr<io::HttpServer> server_;
};

}  // namespace

Result<std::unique_ptr<Listener>> Listener::open(io::Loop& loop, const Listen& listen, Handlers handlers,
                                                 io::Presence address) {
    using Kind = Listen::Kind;
    if (listen.kind == Kind::udp) {
        auto socket =
            io::open_udp(listen.endpoint, {.receive_buffer = receive_buffer, .packet_info = false, .address = address});
        if (!socket) return std::unexpected(socket.error());
        return std::make_unique<UdpListener>(loop, std::move(*socket), std::move(handlers));
    }
    if (listen.kind == Kind::tcp) {
        auto socket = io::open_tcp_listener(listen.endpoint, address);
        if (!socket) return std::unexpected(socket.error());
        return std::make_unique<TcpListener>(loop, std::move(*socket), std::move(handlers));
    }
    if (listen.kind == Kind::http) {
        auto made = std::make_unique<HttpListener>();
        if (auto done = made->listen(loop, listen.endpoint, std::move(handlers), address); !done)
            return std::unexpected(done.error());
        return made;
    }
    auto made = std::make_unique<UnixListener>(loop, std::move(handlers));
    if (auto done = made->listen(loop, listen.path); !done) return std::unexpected(done.error());
    return made;
}

}  // namespace natkit::ng
