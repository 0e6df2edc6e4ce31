#include "natkit/record/pass.hpp"

#include <nlohmann/json.hpp>
#include <utility>

namespace natkit::record {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array names{"caller", "callee"};
constexpr std::size_t most_streams = 64;

constexpr std::array<std::pair<const char*, std::optional<Endpoint> PassMedia::*>, 4> endpoints{
    {{"said", &PassMedia::said},
     {"shown", &PassMedia::shown},
     {"leg", &PassMedia::leg},
     {"joined", &PassMedia::joined}}};

std::string text_or_none(const Json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>()
                                                                             : std::string();
}

template <class Value>
Result<Value> at_key(Result<Value> value, const std::string& key) {
    if (!value) value.error().where = key;
    return value;
}

Result<PassEnd> read_end(const Json& json, const std::string& name) {
    PassEnd end;
    end.tag = text_or_none(json, "tag");
    for (const auto& [key, member] : {std::pair("neighbour", &PassEnd::neighbour), std::pair("edge", &PassEnd::edge)}) {
        const auto endpoint = at_key(Endpoint::parse(text_or_none(json, key)), name + "." + key);
        if (!endpoint) return std::unexpected(endpoint.error());
        end.*member = *endpoint;
    }
    const auto place = at_key(nat::parse_place(text_or_none(json, "place")), name + ".place");
    if (!place) return std::unexpected(place.error());
    const auto site = at_key(IpRange::parse(text_or_none(json, "site")), name + ".site");
    if (!site) return std::unexpected(site.error());
    end.place = *place;
    end.site = *site;
    return end;
}

Result<PassStream> read_stream(const Json& json, const std::string& name) {
    PassStream stream{.kind = text_or_none(json, "kind"), .ends = {}};
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto end = json.is_object() ? json.find(names[i]) : json.end();
        if (!json.is_object() || end == json.end()) continue;
        for (const auto& [key, member] : endpoints) {
            if (!end->is_object() || !end->contains(key)) continue;
            const auto endpoint = at_key(Endpoint::parse(text_or_none(*end, key)), name + "." + names[i] + "." + key);
            if (!endpoint) return std::unexpected(endpoint.error());
            stream.ends[i].*member = *endpoint;
        }
    }
    return stream;
}

}  // namespace

Json to_json(const Pass& pass) {
    Json json = {{"type", "pass"}, {"call_id", pass.call_id}};
    for (std::size_t i = 0; i < names.size(); ++i) {
        const PassEnd& end = pass.ends[i];
        json[names[i]] = {{"place", nat::to_string(end.place)},
                          {"site", to_string(end.site)},
                          {"neighbour", to_string(end.neighbour)},
                          {"edge", to_string(end.edge)},
                          {"tag", end.tag}};
    }
    json["streams"] = Json::array();
    for (const PassStream& stream : pass.streams) {
        Json one = Json::object();
        if (!stream.kind.empty()) one["kind"] = stream.kind;
        for (std::size_t i = 0; i < names.size() && !stream.kind.empty(); ++i) {
            Json& end = one[names[i]] = Json::object();
            for (const auto& [key, member] : endpoints) {
                if (const auto& endpoint = stream.ends[i].*member) end[key] = to_string(*endpoint);
            }
        }
        json["streams"].push_back(std::move(one));
    }
    return json;
}

Result<Pass> read_pass(const Json& json) {
    Pass pass{.call_id = text_or_none(json, "call_id"), .ends = {}, .streams = {}};
    if (pass.call_id.empty()) return fail(Errc::bad_input, "missing", "call_id");
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto found = json.find(names[i]);
        if (found == json.end()) return fail(Errc::bad_input, "missing", names[i]);
        auto end = read_end(*found, names[i]);
        if (!end) return std::unexpected(end.error());
        pass.ends[i] = std::move(*end);
    }
    const auto streams = json.find("streams");
    if (streams == json.end() || !streams->is_array()) return fail(Errc::bad_input, "no list", "streams");
    if (streams->size() > most_streams) return fail(Errc::bad_input, "more than 64", "streams");
    for (const Json& one : *streams) {
        auto stream = read_stream(one, "streams[" + std::to_string(pass.streams.size()) + "]");
        if (!stream) return std::unexpected(stream.error());
        pass.streams.push_back(std::move(*stream));
    }
    return pass;
}

}  // namespace natkit::record
