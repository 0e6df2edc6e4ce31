#include "natkit/engine/web/service.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "natkit/crypto/crypto.hpp"
#include "natkit/crypto/password.hpp"
#include "natkit/engine/control/usage.hpp"
#include "natkit/io/net/host.hpp"
#include "service_impl.hpp"

namespace natkit::web {
namespace {

constexpr std::size_t most_watchers = 200;

Result<std::string> file_text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return fail_errno(path, errno);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// What every answer says to the browser. The pages need no other host, no script in a page's text, no frame elsewhere.
void add_policy(Response& response) {
    const auto has = [&](std::string_view name) {
        return std::ranges::any_of(response.headers, [&](const auto& one) { return one.first == name; });
    };
    const auto add = [&](const char* name, const char* value) {
        if (!has(name)) response.headers.emplace_back(name, value);
    };
    add("Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src "
        "'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
    add("X-Content-Type-Options", "nosniff");
    add("Referrer-Policy", "same-origin");  // with none, a form's Origin would be null
    add("Cross-Origin-Opener-Policy", "same-origin");
    add("Cross-Origin-Resource-Policy", "same-origin");
    add("Cache-Control", "no-store");
}

/// An answer with the policy, given by whoever gives it.
Response with_policy(Response response) {
    add_policy(response);
    return response;
}

}  // namespace

Response json_response(const Json& value, int status) {
    return json_text_response(value.dump(-1, ' ', false, Json::error_handler_t::replace), status);
}

Response json_text_response(std::string text, int status) {
    return with_policy({.status = status, .content_type = "application/json", .body = std::move(text)});
}

Response refusal(int status, const std::string& text) {
    return with_policy({.status = status, .body = text + "\n"});
}

Response error_response(const Error& error) {
    int status = 502;
    switch (error.code) {
        case Errc::bad_input:
        case Errc::usage:
        case Errc::bad_config: status = 400; break;
        case Errc::not_found: status = 404; break;
        case Errc::refused: status = 409; break;
        case Errc::exhausted: status = 503; break;
        case Errc::system:
        case Errc::timed_out: break;
    }
    return json_response(
        {{"error", {{"code", to_string(error.code)}, {"where", error.where}, {"message", error.message}}}}, status);
}

Service::Impl::Impl(io::Loop& on, Options with, config::Config from)
    : loop(on),
      options(std::move(with)),
      config(std::move(from)),
      log("WEB", config.sip.log_level),
      started(on.now()),
      backend(on, config.control.socket, options.runtime_dir),
      passwords(on),
      browser_key(crypto::random_hex(32)),
      nobody(crypto::PasswordRecord::make(crypto::random_hex(16))) {
    backend.on_news([this] { tell_watchers(); });
    backend.set_lookers([this] { return !watchers.empty(); });
}

Result<std::unique_ptr<Service>> Service::start(io::Loop& loop, Options options, config::Config config) {
    std::unique_ptr<Service> service(new Service);
    service->impl_ = std::make_unique<Impl>(loop, std::move(options), std::move(config));
    Impl& impl = *service->impl_;
    auto control = control::Server::listen(loop, impl.options.runtime_dir + "/natkit-web.sock");
    if (!control) return std::unexpected(control.error());
    impl.control = std::move(*control);
    impl.serve_control();
    impl.load_users();
    if (const auto done = impl.listen(); !done) {
        impl.degraded = to_string(done.error());
        impl.log.failures(impl.degraded);
    }
    return service;
}

Service::~Service() = default;

Result<void> Service::Impl::listen() {
    const auto failed = [](const Error& error) { return fail(error.code, "[web] listen: " + error.message); };
    http.reset();
    if (!config.web.listen) return {};
    HttpServer::Options with{};
    if (config::encrypts(config)) {
        auto certificate = file_text(config.tls.certificate);
        if (!certificate) return failed(certificate.error());
        auto key = file_text(config.tls.key);
        if (!key) return failed(key.error());
        with.certificate = std::move(*certificate);
        with.key = std::move(*key);
    }
    auto listener = io::open_tcp_listener(*config.web.listen);
    if (!listener) return failed(listener.error());
    with.listener = std::move(*listener);
    auto made = HttpServer::start(
        loop, std::move(with),
        {.admit = [this](const Request& head) { return admit(head); },
         .on_request = [this](Request request, const Responder& respond) { on_request(std::move(request), respond); }});
    if (!made) return failed(made.error());
    http = std::move(*made);
    const std::string scheme = config::encrypts(config) ? "https://" : "http://";
    log.major("pages at " + scheme + to_string(*config.web.listen) + "/" +
              (users.empty() ? "; nobody can log in yet: natkit web passwd NAME" : ""));
    return {};
}

void Service::Impl::serve_control() {
    using control::Reply;
    using Fds = std::vector<io::Fd>;
    control->on(
        "status", [this](const Json&, const Fds&, const Reply& reply) { reply.ok(status()); },
        control::Server::Repeat::run);
    control->on("reload", [this](const Json&, const Fds&, const Reply& reply) { reload(reply); });
    control->on("log-level", [this](const Json& request, const Fds&, const Reply& reply) {
        const auto level = parse_log_level(request.value("level", ""));
        if (!level) return reply.error(level.error());
        log.set_level(*level);
        reply.ok(Json::object());
    });
    control->on("stop", [this](const Json&, const Fds&, const Reply& reply) {
        reply.ok(Json::object());
        loop.stop();
    });
}

void Service::Impl::reload(const control::Reply& reply) {
    auto fresh = options.read_again();
    if (!fresh) return reply.error(fresh.error());
    const bool same = fresh->web == config.web && !config::encrypts(*fresh) && !config::encrypts(config) && http;
    config = std::move(*fresh);
    log.set_level(config.sip.log_level);
    reply.ok(Json::object());
    if (same) return;
    degraded.clear();
    if (const auto done = listen(); !done) {
        degraded = to_string(done.error());
        log.failures(degraded);
    }
}

Json Service::Impl::status() const {
    Json told = Json::array();
    if (!degraded.empty()) told.push_back(degraded);
    Json status = {{"name", "natkit-web"},
                   {"pid", ::getpid()},
                   {"uptime_s", std::chrono::duration_cast<std::chrono::seconds>(loop.now() - started).count()},
                   {"connections", http ? http->connections() : 0},
                   {"sessions_open", sessions.size()},
                   {"degraded", std::move(told)}};
    control::add_usage(status);
    return status;
}

/// What a head alone tells: nobody's body is read who may not send one.
HttpServer::Admission Service::Impl::admit(const Request& head) {
    if (!host_allowed(head.header("host"), config.web.names)) {
        return refusal(421, "this name is not one of [web] names: ask by an address, or add the name there");
    }
    const auto target = find_target(head.method, head.path);
    if (!target) return refusal(404, "there is nothing here");
    const bool writes = head.method != "GET" && head.method != "HEAD";
    if (writes && !same_origin(head.header("origin"), head.header("host"), config::encrypts(config))) {
        return refusal(403, "this request does not come from natkit's own page");
    }
    const std::string_view site = head.header("sec-fetch-site");
    if (writes && !site.empty() && site != "same-origin") return refusal(403, "this request comes from another site");
    if (target->access == Access::anybody) return target->most_bytes;
    const Session* session = session_of(head);
    if (session == nullptr) {
        if (target->route != Route::app) return refusal(401, "log in first");
        return with_policy({.status = 303, .content_type = "", .body = "", .headers = {{"Location", "/login"}}});
    }
    if (target->access == Access::change) {
        if (!crypto::same_secret(head.header("x-csrf-token"), session->csrf)) {
            return refusal(403, "this request does not come from the page of this session: load it again");
        }
        if (config.web.read_only) return refusal(403, "the pages are read-only ([web] read_only)");
    }
    return target->most_bytes;
}

void Service::Impl::on_request(Request request, const Responder& respond) {
    const auto target = find_target(request.method, request.path);
    if (!target) return respond(refusal(404, "there is nothing here"));
    switch (target->route) {
        case Route::asset: return respond(asset(request, request.path.substr(std::string_view("/assets/").size())));
        case Route::login_page: return respond(login_page(200, ""));
        case Route::login: return log_in(request, respond);
        case Route::logout: return log_out(request, respond);
        default: break;
    }
    const Session* session = session_of(request);
    if (session == nullptr) return respond(refusal(401, "log in first"));
    answer(*target, request, *session, respond);
}

/// Events, for as long as the session lasts, which is in use meanwhile.
void Service::Impl::watch(const Request& request, const Responder& respond) {
    Response head = refusal(200, "");
    head.content_type = "text/event-stream";
    watchers.push_back({.stream = respond.stream(std::move(head)), .session = key_of(request)});
    const std::string now = backend.overview().dump(-1, ' ', false, Json::error_handler_t::replace);
    watchers.back().stream->send("retry: 2000\ndata: " + now + "\n\n");
    backend.look_now();
}

void Service::Impl::tell_watchers() {
    std::erase_if(watchers, [this](const Watcher& one) {
        if (one.stream->open() && session_of_key(one.session) == nullptr) one.stream->close();
        return !one.stream->open();
    });
    if (watchers.empty()) return;
    const std::string event =
        "data: " + backend.overview().dump(-1, ' ', false, Json::error_handler_t::replace) + "\n\n";
    for (const Watcher& one : watchers) one.stream->send(event);
    if (watchers.size() > most_watchers) {
        watchers.front().stream->close();
        watchers.erase(watchers.begin());
    }
}

}  // namespace natkit::web
