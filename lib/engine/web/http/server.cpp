#include "server.hpp"

#include <microhttpd.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "natkit/base/text.hpp"
#include "natkit/io/net/host.hpp"

namespace natkit::web {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t connection_memory = std::size_t{16} << 10;
constexpr std::size_t most_unread = std::size_t{1} << 20;  ///< bytes of a stream
constexpr Duration look_every = 1s;

MHD_Result add_header(void* to, MHD_ValueKind /*kind*/, const char* name, const char* value) {
    auto& headers = *static_cast<std::vector<std::pair<std::string, std::string>>*>(to);
    headers.emplace_back(text::lower(name), value == nullptr ? "" : value);
    return MHD_YES;
}

MHD_Result add_argument(void* to, MHD_ValueKind /*kind*/, const char* name, const char* value) {
    auto& query = *static_cast<std::string*>(to);
    query.append(query.empty() ? "" : "&").append(name).append("=").append(value == nullptr ? "" : value);
    return MHD_YES;
}

}  // namespace

std::string_view Request::header(std::string_view name) const noexcept {
    for (const auto& [one, value] : headers) {
        if (one == name) return value;
    }
    return {};
}

struct Responder::Stream::Inside {
    std::weak_ptr<HttpServer::Impl> server;
    MHD_Connection* connection = nullptr;  ///< null: it is gone
    std::string unread;
    bool closed = false;     ///< by us: what is unread still goes
    bool suspended = false;  ///< until there is something to send
};

/// One request and its answer; libmicrohttpd keeps a pointer to it meanwhile.
struct Responder::State {
    std::weak_ptr<HttpServer::Impl> server;
    MHD_Connection* connection = nullptr;  ///< null: it is gone
    Request request;
    std::size_t most_bytes = 0;
    bool asked = false;
    bool suspended = false;
    bool answered = false;
    bool too_large = false;
    std::optional<Response> response;
    std::shared_ptr<Responder::Stream::Inside> stream;
    std::shared_ptr<State> keep;  ///< itself, while libmicrohttpd points to it

    void give(Response given);
};

struct HttpServer::Impl : std::enable_shared_from_this<Impl> {
    struct Connection {
        Instant since{};  ///< of what it does, or does not do
        bool busy = false;
        bool streams = false;
    };

    io::Loop& loop;
    Options options;
    Handlers handlers;
    MHD_Daemon* daemon = nullptr;
    std::unique_ptr<io::Poll> poll;
    io::Timer due;
    io::Timer look;
    bool running = false;
    std::map<MHD_Connection*, Connection> connections;
    std::map<Responder::State*, std::weak_ptr<Responder::State>> under_way;

    Impl(io::Loop& on, Options with, Handlers to)
        : loop(on), options(std::move(with)), handlers(std::move(to)), due(on, [this] { run(); }), look(on, [this] {
              cut_off_idle();
          }) {}

    bool start_daemon();
    void run();
    void cut_off_idle();
    void resume(MHD_Connection* connection);
    MHD_Result on_access(MHD_Connection* connection, const char* url, const char* method, const char* data,
                         std::size_t* size, void** context);
    MHD_Result begin(MHD_Connection* connection, const char* url, const char* method, void** context);
    MHD_Result send(MHD_Connection* connection, Responder::State& state);
    void on_completed(void** context);
    void on_connection(MHD_Connection* connection, bool begins);
};

namespace {

MHD_Result access_handler(void* self, MHD_Connection* connection, const char* url, const char* method,
                          const char* /*version*/, const char* data, std::size_t* size, void** context) {
    return static_cast<HttpServer::Impl*>(self)->on_access(connection, url, method, data, size, context);
}

/// Paths are compared as they came, and parse_form() reads the query: a %00 would end the library's text.
std::size_t leave_escapes(void* /*self*/, MHD_Connection* /*connection*/, char* text) {
    return std::strlen(text);
}

void completed(void* self, MHD_Connection* /*connection*/, void** context, MHD_RequestTerminationCode /*why*/) {
    static_cast<HttpServer::Impl*>(self)->on_completed(context);
}

void connected(void* self, MHD_Connection* connection, void** /*context*/, MHD_ConnectionNotificationCode what) {
    static_cast<HttpServer::Impl*>(self)->on_connection(connection, what == MHD_CONNECTION_NOTIFY_STARTED);
}

}  // namespace

