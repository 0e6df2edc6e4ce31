#include "natkit/settings/edit.hpp"

#include <algorithm>
#include <optional>

#include "../config/toml.hpp"
#include "list_edit.hpp"
#include "natkit/base/text.hpp"
#include "natkit/settings/layout.hpp"
#include "toml_value.hpp"

namespace natkit::settings {
namespace {

Path path_of(std::string_view section) {
    Path path;
    for (const std::string_view part : text::split(section, '.')) path.emplace_back(part);
    return path;
}

bool starts_with(const Path& path, const Path& beginning) {
    return path.size() >= beginning.size() && std::equal(beginning.begin(), beginning.end(), path.begin());
}

Result<toml::table> parsed(std::string_view text) {
    try {
        return toml::parse(text);
    } catch (const toml::parse_error& error) {
        return fail(Errc::bad_config, text::printable(error.description(), 300),
                    "line " + std::to_string(error.source().begin.line));
    }
}

toml::table* table_at(toml::table& root, const Path& section) {
    toml::table* table = &root;
    for (const std::string& part : section) {
        toml::node* node = table->get(part);
        table = node == nullptr ? nullptr : node->as_table();
        if (table == nullptr) return nullptr;
    }
    return table;
}

std::optional<Value> value_of(const toml::node& node) {
    if (const auto* flag = node.as_boolean()) return flag->get();
    if (const auto* number = node.as_integer()) return number->get();
    if (const auto* string = node.as_string()) return string->get();
    const toml::array* array = node.as_array();
    if (array == nullptr) return std::nullopt;
    std::vector<std::string> items;
    for (const toml::node& item : *array) {
        if (!item.is_string()) return std::nullopt;
        items.push_back(item.as_string()->get());
    }
    return items;
}

/// A number may be written without quotes where a text may be (a TOS value).
bool same(const Value& there, const Value& wanted) {
    const auto* number = std::get_if<std::int64_t>(&there);
    const auto* text = std::get_if<std::string>(&wanted);
    return there == wanted || (number != nullptr && text != nullptr && std::to_string(*number) == *text);
}

/// What is to be changed, and the text it is in.
struct Place {
    std::string_view text;
    Layout layout;
    Path section;
    Path whole;  ///< of the key

