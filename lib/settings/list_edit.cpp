#include "list_edit.hpp"

#include "list_parts.hpp"
#include "natkit/settings/line_diff.hpp"
#include "toml_value.hpp"

namespace natkit::settings {
namespace {

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
    const auto parts = read_list(list);
    if (!parts || wanted.size() > most_items) return std::nullopt;
    return put_together(*parts, wanted);
}

}  // namespace natkit::settings
