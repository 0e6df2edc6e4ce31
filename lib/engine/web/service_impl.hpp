#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backend.hpp"
#include "http/server.hpp"
#include "login/passwords.hpp"
#include "login/sessions.hpp"
#include "login/throttle.hpp"
#include "natkit/config/web_users.hpp"
#include "natkit/engine/control/server.hpp"
#include "natkit/engine/log/log.hpp"
#include "natkit/engine/web/service.hpp"
#include "natkit/io/limited_run.hpp"
#include "requests/requests.hpp"

namespace natkit::web {

/// The inside of a Service: service.cpp holds its life, entrance.cpp who may come in, answers.cpp what is shown,
/// changes.cpp what may be changed, doctor.cpp what other programs explain.
struct Service::Impl {
    using Session = Sessions::Session;

    io::Loop& loop;
    Options options;
    config::Config config;
    log::Logger log;
    Instant started;
    std::unique_ptr<control::Server> control;
    Backend backend;
    Passwords passwords;
    LoginThrottle throttle;
    Sessions sessions;
    std::string browser_key;          ///< of the cookies that known browsers have; made anew at each start
    std::multiset<IpAddress> trying;  ///< sources whose passwords are being tried
    crypto::PasswordRecord nobody;    ///< what the password of an unknown user is compared with
    config::WebUsers users;
    std::optional<std::pair<std::int64_t, std::int64_t>> users_time;  ///< of the file that was read
    std::string degraded;                                             ///< why there are no pages
    struct Watcher {
        std::shared_ptr<Responder::Stream> stream;
        std::string session;  ///< its key: the stream ends with it
    };
    std::vector<Watcher> watchers;
    std::map<unsigned, std::unique_ptr<io::LimitedRun>> runs;
    unsigned last_run = 0;
    unsigned explanations = 0;  ///< under way
    std::vector<std::unique_ptr<io::Timer>> delays;
    std::unique_ptr<HttpServer> http;

    Impl(io::Loop& on, Options with, config::Config from);

    // service.cpp
    [[nodiscard]] Result<void> listen();
    void serve_control();
    void reload(const control::Reply& reply);
    [[nodiscard]] Json status() const;
    [[nodiscard]] HttpServer::Admission admit(const Request& head);
    void on_request(Request request, const Responder& respond);
    void watch(const Request& request, const Responder& respond);
    void tell_watchers();

    // entrance.cpp
    void load_users();
    [[nodiscard]] const Session* session_of(const Request& request);
    /// The same by its key; it is used now.
    [[nodiscard]] const Session* session_of_key(const std::string& key);
    [[nodiscard]] std::string key_of(const Request& request) const;
    [[nodiscard]] std::string cookie_text(const char* name, const std::string& value, std::int64_t seconds) const;
    [[nodiscard]] std::string known_browser(const Request& request, const std::string& user) const;
    [[nodiscard]] Response login_page(int status, const std::string& complaint, const std::string& user = {}) const;
    void log_in(const Request& request, const Responder& respond);
    void on_password(const Request& request, const LoginThrottle::Attempt& attempt, bool matches,
                     const Responder& respond);
    void log_out(const Request& request, const Responder& respond);
    void after(Duration delay, std::function<void()> task);

    // answers.cpp
    void answer(const Target& target, const Request& request, const Session& session, const Responder& respond);
    [[nodiscard]] Response asset(const Request& request, std::string_view name) const;
    void answer_call(const std::string& call_id, const Responder& respond);
    void answer_log(const Fields& fields, const Responder& respond);

    // changes.cpp
    void change(const Target& target, const Request& request, const Session& session, const Responder& respond);
    void answer_settings(const Session& session, const Responder& respond);

    // doctor.cpp
    void draw_path(const std::string& call_id, const Responder& respond);
    void explain(const Request& request, const Session& session, const Responder& respond);
    void run_limited(std::vector<std::string> argv, std::string_view input,
                     std::function<void(io::LimitedRun::Outcome)> on_done,
                     const std::function<void(const Error&)>& on_failure);
    [[nodiscard]] std::vector<std::string> command(const char* program) const;
};

/// JSON, whatever bytes are in its texts.
[[nodiscard]] Response json_response(const Json& value, int status = 200);
[[nodiscard]] Response json_text_response(std::string text, int status = 200);
[[nodiscard]] Response error_response(const Error& error);
/// "anybody who asks for too much": a text for people, and the status that goes with it.
[[nodiscard]] Response refusal(int status, const std::string& text);

}  // namespace natkit::web