/// libmicrohttpd asks for what is to be sent next. With nothing to send the connection waits until there is.
struct StreamReader {
    std::shared_ptr<void> keep;
    std::string* unread;
    bool* closed;
    bool* suspended;
    MHD_Connection* connection;

    static ssize_t read(void* self, std::uint64_t /*position*/, char* buffer, std::size_t room) {
        auto& reader = *static_cast<StreamReader*>(self);
        if (reader.unread->empty()) {
            if (*reader.closed) return MHD_CONTENT_READER_END_OF_STREAM;
            *reader.suspended = true;
            MHD_suspend_connection(reader.connection);
            return 0;
        }
        const std::size_t count = std::min(room, reader.unread->size());
        std::copy_n(reader.unread->begin(), count, buffer);
        reader.unread->erase(0, count);
        return static_cast<ssize_t>(count);
    }
    static void free(void* self) { delete static_cast<StreamReader*>(self); }
};

void Responder::State::give(Response given) {
    if (answered) return;
    answered = true;
    response = std::move(given);
    const auto impl = server.lock();
    if (impl && connection != nullptr && suspended) {
        suspended = false;
        impl->resume(connection);
    }
}

void Responder::operator()(Response response) const {
    state_->give(std::move(response));
}

std::shared_ptr<Responder::Stream> Responder::stream(Response head) const {
    auto stream = std::make_shared<Stream>();
    stream->inside_ = std::make_shared<Stream::Inside>();
    stream->inside_->server = state_->server;
    stream->inside_->connection = state_->connection;
    state_->stream = stream->inside_;
    state_->give(std::move(head));
    return stream;
}

bool Responder::Stream::send(std::string_view text) {
    Inside& inside = *inside_;
    const auto impl = inside.server.lock();
    if (!impl || inside.connection == nullptr || inside.closed) return false;
    if (inside.unread.size() + text.size() > most_unread) {
        inside.closed = true;
        inside.unread.clear();
        return false;
    }
    inside.unread += text;
    if (std::exchange(inside.suspended, false)) impl->resume(inside.connection);
    return true;
}

bool Responder::Stream::open() const noexcept {
    return inside_->connection != nullptr && !inside_->closed;
}

void Responder::Stream::close() {
    Inside& inside = *inside_;
    inside.closed = true;
    const auto impl = inside.server.lock();
    if (impl && inside.connection != nullptr && std::exchange(inside.suspended, false)) impl->resume(inside.connection);
}

void HttpServer::Impl::resume(MHD_Connection* connection) {
    MHD_resume_connection(connection);
    due.start_in(Duration::zero());  // not from within libmicrohttpd
}

MHD_Result HttpServer::Impl::begin(MHD_Connection* connection, const char* url, const char* method, void** context) {
    auto state = std::make_shared<Responder::State>();
    state->server = weak_from_this();
    state->connection = connection;
    state->request.method = method;
    state->request.path = url;
    MHD_get_connection_values(connection, MHD_HEADER_KIND, add_header, &state->request.headers);
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, add_argument, &state->request.query);
    if (const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD); info != nullptr) {
        if (const auto peer = io::peer_of(info->connect_fd)) state->request.source = peer->address;
    }
    Connection& own = connections[connection];
    own.busy = true;
    own.since = loop.now();
    state->keep = state;
    under_way[state.get()] = state;
    *context = state.get();
    Admission admission = handlers.admit(state->request);
    if (auto* refusal = std::get_if<Response>(&admission)) {
        state->answered = state->asked = true;
        state->response = std::move(*refusal);
    } else {
        state->most_bytes = std::get<std::size_t>(admission);
        const auto length = text::parse_number(state->request.header("content-length"), UINT64_MAX);
        if (length && *length > state->most_bytes) {
            state->answered = state->asked = true;
            state->response = Response{.status = 413, .body = "too large\n"};
        } else if (!state->request.header("transfer-encoding").empty()) {
            state->answered = state->asked = true;
            state->response = Response{.status = 411, .body = "say the length of the body (Content-Length)\n"};
        }
    }
    // Of a body that is not read the connection ends; what has none is answered when it is whole.
    const bool no_body = state->request.method == "GET" || state->request.method == "HEAD";
    return state->response && !no_body ? send(connection, *state) : MHD_YES;
}

