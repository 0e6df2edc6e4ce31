#include "natkit/io/net/http.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <map>

#include "natkit/io/acceptor.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/net/host.hpp"

namespace natkit::io {
namespace {

constexpr std::size_t max_connections = 16;
constexpr std::size_t max_request = 8192;
constexpr Duration patience = std::chrono::seconds(10);

const char* reason_of(int status) {
    switch (status) {
        case 200: return "OK";
        case 400: return "Bad Request";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        default: return "Error";
    }
}

}  // namespace

struct HttpServer::Impl : std::enable_shared_from_this<HttpServer::Impl> {
    struct Connection {
        Fd socket;
        std::string in;
        std::string out;
        bool asked = false;
        std::unique_ptr<Poll> poll;
        std::unique_ptr<Timer> timer;
    };

    Loop& loop;
    Handler handler;
    Fd socket;
    std::unique_ptr<Acceptor> acceptor;
    std::map<std::uint64_t, Connection> connections;
    std::uint64_t last = 0;

    Impl(Loop& on, Handler with, Fd listener) : loop(on), handler(std::move(with)), socket(std::move(listener)) {}

    void accept(Fd accepted);
    void on_ready(std::uint64_t id);
    void read(std::uint64_t id, Connection& connection);
    void write(std::uint64_t id, Connection& connection);
    void ask(std::uint64_t id, Connection& connection);
    void answer(std::uint64_t id, const Response& response);
};

void HttpServer::Impl::accept(Fd accepted) {
    if (connections.size() >= max_connections) return;
    const std::uint64_t id = ++last;
    Connection& connection = connections[id];
    connection.socket = std::move(accepted);
    connection.poll = std::make_unique<Poll>(loop, connection.socket.get(), [this, id](bool, bool) { on_ready(id); });
    connection.poll->watch(true, false);
    connection.timer = std::make_unique<Timer>(loop, [this, id] { connections.erase(id); });
    connection.timer->start_in(patience);
}

void HttpServer::Impl::on_ready(std::uint64_t id) {
    const auto found = connections.find(id);
    if (found == connections.end()) return;
    if (found->second.out.empty()) {
        read(id, found->second);
    } else {
        write(id, found->second);
    }
}

void HttpServer::Impl::read(std::uint64_t id, Connection& connection) {
    std::array<char, 4096> buffer;
    const ssize_t count = ::recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
        connections.erase(id);
        return;
    }
    if (connection.asked) return;  // whatever follows the request is not for us
    connection.in.append(buffer.data(), static_cast<std::size_t>(count));
    if (connection.in.find("\r\n\r\n") != std::string::npos) {
        ask(id, connection);
    } else if (connection.in.size() > max_request) {
        answer(id, {.status = 400, .body = "request too long\n"});
    }
}

void HttpServer::Impl::ask(std::uint64_t id, Connection& connection) {
    connection.asked = true;
    const std::string& in = connection.in;
    const std::size_t method_end = in.find(' ');
    const std::size_t path_end = in.find(' ', method_end + 1);
    const std::size_t line_end = in.find("\r\n");
    if (method_end == std::string::npos || path_end == std::string::npos || path_end > line_end) {
        return answer(id, {.status = 400, .body = "not HTTP\n"});
    }
    if (in.compare(0, method_end, "GET") != 0) return answer(id, {.status = 405, .body = "only GET\n"});
    const std::string target = in.substr(method_end + 1, path_end - method_end - 1);
    handler(target.substr(0, target.find('?')), [weak = weak_from_this(), id](const Response& response) {
        if (const auto self = weak.lock()) self->answer(id, response);
    });
}

void HttpServer::Impl::answer(std::uint64_t id, const Response& response) {
    const auto found = connections.find(id);
    if (found == connections.end() || !found->second.out.empty()) return;
    found->second.out = "HTTP/1.1 " + std::to_string(response.status) + " " + reason_of(response.status) +
                        "\r\nContent-Type: " + response.content_type +
                        "\r\nContent-Length: " + std::to_string(response.body.size()) +
                        "\r\nConnection: close\r\n\r\n" + response.body;
    write(id, found->second);
}

void HttpServer::Impl::write(std::uint64_t id, Connection& connection) {
    const ssize_t count =
        ::send(connection.socket.get(), connection.out.data(), connection.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN && errno != EINTR) {
        connections.erase(id);
        return;
    }
    if (count > 0) connection.out.erase(0, static_cast<std::size_t>(count));
    if (connection.out.empty()) {
        connections.erase(id);
    } else {
        connection.poll->watch(false, true);
    }
}

Result<std::unique_ptr<HttpServer>> HttpServer::listen(Loop& loop, const Endpoint& local, Handler handler) {
    auto socket = open_tcp_listener(local);
    if (!socket) return std::unexpected(socket.error());
    std::unique_ptr<HttpServer> server(new HttpServer);
    server->impl_ = std::make_shared<Impl>(loop, std::move(handler), std::move(*socket));
    Impl* impl = server->impl_.get();
    impl->acceptor = std::make_unique<Acceptor>(
        loop, impl->socket,
        Acceptor::Handlers{.on_connection = [impl](Fd accepted) { impl->accept(std::move(accepted)); }});
    return server;
}

HttpServer::~HttpServer() {
    if (!impl_) return;
    impl_->acceptor.reset();
    impl_->connections.clear();
}

Endpoint HttpServer::local() const {
    const auto name = socket_name(impl_->socket);
    return name ? name->local : Endpoint{};
}

}  // namespace natkit::io
