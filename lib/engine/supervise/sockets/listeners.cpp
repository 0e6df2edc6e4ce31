#include "listeners.hpp"

#include <cerrno>
#include <set>

#include "natkit/io/net/host.hpp"
#include "natkit/io/net/udp.hpp"

namespace natkit::supervise {
namespace {

/// Says what to do about a port that cannot be had.
Error explain(const config::Listen& listen, const Error& error) {
    const std::string port = std::to_string(listen.endpoint.port);
    const char* tool = listen.transport == config::Transport::udp ? "ss -ulpn" : "ss -tlpn";
    std::string hint;
    if (error.error_number == EADDRINUSE) {
        hint = std::string("; end the program that has it (") + tool + " 'sport = :" + port +
               "' names it), or change the port";
    } else if (error.error_number == EACCES) {
        hint = "; ports below 1024 need root or the capability CAP_NET_BIND_SERVICE";
    }
    return {error.code, "", "[sip] listen: " + error.message + hint, error.error_number};
}

/// EADDRNOTAVAIL: the address is not the host's, or is not yet known to be nobody else's (IPv6, RFC 4862).
bool is_absent(const Error& error) {
    return error.error_number == EADDRNOTAVAIL;
}

/// What a SIP socket may hold while its process waits for a processor: a burst of some thousand messages.
constexpr int receive_buffer = 4 << 20;

Result<io::Fd> open_one(const config::Listen& listen, io::Presence address) {
    if (listen.transport == config::Transport::udp) {
        return io::open_udp(listen.endpoint, {.tos = {}, .receive_buffer = receive_buffer, .address = address});
    }
    return io::open_tcp_listener(listen.endpoint, address);
}

}  // namespace

void Listeners::offer(std::string name, io::Fd socket) {
    offered_[std::move(name)] = std::move(socket);
}

Result<void> Listeners::offer(io::Fd socket) {
    const auto name = io::socket_name(socket);
    if (!name) return std::unexpected(name.error());
    if (auto done = io::prepare_listener(socket, receive_buffer); !done) return done;
    // A TCP listener may be meant for TLS: both names fit it, and the configuration decides.
    if (name->stream) {
        auto copy = socket.duplicate();
        if (!copy) return std::unexpected(copy.error());
        offer(to_string(config::Listen{config::Transport::tls, name->local}), std::move(*copy));
    }
    offer(to_string(config::Listen{name->stream ? config::Transport::tcp : config::Transport::udp, name->local}),
          std::move(socket));
    return {};
}

Listeners::Change Listeners::prepare_what_can_be(std::span<const config::Listen> wanted,
                                                 std::vector<Error>& problems) const {
    Change change;
    for (const config::Listen& listen : wanted) {
        const std::string name = to_string(listen);
        if (!sockets_.contains(name) && !offered_.contains(name)) {
            auto socket = open_one(listen, presence_);
            if (!socket) {
                if (!is_absent(socket.error())) problems.push_back(explain(listen, socket.error()));
                change.waiting.push_back(name);
                continue;
            }
            change.fresh[name] = std::move(*socket);
        }
        change.names.push_back(name);
    }
    return change;
}

std::expected<Listeners::Change, std::vector<Error>> Listeners::prepare(std::span<const config::Listen> wanted) const {
    std::vector<Error> problems;
    Change change = prepare_what_can_be(wanted, problems);
    if (!problems.empty()) return std::unexpected(std::move(problems));
    return change;
}

void Listeners::commit(Change change) {
    sockets_.merge(offered_);
    sockets_.merge(change.fresh);
    const std::set<std::string> kept(change.names.begin(), change.names.end());
    std::erase_if(sockets_, [&kept](const auto& entry) { return !kept.contains(entry.first); });
    names_ = std::move(change.names);
    waiting_ = std::move(change.waiting);
    offered_.clear();
}

std::vector<Error> Listeners::open(std::span<const config::Listen> wanted) {
    auto change = prepare(wanted);
    if (!change) return std::move(change.error());
    commit(std::move(*change));
    return {};
}

Result<std::vector<io::Fd>> Listeners::duplicates() const {
    std::vector<io::Fd> result;
    for (const std::string& name : names_) {
        auto copy = sockets_.at(name).duplicate();
        if (!copy) return std::unexpected(copy.error());
        result.push_back(std::move(*copy));
    }
    return result;
}

}  // namespace natkit::supervise