    [[nodiscard]] const Statement* find(const Path& path) const {
        const auto found = std::ranges::find(layout.statements, path, &Statement::path);
        return found == layout.statements.end() ? nullptr : &*found;
    }
    [[nodiscard]] std::size_t line_begin(std::size_t at) const {
        const std::size_t before = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
        return before == std::string_view::npos ? 0 : before + 1;
    }
    /// After the line break, or the end of the text.
    [[nodiscard]] std::size_t line_end(std::size_t at) const {
        return std::min(text.find('\n', at), text.size() - 1) + 1;
    }
    [[nodiscard]] std::string_view line_break() const {
        const std::size_t at = text.find('\n');
        return at != std::string_view::npos && at > 0 && text[at - 1] == '\r' ? "\r\n" : "\n";
    }
    [[nodiscard]] std::string spliced(Span out, std::string_view in) const {
        return std::string(text.substr(0, out.begin)) + std::string(in) + std::string(text.substr(out.end));
    }
    /// A line of its own that begins at `at`.
    [[nodiscard]] std::string with_line(std::size_t at, const std::string& line) const {
        const bool cut = at > 0 && text[at - 1] != '\n';  // the last line has no line break
        std::string in = (cut ? std::string(line_break()) : "") + line + std::string(line_break());
        return spliced({at, at}, in);
    }
};

Result<Place> place_of(std::string_view text, std::string_view section, std::string_view key) {
    auto layout = lay_out(text);
    if (!layout) return fail(Errc::bad_config, layout.error().message, layout.error().where);
    Place place{.text = text, .layout = std::move(*layout), .section = path_of(section), .whole = {}};
    place.whole = place.section;
    place.whole.emplace_back(key);
    return place;
}

/// Where a new line of a section goes: after its last key and the comments right below that, which are not the next
/// section's.
std::size_t end_of_section(const Place& place, std::size_t after) {
    std::size_t at = place.line_end(after);
    const std::size_t begin = at;
    while (at < place.text.size()) {
        const std::string_view line = text::trim(place.text.substr(at, place.line_end(at) - at));
        if (line.starts_with('#')) {
            at = place.line_end(at);
        } else {
            return line.empty() ? at : begin;
        }
    }
    return at;
}

/// Whether the equals signs of a section stand in one column, as far as this line tells.
bool in_columns(const Place& place, const Statement& line) {
    const auto column = [&](const Statement& one) {
        return place.text.find('=', one.key.end) - place.line_begin(one.key.begin);
    };
    if (place.text.find('=', line.key.end) > line.key.end + 1) return true;
    return std::ranges::any_of(place.layout.statements, [&](const Statement& one) {
        return one.header == line.header && !one.in_line && column(one) == column(line) &&
               one.key.end - one.key.begin != line.key.end - line.key.begin;
    });
}

/// "key = value" as the line above has it: indentation, blanks, columns.
std::string line_like(const Place& place, const Statement* above, const std::string& key, const std::string& value) {
    if (above == nullptr) return key + " = " + value;
    const std::size_t begin = place.line_begin(above->key.begin);
    const std::size_t equals = place.text.find('=', above->key.end);
    std::string line(place.text.substr(begin, above->key.begin - begin));
    if (line.find_first_not_of(" \t") != std::string::npos) line.clear();
    line += key;
    if (equals - begin > line.size() && in_columns(place, *above)) line.append(equals - begin - line.size(), ' ');
    if (equals > above->key.end && !line.ends_with(' ')) line += ' ';
    line += '=';
    return line + std::string(place.text.substr(equals + 1, above->value.begin - equals - 1)) + value;
}

std::string into_table(const Place& place, const Statement& table, const std::string& key, const std::string& value) {
    std::size_t last = 0;
    for (const Statement& one : place.layout.statements) {
        if (one.in_line && one.value.begin > table.value.begin && one.value.end < table.value.end)
            last = std::max(last, one.value.end);
    }
    const std::string added = key + " = " + value;
    if (last == 0) return place.spliced(table.value, "{ " + added + " }");
    return place.spliced({last, last}, ", " + added);
}

std::string with_key(const Place& place, const std::string& key, const std::string& value) {
    const auto& [text, layout, section, whole] = place;
    const auto header = std::ranges::find(layout.headers, section, &Header::path);
    if (header != layout.headers.end()) {
        const auto index = static_cast<std::size_t>(header - layout.headers.begin());
        const Statement* last = nullptr;
        for (const Statement& one : layout.statements) {
            if (one.header == index && !one.in_line) last = &one;
        }
        const std::size_t after = last == nullptr ? header->line_end : last->value.end;
        return place.with_line(end_of_section(place, after), line_like(place, last, key, value));
    }
    if (const Statement* table = place.find(section); table != nullptr) return into_table(place, *table, key, value);
    const Statement* dotted = nullptr;  // "addresses.lan = …" below [media_proxy]
    for (const Statement& one : layout.statements) {
        const bool here = starts_with(one.path, section) && one.path.size() > section.size();
        if (here && !one.in_line && one.own > one.path.size() - section.size()) dotted = &one;
    }
    if (dotted != nullptr) {
        std::string name;
        for (std::size_t i = dotted->path.size() - dotted->own; i < section.size(); ++i) name += section[i] + ".";
        return place.with_line(place.line_end(dotted->value.end), line_like(place, dotted, name + key, value));
    }
    std::string name;
    for (const std::string& part : section) name += (name.empty() ? "" : ".") + part;
    const std::string line_break(place.line_break());
    const std::string gap = text.empty() ? "" : line_break;
    return place.with_line(text.size(), gap + "[" + name + "]" + line_break + key + " = " + value);
}

std::string without_key(const Place& place, const Statement& statement) {
    if (!statement.in_line) {
        return place.spliced({place.line_begin(statement.key.begin), place.line_end(statement.value.end)}, "");
    }
    const std::size_t next = place.text.find_first_not_of(" \t", statement.value.end);
    if (place.text[next] == ',') {
        return place.spliced({statement.key.begin, place.text.find_first_not_of(" \t", next + 1)}, "");
    }
    const std::size_t previous = place.text.find_last_not_of(" \t", statement.key.begin - 1);
    const std::size_t from = place.text[previous] == ',' ? previous : statement.key.begin;
    return place.spliced({from, statement.value.end}, "");
}

/// Takes a key out of a table, and the sections that are empty then.
void forget(toml::table& root, const Path& section, const std::string& key) {
    if (toml::table* table = table_at(root, section)) table->erase(key);
    for (Path path = section; !path.empty(); path.pop_back()) {
        Path outer = path;
        outer.pop_back();
        toml::table* table = table_at(root, path);
        if (table != nullptr && table->empty()) table_at(root, outer)->erase(path.back());
    }
}

/// Whether a text has this value (none: no value) where it should, and the rest of it says what it said before.
bool is_right(const std::string& text, toml::table before, const Place& place, const Value* wanted) {
    auto after = parsed(text);
    if (!after) return false;
    toml::table* table = table_at(*after, place.section);
    const toml::node* node = table == nullptr ? nullptr : table->get(place.whole.back());
    if ((node != nullptr) != (wanted != nullptr)) return false;
    if (wanted != nullptr) {
        const auto value = value_of(*node);
        if (!value || *value != *wanted) return false;
    }
    forget(*after, place.section, place.whole.back());
    forget(before, place.section, place.whole.back());
    return *after == before;
}

/// Whether a TOML comment may hold it.
bool can_be_said(const ListEntry& entry) {
    return std::ranges::none_of(entry.comment.value_or(""), [](char c) {
        return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
    });
}

std::unexpected<Error> not_to_be_changed(const Place& place) {
    std::string name;
    for (const std::string& part : place.whole) name += (name.empty() ? "" : ".") + part;
    return fail(Errc::bad_config, name + ": the file is written in a way that cannot be changed here; edit it by hand");
}

}  // namespace

Result<std::string> set_value(std::string_view text, std::string_view section, std::string_view key,
                              const Value& value) {
    const auto before = parsed(text);
    if (!before) return std::unexpected(before.error());
    const auto place = place_of(text, section, key);
    if (!place) return std::unexpected(place.error());
    const auto there = value_in(text, section, key);
    if (there && same(*there, value)) return std::string(text);
    const Statement* statement = place->find(place->whole);
    if (statement == nullptr) {
        std::string result = with_key(*place, std::string(key), to_toml(value));
        if (is_right(result, *before, *place, &value)) return result;
        return not_to_be_changed(*place);
    }
    const std::string_view old = statement->value.of(text);
    if (const auto* items = std::get_if<std::vector<std::string>>(&value); items != nullptr && old.starts_with('[')) {
        if (const auto edited = edit_list(old, *items)) {
            std::string result = place->spliced(statement->value, *edited);
            if (is_right(result, *before, *place, &value)) return result;
        }
    }
    std::string result = place->spliced(statement->value, to_toml(value, old));
    if (is_right(result, *before, *place, &value)) return result;
    return not_to_be_changed(*place);
}

Result<std::string> set_list(std::string_view text, std::string_view section, std::string_view key,
                             const std::vector<ListEntry>& entries) {
    const auto before = parsed(text);
    if (!before) return std::unexpected(before.error());
    const auto place = place_of(text, section, key);
    if (!place) return std::unexpected(place.error());
    if (!std::ranges::all_of(entries, can_be_said)) {
        return fail(Errc::bad_input,
                    "[" + std::string(section) + "] " + std::string(key) + ": a comment has a control character");
    }
    const auto there = list_in(text, section, key);
    if (there && *there == entries) return std::string(text);
    const Value value = items_of(entries);
    const Statement* statement = place->find(place->whole);
    const std::string_view old = statement == nullptr ? "[]" : statement->value.of(text);
    for (const std::string_view list : {old, std::string_view("[]")}) {
        const auto edited = edit_entries(list, entries, place->line_break());
        if (!edited) continue;
        std::string result = statement == nullptr ? with_key(*place, std::string(key), *edited)
                                                  : place->spliced(statement->value, *edited);
        if (!is_right(result, *before, *place, &value)) continue;
        if (const auto said = list_in(result, section, key); said && *said == entries) return result;
    }
    return not_to_be_changed(*place);
}

Result<std::vector<ListEntry>> list_in(std::string_view text, std::string_view section, std::string_view key) {
    const auto place = place_of(text, section, key);
    if (!place) return std::unexpected(place.error());
    const Statement* statement = place->find(place->whole);
    if (statement == nullptr) return fail(Errc::not_found, "no value");
    auto entries = entries_of(statement->value.of(text));
    if (!entries) return fail(Errc::bad_input, "not a list that can be shown");
    return std::move(*entries);
}

Result<std::string> reset_value(std::string_view text, std::string_view section, std::string_view key) {
    const auto before = parsed(text);
    if (!before) return std::unexpected(before.error());
    const auto place = place_of(text, section, key);
    if (!place) return std::unexpected(place.error());
    const Statement* statement = place->find(place->whole);
    if (statement == nullptr) {
        const auto there = value_in(text, section, key);
        if (!there && there.error().code == Errc::not_found) return std::string(text);
        return not_to_be_changed(*place);
    }
    std::string result = without_key(*place, *statement);
    if (is_right(result, *before, *place, nullptr)) return result;
    return not_to_be_changed(*place);
}

Result<Value> value_in(std::string_view text, std::string_view section, std::string_view key) {
    auto root = parsed(text);
    if (!root) return std::unexpected(root.error());
    toml::table* table = table_at(*root, path_of(section));
    const toml::node* node = table == nullptr ? nullptr : table->get(key);
    if (node == nullptr) return fail(Errc::not_found, "no value");
    auto value = value_of(*node);
    if (!value) return fail(Errc::bad_input, "not a value that can be shown");
    return std::move(*value);
}

}  // namespace natkit::settings
