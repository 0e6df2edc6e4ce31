#include "natkit/engine/control/server.hpp"

#include <algorithm>
#include <cassert>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>
#include <variant>

#include "natkit/base/text.hpp"
#include "natkit/engine/log/log.hpp"
#include "protocol.hpp"

namespace natkit::control {
namespace {

using namespace std::chrono_literals;

constexpr Duration remember_for = 60s;
constexpr std::size_t max_remembered = 65536;
constexpr std::size_t max_remembered_bytes = std::size_t{64} << 20;
constexpr std::size_t max_connections = 1024;
/// What another node would need, which costs its making: told to who names it.
constexpr std::string_view by_name_only = "replica";

using ConnectionId = std::uint64_t;

struct Connection {
    std::unique_ptr<io::LineConnection> lines;
    bool watching = false;
    std::vector<std::string> types;  ///< of the records it wants; empty: all

    [[nodiscard]] bool wants(std::string_view type) const {
        if (type == by_name_only && types.empty()) return false;
        return types.empty() || type.empty() || std::find(types.begin(), types.end(), type) != types.end();
    }
};

struct Command {
    std::variant<Server::Handler, Server::ViewHandler> handler;
    Server::Repeat repeat;
};

/// What became of a request id. A busy minute leaves tens of thousands of them.
struct Remembered {
    std::vector<ConnectionId> waiting;  ///< who asked before the answer was there; nobody: it is
    std::string reply;                  ///< empty: a plain ok
    Instant until{};
};

}  // namespace

struct Server::Impl {
    io::Loop& loop;
    std::unique_ptr<io::LineServer> listener;
    std::map<ConnectionId, Connection> connections;
    ConnectionId last_connection = 0;
    std::map<std::string, Command, std::less<>> commands;
    record::ObjectReader reader;
    std::unordered_map<std::string, Remembered> remembered;
    std::deque<const std::pair<const std::string, Remembered>*> by_age;  ///< in `remembered`, oldest first
    std::size_t remembered_bytes = 0;
    Snapshot snapshot;
    std::function<void()> before_answers;

    explicit Impl(io::Loop& on) : loop(on) {}

    void accept(io::Fd socket, const std::shared_ptr<Impl>& self);
    void on_line(ConnectionId from, std::string_view line, const std::shared_ptr<Impl>& self);
    void run(ConnectionId from, std::string_view line, const Request& request, std::vector<io::Fd> descriptors,
             const std::shared_ptr<Impl>& self);
    void start_watch(ConnectionId from, const Request& request);
    void tell_log(ConnectionId from, const Request& request);
    void send(ConnectionId to, const std::string& line, const std::vector<io::Fd>& descriptors = {});
    void send_later(ConnectionId to, const std::string& line);
    void answer(const Reply::State& state, const std::string& line, std::vector<io::Fd> descriptors);
    [[nodiscard]] bool remember(ConnectionId from, const std::string& id);
    void forget_old();
};

struct Reply::State {
    std::weak_ptr<Server::Impl> server;
    ConnectionId connection = 0;
    std::string id;
    bool remembered = false;
    bool answered = false;
    bool brief = false;  ///< it only wants to know that it was done

    State(std::weak_ptr<Server::Impl> on, ConnectionId from, std::string request_id, bool keep)
        : server(std::move(on)), connection(from), id(std::move(request_id)), remembered(keep) {}
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        if (!answered) answer(error_reply(id, {Errc::system, {}, "the command ended without an answer"}), {});
    }

    void answer(const std::string& line, std::vector<io::Fd> descriptors) {
        if (answered) return;
        answered = true;
        if (const auto impl = server.lock()) impl->answer(*this, line, std::move(descriptors));
    }
};

void Reply::ok(const Json& result) const {
    ok_text(state_->brief || result.is_null() ? "{}" : dump(result));
}

void Reply::ok_text(std::string_view result) const {
    state_->answer(ok_reply(state_->id, state_->brief ? "{}" : result, 0), {});
}

void Reply::ok(const Json& result, std::vector<io::Fd> descriptors) const {
    const std::string line = ok_reply(state_->id, result.is_null() ? "{}" : dump(result), descriptors.size());
    state_->answer(line, std::move(descriptors));
}

void Reply::error(const Error& error) const {
    state_->answer(error_reply(state_->id, error), {});
}

