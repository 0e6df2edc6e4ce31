#include "protocol.hpp"

#include <algorithm>
#include <array>

#include "natkit/record/json_text.hpp"

namespace natkit::control {

Result<Request> parse_request(record::ObjectReader& reader, std::string_view line) {
    const auto body = reader.read(line);
    if (!body) return std::unexpected(body.error());
    Request request{.body = *body, .id = {}, .command = {}};
    if (const auto id = body->find("id")) {
        const auto text = id->string();
        if (!text) return fail(Errc::bad_input, "id must be a string");
        request.id = *text;
        if (request.id.size() > max_id) return fail(Errc::bad_input, "id is longer than 128 bytes");
    }
    const auto command = body->string("cmd");
    if (!command) return fail(Errc::bad_input, "cmd is missing or not a string", request.id);
    request.command = *command;
    if (const auto value = body->find("fds")) {
        const auto count = value->number();
        if (!count || *count > io::max_descriptors)
            return fail(Errc::bad_input, "fds must be a number up to 253", request.id);
        request.descriptors = static_cast<std::size_t>(*count);
    }
    const auto brief = body->find("brief");
    request.brief = brief && brief->flag().value_or(false);
    return request;
}

std::string dump(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string error_reply(std::string_view id, const Error& error) {
    record::ObjectText object;
    object.text("code", to_string(error.code));
    if (!error.where.empty()) object.text("where", error.where);
    object.text("message", error.message);
    record::ObjectText reply;
    if (!id.empty()) reply.text("id", id);
    reply.raw("error", object.close());
    return reply.close();
}

std::string ok_reply(std::string_view id, std::string_view result, std::size_t descriptors) {
    record::ObjectText reply;
    reply.reserve(id.size() + result.size() + 40);
    if (!id.empty()) reply.text("id", id);
    reply.raw("ok", result);
    if (descriptors > 0) reply.number("fds", static_cast<std::int64_t>(descriptors));
    return reply.close();
}

Error read_error(const record::ValueView& value) {
    Error error{Errc::system, {}, "an error without a message"};
    const auto object = value.object();
    if (!object) return error;
    constexpr std::array codes{Errc::bad_input, Errc::bad_config, Errc::usage,  Errc::not_found,
                               Errc::refused,   Errc::exhausted,  Errc::system, Errc::timed_out};
    const auto code = object->string("code").value_or("");
    const auto known = std::find_if(codes.begin(), codes.end(), [&](Errc c) { return code == to_string(c); });
    if (known != codes.end()) error.code = *known;
    error.where = object->string("where").value_or("");
    if (const auto message = object->string("message"); message && !message->empty()) error.message = *message;
    return error;
}

}  // namespace natkit::control
