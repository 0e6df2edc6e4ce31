// What the pages show.
#include <algorithm>

#include "assets.hpp"
#include "natkit/base/text.hpp"
#include "natkit/crypto/crypto.hpp"
#include "natkit/crypto/password.hpp"
#include "natkit/record/json_members.hpp"
#include "service_impl.hpp"

namespace natkit::web {
namespace {

const char* type_of(std::string_view name) {
    if (name.ends_with(".html")) return "text/html; charset=utf-8";
    if (name.ends_with(".css")) return "text/css; charset=utf-8";
    if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
    if (name.ends_with(".svg")) return "image/svg+xml";
    return "application/octet-stream";
}

void give(const Result<Json>& reply, const Responder& respond) {
    respond(reply ? json_response(*reply) : error_response(reply.error()));
}

std::string field_of(const Fields& fields, const char* name) {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string() : found->second;
}

}  // namespace

Response Service::Impl::asset(const Request& request, std::string_view name) const {
    for (const Asset& one : assets()) {
        if (one.name != name) continue;
        const std::string tag = "\"" + crypto::sha256_hex(one.bytes).substr(0, 32) + "\"";
        const bool known = request.header("if-none-match") == tag;
        Response response = refusal(known ? 304 : 200, "");
        response.content_type = type_of(name);
        response.body = known ? std::string() : std::string(one.bytes);
        std::erase_if(response.headers, [](const auto& header) { return header.first == "Cache-Control"; });
        response.headers.emplace_back("Cache-Control", "no-cache");
        response.headers.emplace_back("ETag", tag);
        return response;
    }
    return refusal(404, "there is nothing here");
}

void Service::Impl::answer(const Target& target, const Request& request, const Session& session,
                           const Responder& respond) {
    const Fields fields = parse_form(request.query).value_or(Fields());
    const auto pass_on = [&](const char* command) {
        backend.ask_shared("natkit", command, [respond](const Result<const Backend::Listed*>& list) {
            respond(list ? json_text_response((*list)->text) : error_response(list.error()));
        });
    };
    switch (target.route) {
        case Route::app: return respond(asset(request, "app.html"));
        case Route::session:
            return respond(json_response({{"user", session.user},
                                          {"csrf", session.csrf},
                                          {"read_only", config.web.read_only},
                                          {"version", NATKIT_VERSION}}));
        case Route::overview: return respond(json_response(backend.overview()));
        case Route::events: return watch(request, respond);
        case Route::clients: return pass_on("clients");
        case Route::calls: return pass_on("calls");
        case Route::call: return answer_call(field_of(fields, "id"), respond);
        case Route::path_picture: return draw_path(field_of(fields, "id"), respond);
        case Route::log: return answer_log(fields, respond);
        case Route::settings: return answer_settings(session, respond);
        case Route::versions:
            return backend.ask("natkit", "settings-versions", nullptr,
                               [respond](const Result<Json>& reply) { give(reply, respond); });
        case Route::doctor: return explain(request, session, respond);
        default: return change(target, request, session, respond);
    }
}

/// A call as natkit tells it, and its legs with what they count.
void Service::Impl::answer_call(const std::string& call_id, const Responder& respond) {
    backend.ask_shared("natkit", "calls", [this, call_id, respond](const Result<const Backend::Listed*>& calls) {
        if (!calls) return respond(error_response(calls.error()));
        Json result = {{"passes", Json::array()}, {"legs", Json::array()}};
        for (const Json& call : record::list_of((*calls)->value, "calls")) {
            if (record::text_of(call, "call_id") == call_id) result["passes"].push_back(call);
        }
        if (result["passes"].empty()) return respond(error_response({Errc::not_found, "", "this call is over"}));
        backend.ask("mediarelay", "list", {{"call_id", call_id}}, [result, respond](const Result<Json>& legs) mutable {
            if (legs) {
                for (Json& leg : record::list_of(*legs, "legs")) {
                    leg.erase("owner_state");
                    result["legs"].push_back(std::move(leg));
                }
            }
            respond(json_response(result));
        });
    });
}

void Service::Impl::answer_log(const Fields& fields, const Responder& respond) {
    std::map<std::string, std::uint64_t> after;
    for (const auto& [program, number] : fields) {
        if (const auto last = text::parse_number(number, UINT64_MAX)) after[program] = *last;
    }
    backend.log(after, [respond](const Json& lines) { respond(json_response(lines)); });
}

}  // namespace natkit::web
