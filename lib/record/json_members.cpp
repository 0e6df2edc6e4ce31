#include "natkit/record/json_members.hpp"

#include <nlohmann/json.hpp>

namespace natkit::record {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool flag_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_boolean() && found->get<bool>();
}

std::vector<Json> list_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_array() ? std::vector<Json>(found->begin(), found->end())
                                                      : std::vector<Json>();
}

std::optional<Endpoint> endpoint_of(const Json& object, const char* key) {
    const auto parsed = Endpoint::parse(text_of(object, key));
    return parsed ? std::optional(*parsed) : std::nullopt;
}

}  // namespace natkit::record
