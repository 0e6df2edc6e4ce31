#include "filter.hpp"

#include <nlohmann/json.hpp>
#include <optional>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/ip.hpp"
#include "natkit/base/text.hpp"

using namespace natkit;

namespace natkit_tool {
namespace {

std::string_view without_scheme(std::string_view uri) {
    for (const std::string_view scheme : {"sip:", "sips:", "tel:"}) {
        if (text::istarts_with(uri, scheme)) return uri.substr(scheme.size());
    }
    return uri;
}

/// "sip:bob@example.com" is bob, and bob@example.com.
bool is_user(const std::string& uri, std::string_view user) {
    const std::string_view name = without_scheme(uri);
    const std::string_view wanted = without_scheme(user);
    return text::iequals(name, wanted) || text::iequals(name.substr(0, name.find('@')), wanted);
}

std::string text_in(const Json& record, const char* key) {
    const auto found = record.find(key);
    return found != record.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool is_at(const Json& party, const char* key, const IpRange& range) {
    const auto endpoint = Endpoint::parse(text_in(party, key), 0);
    return endpoint && range.contains(endpoint->address);
}

bool has_user(const Json& record, const std::string& user) {
    for (const char* key : {"from", "to", "aor"}) {
        if (const std::string uri = text_in(record, key); !uri.empty() && is_user(uri, user)) return true;
    }
    return false;
}

/// A call's parties are `a` and `b`; a client has a flow.
bool has_address(const Json& record, const IpRange& range) {
    for (const char* key : {"a", "b"}) {
        const auto party = record.find(key);
        if (party != record.end() && party->is_object() && is_at(*party, "source", range)) return true;
    }
    const auto flow = record.find("flow");
    return flow != record.end() && flow->is_object() && is_at(*flow, "remote", range);
}

}  // namespace

void add_filter(CLI::App& command, Filter& filter) {
    command.add_option("--user", filter.user, "Only those of this user, as bob or bob@example.com")->type_name("USER");
    command.add_option("--address", filter.address, "Only those seen at an address of this one, network or range")
        ->type_name("ADDRESS")
        ->check(CLI::Validator(
            [](const std::string& text) {
                const auto range = IpRange::parse(text);
                return range ? std::string() : range.error().message;
            },
            ""));
}

Json chosen(const Json& records, const Filter& filter) {
    const auto range = IpRange::parse(filter.address);
    Json list = Json::array();
    for (const Json& record : records) {
        if (!filter.user.empty() && !has_user(record, filter.user)) continue;
        if (!filter.address.empty() && !(range && has_address(record, *range))) continue;
        list.push_back(record);
    }
    return list;
}

}  // namespace natkit_tool
