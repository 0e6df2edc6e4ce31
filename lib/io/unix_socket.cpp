// The connecting and listening halves of natkit/io/lines.hpp.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "natkit/io/lines.hpp"
#include "natkit/io/privileges.hpp"

namespace natkit::io {
namespace {

using namespace std::chrono_literals;

constexpr Duration first_delay = 20ms;
constexpr Duration longest_delay = 1s;

Result<sockaddr_un> unix_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        return fail(Errc::bad_config, "a socket path has at most 107 bytes", path);
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

/// Who may connect to a socket that this process may not connect to: its owner, or that of the folder that hides it.
std::string who_may(const std::string& path) {
    struct stat there{};
    std::string at = path;
    while (::lstat(at.c_str(), &there) != 0) {
        const std::size_t slash = at.rfind('/');
        if (errno != EACCES || slash == std::string::npos || slash == 0) return "root";
        at.resize(slash);
    }
    const std::string name = user_name(there.st_uid);
    return name == "root" ? name : name + " and root";
}

Result<Fd> unix_socket() {
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return fail_errno("socket", errno);
    return socket;
}

}  // namespace

Result<Fd> connect_unix(const std::string& path) {
    const auto address = unix_address(path);
    if (!address) return std::unexpected(address.error());
    auto socket = unix_socket();
    if (!socket) return socket;
    if (::connect(socket->get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
        const int error = errno;
        auto failed = fail_errno("connect " + path, error);
        if (error == EACCES || error == EPERM) {
            failed.error().code = Errc::refused;
            failed.error().message += "; only " + who_may(path) + " may";
        }
        return failed;
    }
    return socket;
}

Result<std::unique_ptr<LineServer>> LineServer::listen(Loop& loop, const std::string& path,
                                                       OnConnection on_connection) {
    const auto address = unix_address(path);
    if (!address) return std::unexpected(address.error());

    // The lock, not the socket file, says whether somebody lives here; it goes with the process that holds it.
    const std::string lock_path = path + ".lock";
    Fd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock) return fail_errno("open " + lock_path, errno);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        return fail(Errc::refused, "another process serves " + path);
    }
    if (connect_unix(path)) return fail(Errc::refused, "another process serves " + path);

    auto socket = unix_socket();
    if (!socket) return std::unexpected(socket.error());
    // The file takes its mode from the socket, so it is never open to others, not even for a moment.
    if (::fchmod(socket->get(), 0600) != 0) return fail_errno("chmod " + path, errno);
    struct stat there{};
    if (::lstat(path.c_str(), &there) == 0) {
        if (!S_ISSOCK(there.st_mode)) return fail(Errc::bad_config, path + " exists and is not a socket");
        ::unlink(path.c_str());
    }
    if (::bind(socket->get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
        return fail_errno("bind " + path, errno);
    }
    if (::listen(socket->get(), 128) != 0) return fail_errno("listen " + path, errno);

    std::unique_ptr<LineServer> server(new LineServer);
    server->path_ = path;
    server->lock_ = std::move(lock);
    server->socket_ = std::move(*socket);
    server->acceptor_ = std::make_unique<Acceptor>(loop, server->socket_,
                                                   Acceptor::Handlers{.on_connection = std::move(on_connection)});
    return server;
}

LineServer::~LineServer() {
    acceptor_.reset();
    ::unlink(path_.c_str());
}

struct LineClient::Impl : std::enable_shared_from_this<LineClient::Impl> {
    Loop& loop;
    std::string path;
    Handlers handlers;
    std::unique_ptr<LineConnection> connection;
    std::unique_ptr<Timer> retry;
    Duration delay = first_delay;
    bool alive = true;

    Impl(Loop& on, std::string to, Handlers with) : loop(on), path(std::move(to)), handlers(std::move(with)) {}

    void connect() {
        if (!alive) return;
        const auto keep = shared_from_this();
        auto socket = connect_unix(path);
        if (!socket) {
            lost(socket.error());
            return;
        }
        delay = first_delay;
        connection = std::make_unique<LineConnection>(
            loop, std::move(*socket),
            LineConnection::Handlers{.on_line =
                                         [this](std::string_view line) {
                                             if (alive) handlers.on_line(line);
                                         },
                                     .on_close =
                                         [this, owner = weak_from_this()](const Error& why) {
                                             if (const auto held = owner.lock()) lost(why);
                                         }});
        if (handlers.on_connected) handlers.on_connected();
    }

    void lost(const Error& why) {
        if (!alive) return;
        connection.reset();
        retry->start_in(delay);
        delay = std::min(delay * 2, longest_delay);
        if (handlers.on_lost) handlers.on_lost(why);
    }
};

LineClient::LineClient(Loop& loop, std::string path, Handlers handlers)
    : impl_(std::make_shared<Impl>(loop, std::move(path), std::move(handlers))) {
    impl_->retry = std::make_unique<Timer>(loop, [owner = std::weak_ptr(impl_)] {
        if (const auto impl = owner.lock()) impl->connect();
    });
    impl_->retry->start_in(Duration::zero());  // not from the constructor: handlers may use this object
}

LineClient::~LineClient() {
    impl_->alive = false;
    impl_->retry.reset();
    impl_->connection.reset();
}

bool LineClient::send(std::string_view line, std::span<const Fd> descriptors) {
    return impl_->connection && impl_->connection->send(line, descriptors);
}

bool LineClient::send_later(std::string_view line) {
    return impl_->connection && impl_->connection->send_later(line);
}

void LineClient::gather() {
    if (impl_->connection) impl_->connection->gather();
}

void LineClient::flush() {
    if (impl_->connection) impl_->connection->flush();
}

Result<std::vector<Fd>> LineClient::take_descriptors(std::size_t count) {
    if (!impl_->connection) return fail(Errc::not_found, "not connected");
    return impl_->connection->take_descriptors(count);
}

bool LineClient::connected() const noexcept {
    return impl_->connection != nullptr;
}

void LineClient::reconnect() {
    impl_->lost({Errc::refused, {}, "given up"});
}

}  // namespace natkit::io
