#include "natkit/config/differences.hpp"

#include <algorithm>

#include "natkit/base/text.hpp"

namespace natkit::config {
namespace {

struct Value {
    std::string key;
    std::string text;
};

/// The values of a configuration, one a key: to_toml() writes one a line.
std::vector<Value> values_of(const Config& config) {
    std::vector<Value> values;
    std::string section;
    const std::string printed = to_toml(config);
    for (const std::string_view line : text::split(printed, '\n')) {
        if (line.starts_with('[')) {
            section = line;
            continue;
        }
        // The key may be quoted and hold a "="; " = " only follows a whole key.
        const std::size_t from = line.starts_with('"') ? line.find('"', 1) : 0;
        const std::size_t equals = line.find("= ", from);
        if (equals == std::string_view::npos) continue;
        values.push_back(
            {section + " " + std::string(text::trim(line.substr(0, equals))), std::string(line.substr(equals + 2))});
    }
    return values;
}

}  // namespace

std::vector<Difference> differences(const Config& before, const Config& after) {
    const std::vector<Value> old = values_of(before);
    const std::vector<Value> fresh = values_of(after);
    std::vector<Difference> result;
    for (const Value& value : old) {
        const auto now = std::ranges::find(fresh, value.key, &Value::key);
        std::string text = now == fresh.end() ? std::string() : now->text;
        if (text != value.text) result.push_back({value.key, value.text, std::move(text)});
    }
    for (const Value& value : fresh) {
        if (std::ranges::find(old, value.key, &Value::key) == old.end()) result.push_back({value.key, "", value.text});
    }
    return result;
}

}  // namespace natkit::config
