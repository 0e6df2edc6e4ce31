#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "natkit/base/error.hpp"
#include "natkit/base/text.hpp"
#include "toml.hpp"

namespace natkit::config {

/// All problems of one file, whatever order they are found in.
class Diagnostics {
  public:
    explicit Diagnostics(std::string_view file) : file_(file) {}

    void error(toml::source_position at, std::string_view section, std::string_view key, std::string message);
    void warning(toml::source_position at, std::string_view section, std::string_view key, std::string message);

    /// Where a key stands in the file.
    void place(toml::source_position at, std::string_view section, std::string_view key);
    [[nodiscard]] std::map<std::string, std::string> take_places() { return std::move(places_); }

    /// Sorted by line and column.
    [[nodiscard]] std::vector<Error> take_errors() { return sorted(errors_); }
    [[nodiscard]] std::vector<Error> take_warnings() { return sorted(warnings_); }
    [[nodiscard]] bool has_errors() const noexcept { return !errors_.empty(); }

  private:
    struct Entry {
        toml::source_position at;
        std::string message;
    };

    [[nodiscard]] std::vector<Error> sorted(std::vector<Entry>& entries) const;
    [[nodiscard]] std::string where(toml::source_position at) const;

    std::string file_;
    std::vector<Entry> errors_;
    std::vector<Entry> warnings_;
    std::map<std::string, std::string> places_;
};

/// Typed access to one table. Each key that is asked for becomes known; done() reports all others.
class Section {
  public:
    /// `table` null: the section is missing, every key too.
    Section(const toml::table* table, std::string name, Diagnostics& diagnostics)
        : table_(table), name_(std::move(name)), diagnostics_(diagnostics) {}

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] bool has(std::string_view key) const { return table_ != nullptr && table_->contains(key); }
    /// The node of a key, or null; the key becomes known.
    const toml::node* find(std::string_view key);
    /// A table inside this one.
    Section child(std::string_view key, std::string name);
    void error(const toml::node& node, std::string_view key, std::string message);
    void warning(const toml::node& node, std::string_view key, std::string message);
    /// "expected …, found …; instead"
    void wrong_type(const toml::node& node, std::string_view key, std::string_view expected, std::string_view instead);

    /// A text, read by `parse` (string_view → Result<T>). `instead` says what to write.
    template <class T, class Parse>
    void value(std::string_view key, T& target, Parse parse, std::string_view instead) {
        const toml::node* node = find(key);
        if (node == nullptr) return;
        if (auto read = element<T>(*node, key, parse, instead)) target = std::move(*read);
    }

    /// A list of texts. True if the key is there and everything in it was read.
    template <class T, class Parse>
    bool list(std::string_view key, std::vector<T>& target, Parse parse, std::string_view instead) {
        const toml::node* node = find(key);
        if (node == nullptr) return false;
        const toml::array* array = node->as_array();
        if (array == nullptr) {
            wrong_type(*node, key, "a list", instead);
            return false;
        }
        std::vector<T> values;
        bool good = true;
        for (const toml::node& item : *array) {
            if (auto read = element<T>(item, key, parse, instead)) {
                values.push_back(std::move(*read));
            } else {
                good = false;
            }
        }
        if (good) target = std::move(values);
        return good;
    }

    void boolean(std::string_view key, bool& target);
    void number(std::string_view key, unsigned& target, unsigned min, unsigned max);

    /// Reports the keys that nobody asked for.
    void done();

  private:
    template <class T, class Parse>
    std::optional<T> element(const toml::node& node, std::string_view key, Parse& parse, std::string_view instead) {
        const auto* text = node.as_string();
        if (text == nullptr) {
            wrong_type(node, key, "a text in quotes", instead);
            return std::nullopt;
        }
        auto result = parse(std::string_view(text->get()));
        if (result) return std::move(*result);
        error(node, key, result.error().message + "; " + std::string(instead));
        return std::nullopt;
    }

    const toml::table* table_;
    std::string name_;
    Diagnostics& diagnostics_;
    std::vector<std::string> known_;
};

/// A key as it can stand in a message.
[[nodiscard]] inline std::string in_quotes(std::string_view text) {
    return "'" + text::printable(text, 80) + "'";
}

}  // namespace natkit::config