MHD_Result HttpServer::Impl::on_access(MHD_Connection* connection, const char* url, const char* method,
                                       const char* data, std::size_t* size, void** context) {
    if (*context == nullptr) return begin(connection, url, method, context);
    const auto state = static_cast<Responder::State*>(*context)->keep;
    if (*size > 0) {
        state->too_large = state->too_large || state->request.body.size() + *size > state->most_bytes;
        if (!state->too_large) state->request.body.append(data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (state->too_large) state->give({.status = 413, .body = "too large\n"});
    if (!std::exchange(state->asked, true) && !state->answered) {
        handlers.on_request(std::move(state->request), Responder(state));
    }
    if (state->response) return send(connection, *state);
    state->suspended = true;
    MHD_suspend_connection(connection);
    return MHD_YES;
}

MHD_Result HttpServer::Impl::send(MHD_Connection* connection, Responder::State& state) {
    const Response response = std::move(*state.response);
    state.response.reset();
    MHD_Response* made = nullptr;
    if (state.stream) {
        const auto inside = state.stream;
        auto* reader = new StreamReader{.keep = inside,
                                        .unread = &inside->unread,
                                        .closed = &inside->closed,
                                        .suspended = &inside->suspended,
                                        .connection = connection};
        made =
            MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, StreamReader::read, reader, StreamReader::free);
        connections[connection].streams = true;
    } else {
        made = MHD_create_response_from_buffer(response.body.size(),
                                               const_cast<char*>(response.body.data()),  // it is copied
                                               MHD_RESPMEM_MUST_COPY);
    }
    if (made == nullptr) return MHD_NO;
    if (!response.content_type.empty()) MHD_add_response_header(made, "Content-Type", response.content_type.c_str());
    for (const auto& [name, value] : response.headers) MHD_add_response_header(made, name.c_str(), value.c_str());
    const MHD_Result queued = MHD_queue_response(connection, static_cast<unsigned>(response.status), made);
    MHD_destroy_response(made);
    return queued;
}

void HttpServer::Impl::on_completed(void** context) {
    auto* state = static_cast<Responder::State*>(*context);
    if (state == nullptr) return;
    *context = nullptr;
    if (const auto own = connections.find(state->connection); own != connections.end()) {
        own->second = {.since = loop.now()};
    }
    if (state->stream) state->stream->connection = nullptr;
    state->connection = nullptr;
    state->answered = true;
    under_way.erase(state);
    const auto last = std::move(state->keep);
}

void HttpServer::Impl::on_connection(MHD_Connection* connection, bool begins) {
    if (begins) {
        connections[connection] = {.since = loop.now()};
    } else {
        connections.erase(connection);
    }
}

/// Whoever says a byte now and then keeps a connection no longer than one who is silent.
void HttpServer::Impl::cut_off_idle() {
    look.start_in(look_every);
    for (const auto& [connection, own] : connections) {
        const Duration allowed = own.busy ? options.limits.transfer : options.limits.idle;
        if (own.streams || loop.now() - own.since < allowed) continue;
        const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info != nullptr) io::shut_down(info->connect_fd);
    }
}

