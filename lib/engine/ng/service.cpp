#include "natkit/engine/ng/service.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "calls.hpp"
#include "natkit/base/text.hpp"
#include "natkit/io/thread_load.hpp"
#include "natkit/ng/bencode.hpp"
#include "natkit/ng/overload.hpp"
#include "natkit/record/ng_json.hpp"
#include "rtpproxy_sessions.hpp"
#include "transport/cookies.hpp"
#include "transport/listener.hpp"

namespace natkit::ng {
namespace {

constexpr std::chrono::seconds look_at_load{1};  ///< so often
constexpr std::size_t most_warnings = 256;       ///< different ones that are told, each once

Settings settings_of(const ServiceOptions& options) {
    return {.interfaces = options.interfaces,
            .delete_delay = options.delete_delay,
            .most_calls = options.max_calls,
            .log_level = options.log_level};
}

std::string written(const Dictionary& reply, Form form) {
    return form == Form::json ? record::to_ng_json(reply) : to_bencode(reply);
}

Dictionary error_reply(std::string reason) {
    return {{"result", "error"}, {"error-reason", std::move(reason)}};
}

}  // namespace

struct Service::Impl {
    io::Loop& loop;
    relay::Engine& engine;
    ServiceOptions options;
    log::Logger log;
    Calls calls;
    rtpproxy::Sessions sessions;
    Cookies cookies;
    std::map<Listen, std::unique_ptr<Listener>> listeners;
    std::map<Listen, std::unique_ptr<Listener>> rtpproxy_listeners;
    std::set<std::string> told;
    io::ThreadLoad load;
    Overload overload;
    io::Timer second;

    Impl(io::Loop& on, relay::Engine& legs, ServiceOptions with)
        : loop(on),
          engine(legs),
          options(std::move(with)),
          log("MEDIAPROXY", options.log_level),
          calls(on, engine, settings_of(options)),
          sessions(on, engine, options.log_level),
          second(on, [this] { measure(); }) {}

    Result<void> listen();
    Result<void> listen(const char* what, const std::vector<Listen>& where,
                        std::map<Listen, std::unique_ptr<Listener>>& open, const Listener::Handlers& handlers);
    void on_line(std::string_view line, const Listener::Sender& sender, const Listener::Respond& respond);
    void on_message(std::string_view message, const Listener::Sender& sender, const Listener::Respond& respond);
    void serve(const Framed& framed, const Listener::Respond& respond);
    void warn(const Request& request);
    void measure();
};

Result<void> Service::Impl::listen() {
    using Handler = decltype(Listener::Handlers::on_message);
    const Handler ng = [this](std::string_view message, const Listener::Sender& sender,
                              const Listener::Respond& respond) { on_message(message, sender, respond); };
    const Handler line = [this](std::string_view message, const Listener::Sender& sender,
                                const Listener::Respond& respond) { on_line(message, sender, respond); };
    if (auto done = listen("ng", options.listen, listeners, {.on_message = ng}); !done) return done;
    if (listeners.empty()) {
        second.stop();
    } else if (!second.active()) {
        measure();
    }
    return listen("rtpproxy", options.rtpproxy_listen, rtpproxy_listeners, {.on_message = line, .frame = line_length});
}

/// What is wanted and not open yet is opened; what is not wanted any more is closed.
Result<void> Service::Impl::listen(const char* what, const std::vector<Listen>& where,
                                   std::map<Listen, std::unique_ptr<Listener>>& open,
                                   const Listener::Handlers& handlers) {
    std::map<Listen, std::unique_ptr<Listener>> wanted;
    for (const Listen& one : where) {
        if (open.contains(one)) continue;
        const auto address = engine.options().standing ? io::Presence::awaited : io::Presence::needed;
        auto opened = Listener::open(loop, one, handlers, address);
        if (!opened) {
            return fail(opened.error().code,
                        "[" + std::string(what) + "] listen: " + natkit::to_string(opened.error()));
        }
        wanted.emplace(one, std::move(*opened));
        log.major(std::string(what) + " requests are served on " + to_string(one) +
                  (one.is_local() ? "" : ", which others than this host may reach"));
    }
    for (auto& [one, listener] : open) {
        if (std::ranges::find(where, one) != where.end()) wanted.emplace(one, std::move(listener));
    }
    open = std::move(wanted);
    return {};
}

/// A datagram has a cookie before its command; over a connection there may be none.
void Service::Impl::on_line(std::string_view line, const Listener::Sender& sender, const Listener::Respond& respond) {
    line = text::trim(line);
    if (!sender.datagram) return sessions.handle(line, respond);
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) return;
    const std::string cookie = "rtpproxy " + sender.name + " " + std::string(line.substr(0, space));
    const std::string prefix(line.substr(0, space + 1));
    // What a standby says is forgotten: it may serve the next moment.
    if (engine.standby()) {
        return sessions.handle(line.substr(space + 1),
                               [respond, prefix](const std::string& reply) { respond(prefix + reply); });
    }
    if (!cookies.begin(cookie, respond, loop.now())) return;
    sessions.handle(line.substr(space + 1),
                    [this, cookie, prefix](const std::string& reply) { cookies.answered(cookie, prefix + reply); });
}

