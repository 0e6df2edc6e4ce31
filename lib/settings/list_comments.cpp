// Lists with their comments, as the guide's pages have them.
#include <algorithm>
#include <map>

#include "list_edit.hpp"
#include "list_parts.hpp"
#include "natkit/base/text.hpp"
#include "natkit/settings/line_diff.hpp"
#include "toml_value.hpp"

namespace natkit::settings {
namespace {

std::string without_end_blanks(std::string_view text) {
    return std::string(text.substr(0, text.find_last_not_of(" \t\r") + 1));
}

/// Whether the guide's form can say an item.
bool is_plain(std::string_view item) {
    return !item.empty() && text::trim(item) == item && item.find_first_of(",;\n") == std::string_view::npos;
}

/// A comment on lines of its own, or an item: with what is written around it.
struct Token {
    Item item;       ///< of a comment: its lead, and as its text "# …"
    ListEntry says;  ///< of what it is
};

/// Takes the comments out of what is written before an item; what is left is the item's.
std::string take_comments(const std::string& lead, std::vector<Token>& tokens) {
    std::size_t at = 0;
    for (std::size_t hash = lead.find('#'); hash != std::string::npos; hash = lead.find('#', at)) {
        std::size_t end = std::min(lead.find('\n', hash), lead.size());
        if (end > hash && lead[end - 1] == '\r') --end;
        Token token{.item = {}, .says = {}};
        token.item.lead = lead.substr(at, hash - at);
        token.item.text = lead.substr(hash, end - hash);
        token.says.comment = without_end_blanks(std::string_view(token.item.text).substr(1));
        tokens.push_back(std::move(token));
        at = end;
    }
    return lead.substr(at);
}

/// What a list is made of, in order; `tail` is left without comments. Nothing: what the guide's form cannot say.
std::optional<std::vector<Token>> tokens_of(List& list) {
    std::vector<Token> tokens;
    for (const Item& item : list.items) {
        if (!is_plain(item.value) || item.after.find('#') != std::string::npos) return std::nullopt;
        Token token{.item = item, .says = {.item = item.value, .comment = std::nullopt}};
        token.item.lead = take_comments(item.lead, tokens);
        const std::size_t hash = item.trail.find('#');
        if (hash != std::string::npos)
            token.says.comment = without_end_blanks(std::string_view(item.trail).substr(hash + 1));
        tokens.push_back(std::move(token));
    }
    list.tail = take_comments(list.tail, tokens);
    return tokens;
}

/// What tells whether an entry was there before: an item may have got another comment.
std::string key_of(const ListEntry& entry) {
    return entry.item.empty() ? "#" + entry.comment.value_or("") : "=" + entry.item;
}

/// All anew, on lines; items keep their quotes.
std::string on_lines(const List& list, const std::vector<ListEntry>& wanted, const std::string& line_break) {
    std::map<std::string, std::string> before;
    for (const Item& item : list.items) before[item.value] = item.text;
    const bool literal = !list.items.empty() && list.items[0].text.starts_with('\'');
    std::string text = "[";
    for (const ListEntry& entry : wanted) {
        text += line_break + "    ";
        if (!entry.item.empty()) {
            const auto kept = before.find(entry.item);
            text += kept != before.end() ? kept->second : to_toml(Value(entry.item), literal ? "'" : "");
            text += entry.comment ? ",  " : ",";
        }
        if (entry.comment) text += "#" + *entry.comment;
    }
    return text + line_break + "]";
}

/// The bytes behind an item that is to have this comment.
std::string trail_of(const Token& token, const ListEntry& wanted) {
    if (token.says.comment == wanted.comment) return token.item.trail;
    if (!wanted.comment) return "";
    const std::size_t hash = token.item.trail.find('#');
    return (hash == std::string::npos ? "  " : token.item.trail.substr(0, hash)) + "#" + *wanted.comment;
}

class Splicer {
  public:
    /// `tail`: that of the list, without comments.
    Splicer(const List& list, std::string tail, const std::vector<ListEntry>& wanted)
        : list_(list), tail_(std::move(tail)), style_(list), line_begin_(line_begin(list)), out_(line_begin_) {
        left_ =
            static_cast<std::size_t>(std::ranges::count_if(wanted, [](const auto& one) { return !one.item.empty(); }));
        out_.add("[");
    }
    void add_new(const ListEntry& entry) {
        if (entry.item.empty()) return out_.add_between(line_begin_ + "#" + entry.comment.value_or(""));
        const std::string text = to_toml(Value(entry.item), style_.literal ? "'" : "");
        add_item(first_ ? style_.first : style_.next, text, "", entry.comment ? "  #" + *entry.comment : "");
    }
    void add_kept(const Token& token, bool was_first, const ListEntry& entry) {
        std::string lead = token.item.lead;
        if (entry.item.empty()) return out_.add_between((lead.empty() ? line_begin_ : lead) + token.item.text);
        const bool on_its_line = lead.find('\n') != std::string::npos;
        if (first_ && !was_first && !on_its_line) lead = style_.first;
        if (!first_ && was_first && !on_its_line) lead = style_.next;
        add_item(lead, token.item.text, token.item.after, trail_of(token, entry));
    }
    [[nodiscard]] std::string close() {
        if (out_.is_begun_only()) return "[]";
        out_.add_between(tail_);
        out_.add("]");
        return out_.take();
    }

