#include "natkit/io/net/http.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <map>
#include <optional>

#include "natkit/base/text.hpp"
#include "natkit/io/acceptor.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/net/host.hpp"

namespace natkit::io {
namespace {

constexpr std::size_t max_connections = 16;
constexpr std::size_t max_head = 8192;
constexpr std::size_t max_body = 65536;
constexpr Duration patience = std::chrono::seconds(10);

const char* reason_of(int status) {
    switch (status) {
        case 200: return "OK";
        case 400: return "Bad Request";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 411: return "Length Required";
        case 413: return "Content Too Large";
        default: return "Error";
    }
}

/// The length that the head of a request gives for its body; nothing: none that can be read.
std::optional<std::size_t> body_length(std::string_view head) {
    constexpr std::string_view name = "content-length:";
    while (!head.empty()) {
        const std::size_t end = std::min(head.find("\r\n"), head.size());
        const std::string_view line = head.substr(0, end);
        if (text::iequals(line.substr(0, name.size()), name)) {
            const auto length = text::parse_number(text::trim(line.substr(name.size())), max_body + 1);
            return length ? std::optional(static_cast<std::size_t>(*length)) : std::nullopt;
        }
        head.remove_prefix(std::min(end + 2, head.size()));
    }
    return std::nullopt;
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
    void ask(std::uint64_t id, Connection& connection, std::size_t head);
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
    const std::size_t head = connection.in.find("\r\n\r\n");
    if (head != std::string::npos) {
        ask(id, connection, head);
    } else if (connection.in.size() > max_head) {
        answer(id, {.status = 400, .body = "request too long\n"});
    }
}

/// Asks the handler once the whole request is there. `head`: where its head ends.
void HttpServer::Impl::ask(std::uint64_t id, Connection& connection, std::size_t head) {
    const std::string& in = connection.in;
    const std::size_t method_end = in.find(' ');
    const std::size_t path_end = in.find(' ', method_end + 1);
    const std::size_t line_end = in.find("\r\n");
    const auto refuse = [&](int status, const char* why) {
        connection.asked = true;
        answer(id, {.status = status, .body = why});
    };
    if (method_end == std::string::npos || path_end == std::string::npos || path_end > line_end)
        return refuse(400, "not HTTP\n");
    const std::string method = in.substr(0, method_end);
    std::string body;
    if (method == "POST") {
        const auto length = body_length(std::string_view(in).substr(line_end + 2, head - line_end));
        if (!length) return refuse(411, "Content-Length is missing\n");
        if (*length > max_body) return refuse(413, "the body is too large\n");
        if (in.size() < head + 4 + *length) return;  // more of it comes
        body = in.substr(head + 4, *length);
    } else if (method != "GET") {
        return refuse(405, "only GET and POST\n");
    }
    connection.asked = true;
    const std::string target = in.substr(method_end + 1, path_end - method_end - 1);
    handler({.method = method, .path = target.substr(0, target.find('?')), .body = std::move(body)},
            [weak = weak_from_this(), id](const Response& response) {
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

Result<std::unique_ptr<HttpServer>> HttpServer::listen(Loop& loop, const Endpoint& local, Handler handler,
                                                       Presence address) {
    auto socket = open_tcp_listener(local, address);
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
