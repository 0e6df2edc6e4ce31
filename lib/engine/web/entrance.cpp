// Who may come in: passwords, cookies, sessions.
#include <sys/stat.h>

#include "assets.hpp"
#include "natkit/base/text.hpp"
#include "natkit/crypto/crypto.hpp"
#include "service_impl.hpp"

namespace natkit::web {
namespace {

constexpr const char* session_cookie = "natkit_session";
constexpr const char* browser_cookie = "natkit_browser";
constexpr std::int64_t browser_remembered = 90 * 24 * 3600;

std::string mac_of(const std::string& key, const std::string& user, std::string_view id) {
    const auto bytes = [](std::string_view text) {
        return std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    };
    const crypto::Hmac hmac(bytes(key));
    const std::string text = user + "\n" + std::string(id);
    return text::hex(hmac(bytes(text)));
}

std::string_view asset_text(std::string_view name) {
    for (const Asset& asset : assets()) {
        if (asset.name == name) return asset.bytes;
    }
    return {};
}

void replace(std::string& text, std::string_view what, std::string_view by) {
    if (const std::size_t at = text.find(what); at != std::string::npos) text.replace(at, what.size(), by);
}

}  // namespace

/// The file is read again when it is another one: natkit web passwd needs no reload.
void Service::Impl::load_users() {
    struct stat file{};
    std::optional<std::pair<std::int64_t, std::int64_t>> time;
    if (::stat(config.web.users.c_str(), &file) == 0) {
        time = {static_cast<std::int64_t>(file.st_ino),
                file.st_mtim.tv_sec * std::int64_t{1'000'000'000} + file.st_mtim.tv_nsec};
    }
    if (time == users_time) return;
    users_time = time;
    auto read = config::load_web_users(config.web.users);
    if (!read) {
        log.failures("[web] users: " + to_string(read.error()));
        users.clear();
    } else {
        users = std::move(*read);
    }
}

/// By its digest: how long a comparison takes tells nothing of a token. Empty: the request has none.
std::string Service::Impl::key_of(const Request& request) const {
    const std::string_view token = cookie(request.header("cookie"), session_cookie);
    return token.empty() ? std::string() : crypto::sha256_hex(token);
}

const Service::Impl::Session* Service::Impl::session_of(const Request& request) {
    const std::string key = key_of(request);
    return key.empty() ? nullptr : session_of_key(key);
}

const Service::Impl::Session* Service::Impl::session_of_key(const std::string& key) {
    const Session* session = sessions.find(key, loop.now());
    if (session == nullptr) return nullptr;
    load_users();
    const auto user = users.find(session->user);
    if (user != users.end() && user->second == session->password) return session;
    sessions.close(key);
    return nullptr;
}

std::string Service::Impl::cookie_text(const char* name, const std::string& value, std::int64_t seconds) const {
    std::string text = std::string(name) + "=" + value + "; Path=/; HttpOnly; SameSite=Strict";
    if (seconds >= 0) text += "; Max-Age=" + std::to_string(seconds);
    return text + (config::encrypts(config) ? "; Secure" : "");
}

/// What names a browser that has logged in as that user before; empty: this one has not.
std::string Service::Impl::known_browser(const Request& request, const std::string& user) const {
    const std::string_view value = cookie(request.header("cookie"), browser_cookie);
    const std::size_t dot = value.find('.');
    if (dot == std::string_view::npos || value.size() > 200) return {};
    const std::string_view id = value.substr(0, dot);
    return crypto::same_secret(value.substr(dot + 1), mac_of(browser_key, user, id)) ? std::string(id) : std::string();
}

Response Service::Impl::login_page(int status, const std::string& complaint, const std::string& user) const {
    std::string page(asset_text("login.html"));
    std::string told;
    if (!complaint.empty()) told = "<p class=\"complaint\" role=\"alert\">" + escaped(complaint) + "</p>";
    if (users.empty()) told += "<p class=\"hint\">Nobody can log in yet: run <code>natkit web passwd NAME</code>.</p>";
    replace(page, "<!-- complaint -->", told);
    replace(page, "<!-- user -->", escaped(user));
    Response response = refusal(status, "");
    response.content_type = "text/html; charset=utf-8";
    response.body = std::move(page);
    return response;
}

void Service::Impl::log_in(const Request& request, const Responder& respond) {
    const auto fields = parse_form(request.body);
    const auto field = [&](const char* name) {
        const auto found = fields ? fields->find(name) : Fields::const_iterator{};
        return fields && found != fields->end() ? found->second : std::string();
    };
    const std::string user = field("user");
    const std::string password = field("password");
    if (!fields || !config::is_web_user_name(user) || password.empty()) {
        return respond(login_page(400, "Give a name and a password."));
    }
    const LoginThrottle::Attempt attempt{
        .user = user, .source = request.source, .known_browser = known_browser(request, user)};
    const LoginThrottle::Verdict verdict = throttle.look(attempt, loop.now());
    // One at a time: who tries many at once is to wait for the first.
    const bool many = attempt.known_browser.empty() && trying.count(request.source) >= 4;
    if (verdict.wait > Duration::zero() || many) {
        const auto seconds = std::chrono::ceil<std::chrono::seconds>(verdict.wait).count();
        const std::string wait = std::to_string(std::max<std::int64_t>(seconds, 1));
        Response response = login_page(429, "Too many wrong passwords from here. Try again in " + wait + " s.", user);
        response.headers.emplace_back("Retry-After", wait);
        return respond(std::move(response));
    }
    load_users();
    const auto known = users.find(user);
    auto record = crypto::PasswordRecord::parse(known == users.end() ? "" : known->second);
    if (!record && known != users.end()) log.failures("[web] users: the record of " + user + " cannot be read");
    const bool real = record.has_value();
    const auto turn = attempt.known_browser.empty() ? Passwords::Turn::last : Passwords::Turn::first;
    const bool taken =
        passwords.check(real ? std::move(*record) : nobody, password, turn,
                        [this, request, attempt, verdict, real, respond](bool good) {
                            trying.erase(trying.find(attempt.source));
                            const bool matches = good && real;
                            if (verdict.delay == Duration::zero())
                                return on_password(request, attempt, matches, respond);
                            after(verdict.delay, [=, this] { on_password(request, attempt, matches, respond); });
                        });
    if (!taken) return respond(login_page(503, "Many try to log in at once. Try again in some seconds.", user));
    trying.insert(request.source);
}

void Service::Impl::on_password(const Request& request, const LoginThrottle::Attempt& attempt, bool matches,
                                const Responder& respond) {
    if (!matches) {
        throttle.failed(attempt, loop.now());
        log.problems("wrong password for " + attempt.user + " from " + to_string(attempt.source));
        return respond(login_page(403, "That name and password do not belong together.", attempt.user));
    }
    throttle.succeeded(attempt);
    const auto user = users.find(attempt.user);
    if (user == users.end()) return respond(login_page(403, "That user is gone."));
    const std::string token = crypto::random_hex(32);
    sessions.open(crypto::sha256_hex(token), {.user = attempt.user,
                                              .password = user->second,
                                              .csrf = crypto::random_hex(32),
                                              .name = "web " + crypto::random_hex(16),
                                              .begun = loop.now(),
                                              .used = loop.now()});
    const std::string browser = attempt.known_browser.empty() ? crypto::random_hex(16) : attempt.known_browser;
    log.major(attempt.user + " has logged in from " + to_string(request.source));
    Response response = refusal(303, "");
    response.headers.emplace_back("Location", "/");
    response.headers.emplace_back("Set-Cookie", cookie_text(session_cookie, token, -1));
    response.headers.emplace_back(
        "Set-Cookie",
        cookie_text(browser_cookie, browser + "." + mac_of(browser_key, attempt.user, browser), browser_remembered));
    respond(std::move(response));
}

void Service::Impl::log_out(const Request& request, const Responder& respond) {
    const Session* session = session_of(request);
    if (session != nullptr) {
        log.major(session->user + " has logged out");
        sessions.close(key_of(request));
    }
    Response response = refusal(303, "");
    response.headers.emplace_back("Location", "/login");
    response.headers.emplace_back("Set-Cookie", cookie_text(session_cookie, "", 0));
    respond(std::move(response));
}

void Service::Impl::after(Duration delay, std::function<void()> task) {
    std::erase_if(delays, [](const auto& timer) { return !timer->active(); });
    delays.push_back(std::make_unique<io::Timer>(loop, std::move(task)));
    delays.back()->start_in(delay);
}

}  // namespace natkit::web
