#include "requests.hpp"

namespace natkit::web {
namespace {

struct Row {
    std::string_view method;
    std::string_view path;
    Target target;
};

constexpr std::size_t small = 4096;
constexpr std::size_t of_settings = std::size_t{256} << 10;
constexpr std::size_t of_capture = std::size_t{32} << 20;

constexpr Row rows[] = {
    {"GET", "/", {Route::app, Access::session}},
    {"GET", "/login", {Route::login_page, Access::anybody}},
    {"POST", "/login", {Route::login, Access::anybody, small}},
    {"POST", "/logout", {Route::logout, Access::session, small}},
    {"GET", "/api/session", {Route::session, Access::session}},
    {"GET", "/api/overview", {Route::overview, Access::session}},
    {"GET", "/api/events", {Route::events, Access::session}},
    {"GET", "/api/clients", {Route::clients, Access::session}},
    {"GET", "/api/calls", {Route::calls, Access::session}},
    {"GET", "/api/call", {Route::call, Access::session}},
    {"GET", "/api/path.svg", {Route::path_picture, Access::session}},
    {"GET", "/api/log", {Route::log, Access::session}},
    {"GET", "/api/settings", {Route::settings, Access::session}},
    {"GET", "/api/settings/versions", {Route::versions, Access::session}},
    {"POST", "/api/settings/preview", {Route::preview, Access::change, of_settings}},
    {"POST", "/api/settings/apply", {Route::apply, Access::change, of_settings}},
    {"POST", "/api/settings/confirm", {Route::confirm, Access::change, small}},
    {"POST", "/api/settings/undo", {Route::undo, Access::change, small}},
    {"POST", "/api/settings/restore", {Route::restore, Access::change, small}},
    {"POST", "/api/hangup", {Route::hang_up, Access::change, small}},
    {"POST", "/api/remove_client", {Route::remove_client, Access::change, small}},
    {"POST", "/doctor", {Route::doctor, Access::session, of_capture}},
};

}  // namespace

std::optional<Target> find_target(std::string_view method, std::string_view path) {
    const std::string_view asked = method == "HEAD" ? "GET" : method;
    for (const Row& row : rows) {
        if (row.path == path && row.method == asked) return row.target;
    }
    if (asked == "GET" && path.starts_with("/assets/")) return Target{Route::asset, Access::anybody};
    return std::nullopt;
}

}  // namespace natkit::web
