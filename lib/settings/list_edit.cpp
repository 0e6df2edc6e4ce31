#include "list_edit.hpp"

#include "natkit/settings/layout.hpp"
#include "natkit/settings/line_diff.hpp"
#include "toml_value.hpp"

namespace natkit::settings {
namespace {

constexpr std::size_t most_items = 10'000;

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

/// What stands between an item and the next one: up to the end of the line it belongs to the first.
void divide(std::string_view between, std::string& trail, std::string& lead) {
    std::size_t end = between.find('\n');
    if (end == std::string_view::npos) {
        lead = between;
        return;
    }
    if (end > 0 && between[end - 1] == '\r') --end;
    trail = between.substr(0, end);
    lead = between.substr(end);
}

std::optional<List> read(std::string_view text) {
    const auto places = list_items(text);
    if (!places || places->items.size() > most_items) return std::nullopt;
    List list;
    std::size_t at = 1;
    std::string lead;
    const std::size_t count = places->items.size();
    for (std::size_t i = 0; i < count; ++i) {
        const Span& span = places->items[i];
        if (i == 0) lead = text.substr(at, span.begin - at);
        Item item{.lead = lead, .text = std::string(span.of(text)), .after = {}, .trail = {}, .value = {}};
        auto value = string_of(item.text);
        if (!value) return std::nullopt;
        item.value = std::move(*value);
        at = span.end;
        if (i < places->commas.size()) {
            item.after = text.substr(at, places->commas[i].begin - at);
            at = places->commas[i].end;
        }
        const std::size_t next = i + 1 < count ? places->items[i + 1].begin : text.size() - 1;
        divide(text.substr(at, next - at), item.trail, lead);
        at = next;
        list.items.push_back(std::move(item));
    }
    list.tail = count > 0 ? lead : std::string(text.substr(1, text.size() - 2));
    list.last_has_comma = count > 0 && places->commas.size() == count;
    return list;
}

/// The last line break of a lead and what follows it; the lead itself where it has none.
std::string without_comments(const std::string& lead) {
    const std::size_t at = lead.rfind('\n');
    if (at == std::string::npos) return lead;
    return lead.substr(at > 0 && lead[at - 1] == '\r' ? at - 1 : at);
}

/// How items are set apart.
struct Style {
    std::string first;
    std::string next;
    bool literal = false;

    explicit Style(const List& list) {
        next = " ";
        const bool lines = list.tail.find('\n') != std::string::npos;
        if (list.items.empty()) {
            if (lines) first = next = without_comments(list.tail) + "    ";
            return;
        }
        first = without_comments(list.items[0].lead);
        if (list.items.size() > 1) {
            next = without_comments(list.items[1].lead);
        } else if (lines) {
            next = first;
        }
        if (next.empty()) next = " ";
        literal = list.items[0].text.starts_with('\'');
    }
};

/// The beginning of a line of the list: a line break and the indentation that others have.
std::string line_begin(const List& list) {
    for (const Item& item : list.items) {
        if (item.lead.find('\n') != std::string::npos) return without_comments(item.lead);
    }
    const std::size_t hash = list.tail.find('#');
    const std::size_t line = hash == std::string::npos ? hash : list.tail.rfind('\n', hash);
    if (line == std::string::npos) return "\n    ";
    return without_comments(list.tail.substr(0, hash));
}

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

/// The comments on lines of their own before an item that goes.
std::string own_lines(const std::string& lead) {
    if (lead.find('#') == std::string::npos) return {};
    return lead.substr(0, lead.size() - without_comments(lead).size());
}

std::string put_together(const List& list, const std::vector<std::string>& wanted) {
    std::vector<std::string_view> before;
    before.reserve(list.items.size());
    for (const Item& item : list.items) before.push_back(item.value);
    auto common = in_common(before, {wanted.begin(), wanted.end()});
    common.emplace_back(list.items.size(), wanted.size());
    const Style style(list);
    Writer out(line_begin(list));
    out.add("[");
    std::size_t i = 0;
    std::size_t j = 0;
    const auto add = [&](const std::string& lead, const std::string& text, const std::string& after,
                         const std::string& trail) {
        out.add_between(lead);
        out.add(text);
        out.add_between(after);
        if (++j < wanted.size() || list.last_has_comma) out.add(",");
        out.add_between(trail);
    };
    for (const auto& [kept_i, kept_j] : common) {
        // New ones stand where those were that they replace: before what was said about later ones.
        while (j < kept_j) {
            const Value value = wanted[j];
            add(j == 0 ? style.first : style.next, to_toml(value, style.literal ? "'" : ""), "", "");
        }
        std::string kept_lines;
        for (; i < kept_i; ++i) kept_lines += own_lines(list.items[i].lead);
        out.add_between(kept_lines);
        if (i == list.items.size()) break;
        const Item& item = list.items[i];
        std::string lead = item.lead;
        if (j == 0 && i > 0 && lead.find('#') == std::string::npos) lead = style.first;
        if (j > 0 && i == 0 && lead.find('\n') == std::string::npos) lead = style.next;
        add(lead, item.text, item.after, item.trail);
        ++i;
    }
    const bool empty = out.is_begun_only() && list.tail.find('#') == std::string::npos;
    if (!empty) out.add_between(list.tail);
    out.add("]");
    return out.take();
}

}  // namespace

std::optional<std::string> edit_list(std::string_view list, const std::vector<std::string>& wanted) {
    const auto read_list = read(list);
    if (!read_list || wanted.size() > most_items) return std::nullopt;
    return put_together(*read_list, wanted);
}

}  // namespace natkit::settings
