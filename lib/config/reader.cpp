#include "reader.hpp"

#include <algorithm>
#include <tuple>

namespace natkit::config {
namespace {

std::string_view kind_of(const toml::node& node) {
    switch (node.type()) {
        case toml::node_type::table: return "a table";
        case toml::node_type::array: return "a list";
        case toml::node_type::string: return "a text";
        case toml::node_type::integer: return "a number";
        case toml::node_type::floating_point: return "a fraction";
        case toml::node_type::boolean: return "true or false";
        case toml::node_type::date:
        case toml::node_type::time:
        case toml::node_type::date_time: return "a date or time";
        case toml::node_type::none: break;
    }
    return "nothing";
}

std::string message_of(std::string_view section, std::string_view key, std::string message) {
    std::string text;
    if (!section.empty()) text += "[" + std::string(section) + "] ";
    if (!key.empty()) text += text::printable(key, 80) + ": ";
    return text + std::move(message);
}

}  // namespace

void Diagnostics::error(toml::source_position at, std::string_view section, std::string_view key, std::string message) {
    errors_.push_back({at, message_of(section, key, std::move(message))});
}

void Diagnostics::warning(toml::source_position at, std::string_view section, std::string_view key,
                          std::string message) {
    warnings_.push_back({at, message_of(section, key, std::move(message))});
}

std::string Diagnostics::where(toml::source_position at) const {
    if (at.line == 0) return file_;
    return file_ + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
}

void Diagnostics::place(toml::source_position at, std::string_view section, std::string_view key) {
    places_[message_of(section, key, "")] = where(at);
}

std::vector<Error> Diagnostics::sorted(std::vector<Entry>& entries) const {
    std::ranges::stable_sort(entries, {}, [](const Entry& e) { return std::tuple(e.at.line, e.at.column); });
    std::vector<Error> result;
    result.reserve(entries.size());
    for (Entry& entry : entries) {
        result.push_back({Errc::bad_config, where(entry.at), std::move(entry.message)});
    }
    entries.clear();
    return result;
}

const toml::node* Section::find(std::string_view key) {
    known_.emplace_back(key);
    const toml::node* node = table_ == nullptr ? nullptr : table_->get(key);
    if (node != nullptr) diagnostics_.place(node->source().begin, name_, key);
    return node;
}

Section Section::child(std::string_view key, std::string name) {
    const toml::node* node = find(key);
    if (node != nullptr && !node->is_table()) {
        wrong_type(*node, key, "a table", "write a section [" + name + "]");
        node = nullptr;
    }
    return {node == nullptr ? nullptr : node->as_table(), std::move(name), diagnostics_};
}

void Section::error(const toml::node& node, std::string_view key, std::string message) {
    diagnostics_.error(node.source().begin, name_, key, std::move(message));
}

void Section::warning(const toml::node& node, std::string_view key, std::string message) {
    diagnostics_.warning(node.source().begin, name_, key, std::move(message));
}

void Section::wrong_type(const toml::node& node, std::string_view key, std::string_view expected,
                         std::string_view instead) {
    error(node, key,
          "expected " + std::string(expected) + ", found " + std::string(kind_of(node)) + "; " + std::string(instead));
}

void Section::boolean(std::string_view key, bool& target) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    if (const auto* value = node->as_boolean()) {
        target = value->get();
    } else {
        wrong_type(*node, key, "true or false", "write it without quotes");
    }
}

void Section::number(std::string_view key, unsigned& target, unsigned min, unsigned max) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const std::string instead = "write a whole number from " + std::to_string(min) + " to " + std::to_string(max);
    const auto* value = node->as_integer();
    if (value == nullptr) {
        wrong_type(*node, key, "a number", instead);
    } else if (value->get() < min || value->get() > max) {
        error(*node, key, "out of range: " + std::to_string(value->get()) + "; " + instead);
    } else {
        target = static_cast<unsigned>(value->get());
    }
}

void Section::done() {
    if (table_ == nullptr) return;
    const std::vector<std::string_view> known(known_.begin(), known_.end());
    for (const auto& [key, node] : *table_) {
        if (std::ranges::find(known, key.str()) != known.end()) continue;
        std::string message = name_.empty() && node.is_table() ? "unknown section" : "unknown key";
        if (const auto near = text::suggest(key.str(), known)) {
            message += "; did you mean " + in_quotes(*near) + "?";
        } else {
            message += "; take it out (known here: ";
            for (std::size_t i = 0; i < known.size(); ++i) message += (i == 0 ? "" : ", ") + std::string(known[i]);
            message += ")";
        }
        diagnostics_.error(key.source().begin, name_, key.str(), std::move(message));
    }
}

}  // namespace natkit::config