/// A message that is none gets no answer: its sender is no proxy.
void Service::Impl::on_message(std::string_view message, const Listener::Sender& sender,
                               const Listener::Respond& respond) {
    while (!message.empty() && (message.front() == '\n' || message.front() == '\r' || message.front() == ' '))
        message.remove_prefix(1);
    Framed framed;
    if (message.size() > max_message || !read_frame(message, framed)) {
        if (told.size() < most_warnings && told.insert("frame " + sender.name).second)
            log.problems("ng: what " + sender.name + " sends is no request: no dictionary behind a cookie");
        return;
    }
    if (framed.cookie.empty()) return serve(framed, respond);
    const std::string cookie = sender.name + " " + std::string(framed.cookie);
    const std::string prefix = std::string(framed.cookie) + " ";
    if (engine.standby())
        return serve(framed, [respond, prefix](const std::string& reply) { respond(prefix + reply); });
    if (!cookies.begin(cookie, respond, loop.now())) return;
    serve(framed, [this, cookie, prefix](const std::string& reply) { cookies.answered(cookie, prefix + reply); });
}

void Service::Impl::serve(const Framed& framed, const Listener::Respond& respond) {
    const Form form = framed.form;
    const auto answer = [respond, form](const Dictionary& reply) { respond(written(reply, form)); };
    const auto message = form == Form::json ? record::parse_ng_json(framed.body) : parse_bencode(framed.body);
    if (!message || message->dictionary() == nullptr) {
        const std::string why = message ? "not a dictionary" : natkit::to_string(message.error());
        return answer(error_reply("Could not decode dictionary: " + why));
    }
    auto request = read_request(*message->dictionary());
    if (!request) return answer(error_reply(request.error().message));
    if (engine.standby()) return answer(Calls::refused_by_standby(*request));
    warn(*request);
    const bool describes = request->command == Command::offer || request->command == Command::answer;
    if (describes && !request->refusal.empty()) return answer(error_reply(request->refusal));
    calls.handle(std::move(*request), answer);
}

/// Once each.
void Service::Impl::warn(const Request& request) {
    for (const std::string& warning : request.warnings) {
        if (told.size() < most_warnings && told.insert(warning).second) log.problems("ng: " + warning);
    }
}

void Service::Impl::measure() {
    second.start_in(look_at_load);
    const auto busy = load.busiest(loop.now());
    if (!busy || !overload.look(*busy, loop.now())) return;
    calls.set_overloaded(overload.overloaded());
    log.problems(overload.overloaded()
                     ? "ng: overloaded, a thread is busy all the time: offers of new calls are refused"
                     : "ng: overloaded no more: new calls are taken");
}

Result<std::unique_ptr<Service>> Service::start(io::Loop& loop, relay::Engine& engine, ServiceOptions options) {
    auto impl = std::make_unique<Impl>(loop, engine, std::move(options));
    if (auto listening = impl->listen(); !listening) return std::unexpected(listening.error());
    return std::unique_ptr<Service>(new Service(std::move(impl)));
}

Service::Service(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Service::~Service() = default;

Result<void> Service::reconfigure(ServiceOptions options) {
    impl_->options = std::move(options);
    impl_->calls.reconfigure(settings_of(impl_->options));
    impl_->log.set_level(impl_->options.log_level);
    impl_->sessions.set_log_level(impl_->options.log_level);
    return impl_->listen();
}

void Service::activated() {
    impl_->calls.take_up();
    impl_->sessions.take_up();
}

void Service::drain() {
    impl_->calls.drain();
    impl_->sessions.drain();
}

void Service::on_ended(OnEnded tell, std::function<bool()> wanted) {
    impl_->calls.on_ended(std::move(tell), std::move(wanted));
}

relay::Json Service::records(const std::string& after) const {
    return impl_->calls.records(after);
}

}  // namespace natkit::ng
