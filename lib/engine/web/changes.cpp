// What the pages change: settings, calls that are ended, clients that are removed. natkit does it, and checks it.
#include "natkit/record/json_members.hpp"
#include "service_impl.hpp"

namespace natkit::web {
namespace {

/// Those members of a request that the command knows; no other goes on to natkit.
Json picked(const Json& from, std::initializer_list<const char*> keys) {
    Json result = Json::object();
    for (const char* key : keys) {
        if (from.contains(key)) result[key] = from[key];
    }
    return result;
}

}  // namespace

void Service::Impl::answer_settings(const Session& session, const Responder& respond) {
    const bool read_only = config.web.read_only;
    backend.ask("natkit", "settings", {{"by", session.name}}, [respond, read_only](const Result<Json>& reply) {
        const bool unknown =
            !reply && reply.error().code == Errc::usage;  // by a natkit that is older than this program
        if (!reply && !unknown) return respond(error_response(reply.error()));
        Json told = unknown ? Json{{"sections", Json::array()}} : *reply;
        if (unknown) {
            told["writable"] = false;
            told["why_not"] = "the natkit that runs knows no settings: natkit renew";
        } else if (read_only) {
            told["writable"] = false;
            told["why_not"] = "the pages are read-only ([web] read_only)";
        }
        respond(json_response(told));
    });
}

void Service::Impl::change(const Target& target, const Request& request, const Session& session,
                           const Responder& respond) {
    const Json body = Json::parse(request.body.empty() ? "{}" : request.body, nullptr, false);
    if (!body.is_object()) return respond(refusal(400, "not a JSON object"));
    const char* command = nullptr;
    Json params = Json::object();
    switch (target.route) {
        case Route::preview:
            command = body.contains("version") ? "settings-restore" : "settings-preview";
            params = picked(body, {"hash", "changes", "version"});
            if (body.contains("version")) params["preview"] = true;
            break;
        case Route::apply:
            command = "settings-apply";
            params = picked(body, {"hash", "changes"});
            break;
        case Route::restore:
            command = "settings-restore";
            params = picked(body, {"hash", "version"});
            break;
        case Route::confirm: command = "settings-confirm"; break;
        case Route::undo: command = "settings-undo"; break;
        case Route::hang_up:
            command = "hangup";
            params = picked(body, {"call_id"});
            break;
        case Route::remove_client:
            command = "remove-client";
            params = picked(body, {"client"});
            break;
        default: return respond(refusal(404, "there is nothing here"));
    }
    const bool ends_something = target.route == Route::hang_up || target.route == Route::remove_client;
    if (ends_something) {
        params["who"] = session.user + " (" + to_string(request.source) + ")";
    } else if (target.route != Route::preview) {
        params["by"] = session.name;
        params["who"] = session.user;
        params["client"] = to_string(request.source);
    }
    backend.ask("natkit", command, params, [respond](const Result<Json>& reply) {
        respond(reply ? json_response(*reply) : error_response(reply.error()));
    });
}

}  // namespace natkit::web
