#include "list_parts.hpp"

#include "natkit/settings/layout.hpp"
#include "toml_value.hpp"

namespace natkit::settings {
namespace {

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

}  // namespace

std::optional<List> read_list(std::string_view text) {
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

std::string without_comments(const std::string& lead) {
    const std::size_t at = lead.rfind('\n');
    if (at == std::string::npos) return lead;
    return lead.substr(at > 0 && lead[at - 1] == '\r' ? at - 1 : at);
}

Style::Style(const List& list) {
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

std::string line_begin(const List& list) {
    for (const Item& item : list.items) {
        if (item.lead.find('\n') != std::string::npos) return without_comments(item.lead);
    }
    const std::size_t hash = list.tail.find('#');
    const std::size_t line = hash == std::string::npos ? hash : list.tail.rfind('\n', hash);
    if (line == std::string::npos) return "\n    ";
    return without_comments(list.tail.substr(0, hash));
}

}  // namespace natkit::settings