  private:
    void add_item(const std::string& lead, const std::string& text, const std::string& after,
                  const std::string& trail) {
        out_.add_between(lead);
        out_.add(text);
        out_.add_between(after);
        if (--left_ > 0 || list_.last_has_comma) out_.add(",");
        out_.add_between(trail);
        first_ = false;
    }

    const List& list_;
    std::string tail_;
    Style style_;
    std::string line_begin_;
    Writer out_;
    std::size_t left_ = 0;  ///< items that are to come
    bool first_ = true;     ///< no item is written yet
};

std::string spliced(const List& list, const std::string& tail, const std::vector<Token>& tokens,
                    const std::vector<ListEntry>& wanted) {
    std::vector<std::string> old_keys;
    std::vector<std::string> new_keys;
    old_keys.reserve(tokens.size());
    new_keys.reserve(wanted.size());
    for (const Token& token : tokens) old_keys.push_back(key_of(token.says));
    for (const ListEntry& entry : wanted) new_keys.push_back(key_of(entry));
    const auto common = in_common({old_keys.begin(), old_keys.end()}, {new_keys.begin(), new_keys.end()});
    const auto first_item = static_cast<std::size_t>(
        std::ranges::find_if(tokens, [](const Token& one) { return !one.says.item.empty(); }) - tokens.begin());
    Splicer out(list, tail, wanted);
    auto kept = common.begin();
    for (std::size_t j = 0; j < wanted.size(); ++j) {
        if (kept != common.end() && kept->second == j) {
            out.add_kept(tokens[kept->first], kept->first == first_item, wanted[j]);
            ++kept;
        } else {
            out.add_new(wanted[j]);
        }
    }
    return out.close();
}

}  // namespace

std::vector<ListEntry> read_guide_list(std::string_view text) {
    std::vector<ListEntry> entries;
    for (const std::string_view line : text::split(text, '\n')) {
        const std::size_t semicolon = line.find(';');
        const std::size_t before = entries.size();
        for (const std::string_view entry : text::split(line.substr(0, semicolon), ',')) {
            if (const std::string_view trimmed = text::trim(entry); !trimmed.empty())
                entries.push_back({.item = std::string(trimmed), .comment = std::nullopt});
        }
        if (semicolon == std::string_view::npos) continue;
        if (entries.size() == before) entries.emplace_back();
        entries.back().comment = without_end_blanks(line.substr(semicolon + 1));
    }
    return entries;
}

std::string guide_text(const std::vector<ListEntry>& entries) {
    std::string text;
    for (const ListEntry& entry : entries) {
        if (!text.empty()) text += '\n';
        text += entry.item;
        if (entry.comment) text += (entry.item.empty() ? ";" : "  ;") + *entry.comment;
    }
    return text;
}

std::vector<std::string> items_of(const std::vector<ListEntry>& entries) {
    std::vector<std::string> items;
    for (const ListEntry& entry : entries) {
        if (!entry.item.empty()) items.push_back(entry.item);
    }
    return items;
}

std::optional<std::vector<ListEntry>> entries_of(std::string_view list) {
    auto parts = read_list(list);
    if (!parts) return std::nullopt;
    const auto tokens = tokens_of(*parts);
    if (!tokens) return std::nullopt;
    std::vector<ListEntry> entries;
    for (const Token& token : *tokens) entries.push_back(token.says);
    return entries;
}

std::optional<std::string> edit_entries(std::string_view list, const std::vector<ListEntry>& wanted,
                                        std::string_view line_break) {
    auto parts = read_list(list);
    if (!parts || wanted.size() > most_items) return std::nullopt;
    const List whole = *parts;
    const auto tokens = tokens_of(*parts);
    if (!tokens) return std::nullopt;
    const bool comments = std::ranges::any_of(wanted, [](const ListEntry& one) { return one.comment.has_value(); });
    if (comments && list.find('\n') == std::string_view::npos) return on_lines(whole, wanted, std::string(line_break));
    return spliced(whole, parts->tail, *tokens, wanted);
}

}  // namespace natkit::settings
