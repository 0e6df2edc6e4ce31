#include "show.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>

#include "natkit/settings/edit.hpp"
#include "natkit/settings/table.hpp"

namespace natkit::settings {
namespace {

Json json_of(const Value& value) {
    return std::visit([](const auto& one) { return Json(one); }, value);
}

/// As the table says it is, where it is so.
Json shown(const Setting& setting, const Value& value) {
    const auto as_kind = fitted(setting, value);
    return json_of(as_kind ? *as_kind : value);
}

Json json_of(const Setting& setting, std::string_view text, std::string_view running, std::string_view defaults) {
    Json one = {{"section", setting.section},
                {"key", setting.key},
                {"name", setting.key},
                {"guide", setting.guide},
                {"kind", to_string(setting.kind)}};
    if (!setting.of.empty()) one["of"] = setting.of;
    if (setting.off) one["off"] = true;
    for (const std::string_view choice : setting.choices) one["choices"].push_back(choice);
    const auto written = value_in(text, setting.section, setting.key);
    const auto in_effect = value_in(running, setting.section, setting.key);
    const auto by_default = value_in(defaults, setting.section, setting.key);
    if (written) {
        one["value"] = shown(setting, *written);
    } else if (in_effect) {
        one["value"] = shown(setting, *in_effect);
    }
    if (!setting.host_default.empty()) {
        one["default_text"] = setting.host_default;
    } else if (by_default) {
        one["default"] = shown(setting, *by_default);
    }
    if (const auto list = list_in(text, setting.section, setting.key); list && setting.kind == Kind::list)
        one["text"] = guide_text(*list);
    one["set"] = written.has_value();
    one["help"] = setting.help;
    return one;
}

std::string iso_time(WallTime time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    std::array<char, 32> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

Result<Value> value_from(const Json& json) {
    if (json.is_boolean()) return Value(json.get<bool>());
    if (json.is_number_integer()) return Value(json.get<std::int64_t>());
    if (json.is_string()) return Value(json.get<std::string>());
    if (!json.is_array())
        return fail(Errc::bad_input, "a value is a text, a number, true or false, or a list of texts");
    std::vector<std::string> items;
    for (const Json& item : json) {
        if (!item.is_string()) return fail(Errc::bad_input, "what is in a list is a text");
        items.push_back(item.get<std::string>());
    }
    return Value(std::move(items));
}

/// Entries of which one has a comment are the lines of one text.
Value as_one_text(Value value) {
    const auto* items = std::get_if<std::vector<std::string>>(&value);
    if (items == nullptr ||
        std::ranges::none_of(*items, [](const std::string& item) { return item.find(';') != std::string::npos; }))
        return value;
    std::string text;
    for (const std::string& item : *items) text += item + "\n";
    return text;
}

/// "[section] key: …"
std::pair<std::string, std::string> key_of(const std::string& message) {
    const std::size_t close = message.find("] ");
    if (!message.starts_with('[') || close == std::string::npos) return {};
    const std::size_t colon = message.find(':', close);
    if (colon == std::string::npos) return {};
    return {message.substr(1, close - 1), message.substr(close + 2, colon - close - 2)};
}

std::string plural(const Json& count, const char* one, const char* many) {
    return count.dump() + " " + (count == 1 ? one : many);
}

}  // namespace

Json pages_of(std::string_view text, const config::Config& running) {
    const auto loaded = config::parse("", "", "", config::Surroundings());
    const std::string defaults = loaded ? config::to_toml(loaded->config) : "";
    const std::string effective = config::to_toml(running);
    Json list = Json::array();
    for (const Page& page : pages()) {
        Json one = {{"name", page.name}, {"guide", page.guide}, {"settings", Json::array()}};
        for (const Setting& setting : page.settings)
            one["settings"].push_back(json_of(setting, text, effective, defaults));
        list.push_back(std::move(one));
    }
    return list;
}

Result<std::vector<Change>> changes_of(const Json& request) {
    const auto list = request.find("changes");
    if (list == request.end() || !list->is_array()) return fail(Errc::bad_input, "changes must be a list");
    std::vector<Change> changes;
    for (const Json& one : *list) {
        if (!one.is_object()) return fail(Errc::bad_input, "a change is an object");
        Change change{.section = one.value("section", ""), .key = one.value("key", ""), .value = std::nullopt};
        if (!one.value("reset", false)) {
            if (!one.contains("value")) return fail(Errc::bad_input, "a change has a value, or reset: true");
            auto value = value_from(one["value"]);
            if (!value) return std::unexpected(value.error());
            change.value = as_one_text(std::move(*value));
            const auto* text = std::get_if<std::string>(&*change.value);
            change.comments = one.value("comments", text != nullptr && text->find(';') != std::string::npos);
        }
        changes.push_back(std::move(change));
    }
    return changes;
}

Json versions_of(const std::vector<Version>& versions, const std::string& hash) {
    Json list = Json::array();
    bool told = false;
    for (const Version& version : versions) {
        Json one = {{"version", version.number},
                    {"time", iso_time(version.time)},
                    {"time_s", std::chrono::floor<std::chrono::seconds>(version.time).time_since_epoch().count()},
                    {"who", version.who}};
        if (!version.client.empty()) one["client"] = version.client;
        one["summary"] = version.summary;
        one["state"] = to_string(version.state);
        one["hash"] = version.hash;
        // Several may have the same text.
        if (!told && version.hash == hash && version.state != State::undone) one["current"] = told = true;
        list.push_back(std::move(one));
    }
    return list;
}

Json problems_of(const config::Problems& problems) {
    Json list = Json::array();
    for (const Error& problem : problems) {
        Json one = Json::object();
        if (!problem.where.empty()) one["where"] = problem.where;
        if (auto [section, key] = key_of(problem.message); !key.empty()) {
            one["section"] = section;
            one["key"] = key;
        }
        one["message"] = problem.message;
        list.push_back(std::move(one));
    }
    return list;
}

Json fixed_keys(const config::Problems& problems) {
    Json list = Json::array();
    for (const Error& problem : problems) {
        if (problem.message.find("cannot change while natkit runs") == std::string::npos) continue;
        auto [name, key] = key_of(problem.message);
        list.push_back((name += '.') += key);
    }
    return list;
}

Json effects_in_words(const Json& preview) {
    Json words = Json::array();
    const auto each = [&](const char* key, const char* before, const char* after) {
        for (const Json& name : preview.value(key, Json::array())) {
            std::string sentence = before;
            sentence += name.get<std::string>();
            words.push_back(sentence += after);
        }
    };
    each("opened", "would listen on ", "");
    each("no_address", "would listen on ", " once it is an address of this host");
    each("closed", "would close ", "");
    if (preview.contains("would_change")) {
        words.push_back(plural(preview["would_change"], "registered client", "registered clients") + " of " +
                        preview["clients"].dump() + " would change place");
    }
    return words;
}

}  // namespace natkit::settings
