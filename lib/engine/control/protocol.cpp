#include "protocol.hpp"

#include <algorithm>
#include <array>

#include "json_tree.hpp"
#include "natkit/base/text.hpp"

namespace natkit::control {
Result<Request> parse_request(std::string_view line) {
    Tree tree = read_tree(line);
    if (tree.too_deep) return fail(Errc::bad_input, "nested too deep");
    Request request;
    request.body = std::move(tree.root);
    if (!tree.good || !request.body.is_object())
        return fail(Errc::bad_input, "not a JSON object: '" + text::printable(line, 60) + "'");
    if (const auto id = request.body.find("id"); id != request.body.end()) {
        if (!id->is_string()) return fail(Errc::bad_input, "id must be a string");
        request.id = id->get<std::string>();
        if (request.id.size() > max_id) return fail(Errc::bad_input, "id is longer than 128 bytes");
    }
    const auto command = request.body.find("cmd");
    if (command == request.body.end() || !command->is_string()) {
        return fail(Errc::bad_input, "cmd is missing or not a string", request.id);
    }
    request.command = command->get<std::string>();
    if (const auto count = request.body.find("fds"); count != request.body.end()) {
        if (!count->is_number_unsigned() || count->get<std::uint64_t>() > io::max_descriptors) {
            return fail(Errc::bad_input, "fds must be a number up to 253", request.id);
        }
        request.descriptors = count->get<std::size_t>();
    }
    return request;
}

std::string dump(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string error_reply(const std::string& id, const Error& error) {
    Json reply = Json::object();
    if (!id.empty()) reply["id"] = id;
    Json& object = reply["error"];
    object["code"] = to_string(error.code);
    if (!error.where.empty()) object["where"] = error.where;
    object["message"] = error.message;
    return dump(reply);
}

std::string ok_reply(const std::string& id, const Json& result, std::size_t descriptors) {
    const bool plain = !id.empty() && descriptors == 0 && std::ranges::all_of(id, [](char c) {
        return c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
    });
    if (plain) return R"({"id":")" + id + R"(","ok":)" + (result.is_null() ? "{}" : dump(result)) + '}';
    Json reply = Json::object();
    if (!id.empty()) reply["id"] = id;
    reply["ok"] = result.is_null() ? Json::object() : result;
    if (descriptors > 0) reply["fds"] = descriptors;
    return dump(reply);
}

Error read_error(const Json& object) {
    Error error{Errc::system, {}, "an error without a message"};
    if (!object.is_object()) return error;
    const auto text_at = [&](const char* key) {
        const auto found = object.find(key);
        return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    constexpr std::array codes{Errc::bad_input, Errc::bad_config, Errc::usage,  Errc::not_found,
                               Errc::refused,   Errc::exhausted,  Errc::system, Errc::timed_out};
    const std::string code = text_at("code");
    const auto known = std::find_if(codes.begin(), codes.end(), [&](Errc c) { return code == to_string(c); });
    if (known != codes.end()) error.code = *known;
    error.where = text_at("where");
    if (auto message = text_at("message"); !message.empty()) error.message = std::move(message);
    return error;
}

}  // namespace natkit::control