void Server::Impl::accept(io::Fd socket, const std::shared_ptr<Impl>& self) {
    if (connections.size() >= max_connections) return;  // the socket closes: the peer sees an end, and tries again
    const ConnectionId id = ++last_connection;
    const std::weak_ptr<Impl> weak = self;
    io::LineConnection::Handlers handlers;
    handlers.on_line = [weak, id](std::string_view line) {
        if (const auto impl = weak.lock()) impl->on_line(id, line, impl);
    };
    handlers.on_close = [weak, id](const Error&) {
        if (const auto impl = weak.lock()) impl->connections.erase(id);
    };
    handlers.before_answers = [weak] {
        if (const auto impl = weak.lock(); impl && impl->before_answers) impl->before_answers();
    };
    connections[id].lines = std::make_unique<io::LineConnection>(loop, std::move(socket), std::move(handlers));
}

void Server::Impl::send(ConnectionId to, const std::string& line, const std::vector<io::Fd>& descriptors) {
    const auto found = connections.find(to);
    if (found == connections.end()) return;
    // A peer that does not read is cut off rather than waited for. on_close may have erased it already.
    if (!found->second.lines->send(line, descriptors)) connections.erase(to);
}

void Server::Impl::send_later(ConnectionId to, const std::string& line) {
    const auto found = connections.find(to);
    if (found != connections.end() && !found->second.lines->send_later(line)) connections.erase(to);
}

void Server::Impl::forget_old() {
    const Instant now = loop.now();
    while (!by_age.empty()) {
        const auto& [id, oldest] = *by_age.front();
        const bool full = remembered.size() > max_remembered || remembered_bytes > max_remembered_bytes;
        if (!full && oldest.until > now) return;
        remembered_bytes -= oldest.reply.size();
        remembered.erase(remembered.find(id));
        by_age.pop_front();
    }
}

/// Whether the request is to run: its id is new, and remembered from now on.
bool Server::Impl::remember(ConnectionId from, const std::string& id) {
    forget_old();
    const auto [found, fresh] = remembered.try_emplace(id);
    Remembered& entry = found->second;
    if (fresh) {
        entry.waiting = {from};
        entry.until = loop.now() + remember_for;
        by_age.push_back(&*found);
        forget_old();
    } else if (entry.waiting.empty()) {
        send(from, entry.reply.empty() ? ok_reply(id, "{}", 0) : entry.reply);
    } else if (std::ranges::find(entry.waiting, from) == entry.waiting.end()) {
        std::erase_if(entry.waiting, [this](ConnectionId c) { return !connections.contains(c); });
        entry.waiting.push_back(from);
    }
    return fresh;
}

void Server::Impl::answer(const Reply::State& state, const std::string& line, std::vector<io::Fd> descriptors) {
    const auto found = state.remembered ? remembered.find(state.id) : remembered.end();
    if (found == remembered.end() || found->second.waiting.empty()) {  // forgotten, and asked again meanwhile
        send(state.connection, line, descriptors);
        return;
    }
    Remembered& entry = found->second;
    if (!line.ends_with(R"("ok":{}})")) entry.reply = line;
    remembered_bytes += entry.reply.size();
    const auto waiting = std::exchange(entry.waiting, {});
    const bool plain = state.brief && entry.reply.empty();  // nobody waits for it
    for (const ConnectionId to : waiting) {
        if (plain) {
            send_later(to, line);
        } else {
            send(to, line, descriptors);
        }
    }
}

void Server::Impl::on_line(ConnectionId from, std::string_view line, const std::shared_ptr<Impl>& self) {
    if (text::trim(line).empty()) return;
    auto request = parse_request(reader, line);
    if (!request) {
        Error error = request.error();
        const std::string id = std::exchange(error.where, {});
        send(from, error_reply(id, error));
        return;
    }
    std::vector<io::Fd> descriptors;
    if (request->descriptors > 0) {
        const auto connection = connections.find(from);
        if (connection == connections.end()) return;
        auto taken = connection->second.lines->take_descriptors(request->descriptors);
        if (!taken) {
            send(from, error_reply(request->id, taken.error()));
            return;
        }
        descriptors = std::move(*taken);
    }
    run(from, line, *request, std::move(descriptors), self);
}

