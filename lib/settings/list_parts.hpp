#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// A TOML list of texts in its parts, for those that write it anew.
namespace natkit::settings {

inline constexpr std::size_t most_items = 10'000;

/// An item and what is written around it.
struct Item {
    std::string lead;   ///< before it: blanks, line breaks, comments on lines of their own
    std::string text;   ///< with its quotes
    std::string after;  ///< between it and its comma
    std::string trail;  ///< behind it on its line
    std::string value;
};

struct List {
    std::vector<Item> items;
    std::string tail;  ///< before the closing bracket
    bool last_has_comma = false;
};

/// Nothing: this is no list of texts, or it has more than most_items.
[[nodiscard]] std::optional<List> read_list(std::string_view text);

/// The last line break of a lead and what follows it; the lead itself where it has none.
[[nodiscard]] std::string without_comments(const std::string& lead);

/// How items are set apart.
struct Style {
    std::string first;
    std::string next;
    bool literal = false;

    explicit Style(const List& list);
};

/// The beginning of a line of the list: a line break and the indentation that others have.
[[nodiscard]] std::string line_begin(const List& list);

/// Puts a list together; a comment never swallows what comes after it.
class Writer {
  public:
    explicit Writer(std::string line_break) : break_(std::move(line_break)) {}

    void add(std::string_view text) {
        if (text.empty()) return;
        end_comment(text);
        text_ += text;
    }
    /// Blanks, line breaks and comments.
    void add_between(std::string_view text) {
        if (text.empty()) return;
        if (comment_ && text.find_first_not_of(" \t") == std::string_view::npos) return;  // a line break comes
        end_comment(text);
        text_ += text;
        const std::size_t line = text.rfind('\n');
        const bool begun = text.substr(line == std::string_view::npos ? 0 : line).find('#') != std::string_view::npos;
        comment_ = begun || (comment_ && line == std::string_view::npos);
    }
    [[nodiscard]] bool is_begun_only() const { return text_.size() == 1; }
    [[nodiscard]] std::string take() { return std::move(text_); }

  private:
    void end_comment(std::string_view next) {
        if (!comment_ || next.starts_with('\n') || next.starts_with("\r\n")) return;
        text_ += break_;
        comment_ = false;
    }

    std::string text_;
    std::string break_;  ///< with the indentation of a line
    bool comment_ = false;
};

}  // namespace natkit::settings