void HttpServer::Impl::run() {
    if (running || daemon == nullptr) return;
    const auto alive = shared_from_this();
    running = true;
    MHD_run(daemon);
    running = false;
    MHD_UNSIGNED_LONG_LONG timeout = 0;
    if (daemon != nullptr && MHD_get_timeout(daemon, &timeout) == MHD_YES) {
        due.start_in(std::chrono::milliseconds(std::min<std::uint64_t>(timeout, 60'000)));
    }
}

bool HttpServer::Impl::start_daemon() {
    const bool encrypted = !options.certificate.empty();
    std::vector<MHD_OptionItem> items = {
        {MHD_OPTION_LISTEN_SOCKET, options.listener.get(), nullptr},
        {MHD_OPTION_CONNECTION_LIMIT, static_cast<std::intptr_t>(options.limits.connections), nullptr},
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT, static_cast<std::intptr_t>(options.limits.of_one_source), nullptr},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, static_cast<std::intptr_t>(connection_memory), nullptr},
        {MHD_OPTION_CONNECTION_TIMEOUT,
         static_cast<std::intptr_t>(std::chrono::duration_cast<std::chrono::seconds>(options.limits.transfer).count()),
         nullptr},
        {MHD_OPTION_NOTIFY_COMPLETED, reinterpret_cast<std::intptr_t>(&completed), this},
        {MHD_OPTION_NOTIFY_CONNECTION, reinterpret_cast<std::intptr_t>(&connected), this},
        {MHD_OPTION_UNESCAPE_CALLBACK, reinterpret_cast<std::intptr_t>(&leave_escapes), this},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, nullptr},
        {MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, nullptr},
    };
    if (encrypted) {
        items.push_back({MHD_OPTION_HTTPS_MEM_CERT, 0, options.certificate.data()});
        items.push_back({MHD_OPTION_HTTPS_MEM_KEY, 0, options.key.data()});
        items.push_back({MHD_OPTION_HTTPS_PRIORITIES, 0, const_cast<char*>("NORMAL:-VERS-TLS1.0:-VERS-TLS1.1")});
    }
    items.push_back({MHD_OPTION_END, 0, nullptr});
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    if (encrypted) flags |= MHD_USE_TLS;
    daemon = MHD_start_daemon(flags, 0, nullptr, nullptr, &access_handler, this, MHD_OPTION_ARRAY, items.data(),
                              MHD_OPTION_END);
    return daemon != nullptr;
}

Result<std::unique_ptr<HttpServer>> HttpServer::start(io::Loop& loop, Options options, Handlers handlers) {
    auto impl = std::make_shared<Impl>(loop, std::move(options), std::move(handlers));
    if (!impl->start_daemon()) {
        return fail(Errc::system, impl->options.certificate.empty()
                                      ? "cannot serve HTTP on this socket"
                                      : "cannot serve HTTPS on this socket with this certificate and key");
    }
    static_cast<void>(impl->options.listener.release());  // libmicrohttpd closes it
    const auto* info = MHD_get_daemon_info(impl->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    impl->poll = std::make_unique<io::Poll>(loop, info->epoll_fd, [self = impl.get()](bool, bool) { self->run(); });
    impl->poll->watch(true, false);
    impl->look.start_in(look_every);
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::~HttpServer() {
    Impl& impl = *impl_;
    impl.poll.reset();
    impl.look.stop();
    // None may be suspended when libmicrohttpd ends.
    const auto under_way = impl.under_way;
    for (const auto& [state, weak] : under_way) {
        if (const auto one = weak.lock()) {
            one->give({.status = 503, .body = "ending\n"});
            if (one->stream) {
                one->stream->closed = true;
                if (std::exchange(one->stream->suspended, false)) MHD_resume_connection(one->connection);
            }
        }
    }
    impl.due.stop();
    MHD_run(impl.daemon);
    MHD_stop_daemon(std::exchange(impl.daemon, nullptr));
}

std::size_t HttpServer::connections() const noexcept {
    return impl_->connections.size();
}

}  // namespace natkit::web