void Server::Impl::run(ConnectionId from, std::string_view line, const Request& request,
                       std::vector<io::Fd> descriptors, const std::shared_ptr<Impl>& self) {
    if (request.command == "watch") return start_watch(from, request);
    if (request.command == "log") return tell_log(from, request);
    const auto command = commands.find(request.command);
    if (command == commands.end()) {
        send(from, error_reply(request.id,
                               {Errc::usage, "cmd", "unknown command '" + text::printable(request.command, 40) + "'"}));
        return;
    }
    const bool keep = command->second.repeat == Repeat::remember && !request.id.empty();
    if (keep && !remember(from, request.id)) return;
    const auto state = std::make_shared<Reply::State>(self, from, request.id, keep);
    state->brief = request.brief;
    const Reply reply(state);
    if (const auto* quick = std::get_if<ViewHandler>(&command->second.handler)) return (*quick)(request.body, reply);
    try {
        std::get<Handler>(command->second.handler)(Json::parse(line, nullptr, false), std::move(descriptors), reply);
    } catch (const Json::exception& error) {
        reply.error({Errc::bad_input, {}, std::string("a value of another type was expected: ") + error.what()});
    }
}

std::string_view type_of(const Json& record) {
    const auto type = record.find("type");
    return type != record.end() && type->is_string() ? std::string_view(type->get_ref<const std::string&>())
                                                     : std::string_view();
}

void Server::Impl::start_watch(ConnectionId from, const Request& request) {
    std::vector<std::string> types;
    if (const auto wanted = request.body.find("types")) {
        for (const record::ValueView type : wanted->list().value_or(std::vector<record::ValueView>())) {
            if (type.string() && types.size() < 32) types.emplace_back(*type.string());
        }
    }
    if (const auto found = connections.find(from); found != connections.end()) found->second.types = types;
    send(from, ok_reply(request.id, "{}", 0));
    // Who wants nothing but replicas has commands for all that there are.
    const bool by_name = types == std::vector<std::string>{std::string(by_name_only)};
    if (snapshot && !by_name) {
        snapshot([&](const Json& record) {
            const auto found = connections.find(from);
            if (found != connections.end() && found->second.wants(type_of(record))) send(from, dump(record));
        });
    }
    send(from, R"({"type":"snapshot-end"})");
    if (const auto found = connections.find(from); found != connections.end()) found->second.watching = true;
}

void Server::Impl::tell_log(ConnectionId from, const Request& request) {
    const auto after = request.body.find("after");
    Json lines = Json::array();
    std::uint64_t last = 0;
    for (const log::Line& line : log::recent(after ? after->number().value_or(0) : 0)) {
        last = line.number;
        lines.push_back({{"number", line.number},
                         {"time", line.time},
                         {"level", to_string(line.level)},
                         {"tag", line.tag},
                         {"text", line.text}});
    }
    send(from, ok_reply(request.id, dump({{"last", last}, {"lines", std::move(lines)}}), 0));
}

Result<std::unique_ptr<Server>> Server::listen(io::Loop& loop, const std::string& path) {
    auto impl = std::make_shared<Impl>(loop);
    auto listener = io::LineServer::listen(loop, path, [weak = std::weak_ptr(impl)](io::Fd socket) {
        if (const auto self = weak.lock()) self->accept(std::move(socket), self);
    });
    if (!listener) return std::unexpected(listener.error());
    impl->listener = std::move(*listener);
    return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::~Server() {
    impl_->connections.clear();
    impl_->listener.reset();
}

void Server::on(std::string command, Handler handler, Repeat repeat) {
    [[maybe_unused]] const bool fresh =
        impl_->commands.try_emplace(std::move(command), std::move(handler), repeat).second;
    assert(fresh);
}

void Server::on_view(std::string command, ViewHandler handler, Repeat repeat) {
    [[maybe_unused]] const bool fresh =
        impl_->commands.try_emplace(std::move(command), std::move(handler), repeat).second;
    assert(fresh);
}

void Server::set_before_answers(std::function<void()> before_answers) {
    impl_->before_answers = std::move(before_answers);
}

void Server::set_snapshot(Snapshot snapshot) {
    impl_->snapshot = std::move(snapshot);
}

void Server::publish(const Json& record) {
    const std::string_view type = type_of(record);
    if (watched(type)) publish_text(type, dump(record));
}

void Server::publish_text(std::string_view type, const std::string& record) {
    std::vector<ConnectionId> watchers;
    for (const auto& [id, connection] : impl_->connections) {
        if (connection.watching && connection.wants(type)) watchers.push_back(id);
    }
    for (const ConnectionId id : watchers) impl_->send(id, record);
}

bool Server::watched(std::string_view type) const noexcept {
    return std::any_of(impl_->connections.begin(), impl_->connections.end(),
                       [type](const auto& entry) { return entry.second.watching && entry.second.wants(type); });
}

std::size_t Server::connections() const noexcept {
    return impl_->connections.size();
}

}  // namespace natkit::control
