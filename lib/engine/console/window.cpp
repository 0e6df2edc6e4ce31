#include "natkit/engine/console/window.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "natkit/base/display.hpp"

namespace natkit::console {
namespace {

constexpr std::size_t longest_filter = 60;
constexpr char32_t control_d = 4;

void add_section(std::vector<std::string>& lines, const char* title, const std::vector<std::string>& all,
                 std::size_t total) {
    lines.emplace_back();
    lines.push_back(std::string(title) + " " + std::to_string(total));
    if (total > 0) lines.insert(lines.end(), all.begin(), all.end());
}

/// Spans that are cut, as one text would be, where the terminal ends.
Line cut(const Line& spans, std::size_t columns) {
    Line line;
    for (const Span& span : spans) {
        const std::size_t width = std::min(width_of(span.text), columns);
        if (width == 0) continue;
        line.push_back({.text = fitted(span.text, width), .style = span.style});
        columns -= width;
    }
    return line;
}

Line one(const std::string& text, std::size_t columns, Style style = Style::plain) {
    return cut({{.text = text, .style = style}}, columns);
}

std::string id_of_call(const Json& call) {
    return text_of(call, "call_id");
}

std::string id_of_client(const Json& client) {
    return text_of(client, "id") + " " + text_of(client, "contact");
}

std::string words_of_client(const Json& client) {
    return text_of(client, "place") + ": " + text_of(client, "why");
}

std::string head_of(const Json& status) {
    const Json& uptime = member(status, "uptime_s");
    std::string head = "natkit " + text_of(status, "state") + ", up " +
                       (uptime.is_number() ? clock_of(uptime.get<std::int64_t>()) : "-");
    for (const char* key : {"calls", "clients", "sessions", "streams", "pinged"})
        head += std::string(", ") + key + " " + text_of(status, key);
    return head;
}

}  // namespace

std::vector<Key> without_orders(const std::vector<Key>& typed) {
    std::vector<Key> keys;
    const auto letter = [&](std::size_t i) {
        return i < typed.size() && typed[i].kind == Key::Kind::character ? typed[i].character : U'\0';
    };
    for (std::size_t i = 0; i < typed.size(); ++i) {
        if (typed[i].kind != Key::Kind::escape || letter(i + 1) == 0) {
            keys.push_back(typed[i]);
            continue;
        }
        ++i;  // Alt and a letter; or what introduces parameters and a final letter
        if (letter(i) != '[' && letter(i) != 'O') continue;
        do ++i;
        while (letter(i) >= 0x20 && letter(i) < 0x40);
        if (letter(i) == 0) --i;  // it ends before its final letter
    }
    return keys;
}

std::vector<std::string> lines_of(const Json& answers) {
    if (answers.contains("trouble")) return {text::displayable(text_of(answers, "trouble"))};
    std::vector<std::string> lines = status_lines(member(answers, "status"));
    const Json& calls = member(answers, "calls");
    const Json& clients = member(answers, "clients");
    add_section(lines, "calls", call_lines(calls, Streams::left_out), calls.size());
    add_section(lines, "clients", client_lines(clients), clients.size());
    return lines;
}

Window::Window()
    : tables_{Table(call_columns(), id_of_call, reasons_of), Table(client_columns(), id_of_client, words_of_client)} {}

void Window::take(const Json& answers) {
    trouble_ = answers.contains("trouble") ? text_of(answers, "trouble") : "";
    if (!trouble_.empty()) return;
    const Json& status = member(answers, "status");
    head_ = head_of(status);
    degraded_.clear();
    for (const Json& trouble : member(status, "degraded"))
        degraded_.push_back("degraded: " + (trouble.is_string() ? trouble.get<std::string>() : trouble.dump()));
    status_ = status_lines(status);
    tables_[0].take(member(answers, "calls"));
    tables_[1].take(member(answers, "clients"));
    follow_chosen();
}

std::size_t Window::rows_of_page() const {
    return is_table() ? tables_[page_].size() : status_.size();
}

/// The rows that are seen have changed: the chosen record may be at another place, or away.
void Window::follow_chosen() {
    for (std::size_t page = 0; page < tables_.size(); ++page) {
        const Table& table = tables_[page];
        Place& place = places_[page];
        if (place.id.empty()) {
            place.at = 0;
            continue;
        }
        std::size_t at = 0;
        while (at < table.size() && table.row(at).id != place.id) ++at;
        if (at == table.size()) {
            place.at = std::min(place.at, table.size() == 0 ? 0 : table.size() - 1);
            place.id = table.size() == 0 || place.at == 0 ? "" : table.row(place.at).id;
        } else {
            place.at = at;
        }
    }
}

Line Window::tabs(std::size_t columns) const {
    Line line;
    const std::array<std::string, pages> names = {"Calls " + std::to_string(tables_[0].size()),
                                                  "Clients " + std::to_string(tables_[1].size()), "Status"};
    for (std::size_t page = 0; page < pages; ++page) {
        const std::string text = " " + std::to_string(page + 1) + " " + names[page] + " ";
        line.push_back({.text = text, .style = page == page_ ? Style::chosen : Style::plain});
        line.push_back({.text = " ", .style = Style::plain});
    }
    return cut(line, columns);
}

Line Window::footer(std::size_t shown, std::size_t columns) const {
    if (typing_) return one("filter: " + text::encoded(filter_) + "_  Enter keeps it, Escape takes it away", columns);
    std::string text = "q quits  ";
    if (shown > 0) {
        const std::size_t first = places_[page_].first;
        text += std::to_string(first + 1) + "-" + std::to_string(first + shown) + " of " +
                std::to_string(rows_of_page()) + "  ";
    }
    if (is_table()) {
        const Table& table = tables_[page_];
        const auto by = table.sorted_by();
        text += "s sorts: " + std::string(by ? table.columns()[*by].name : "as they come") +
                (table.turned() ? " (turned)" : "") + "  r turns  / filters";
        if (!filter_.empty()) text += ": " + text::encoded(filter_);
        text += "  ";
    }
    return one(text + "Tab: next page", columns);
}

/// The heads of the columns, the rows, and why the chosen one is treated as it is.
void Window::add_rows(std::vector<Line>& lines, std::size_t rows, std::size_t columns) {
    Place& place = places_[page_];
    const std::size_t all = rows_of_page();
    const bool with_head = is_table() && rows > 1;
    const bool with_words = is_table() && rows > 6;
    const std::size_t body = rows - (with_head ? 1 : 0) - (with_words ? 2 : 0);
    seen_ = std::max<std::size_t>(body, 1);
    if (is_table()) place.first = std::clamp(place.first, place.at + 1 - std::min(place.at + 1, seen_), place.at);
    place.first = std::min(place.first, all - std::min(all, seen_));
    const std::size_t end = std::min(all, place.first + body);
    if (!is_table()) {
        for (std::size_t i = place.first; i < end; ++i) lines.push_back(one(status_[i], columns));
        return;
    }
    const Table& table = tables_[page_];
    const std::vector<std::size_t> widths = widths_of(table.columns(), columns);
    if (with_head) {
        Line head;
        for (std::size_t i = 0; i < widths.size(); ++i) {
            const Column& column = table.columns()[i];
            const bool sorted = table.sorted_by() == i;
            std::string name(column.name);
            if (sorted && name.size() < widths[i]) name += table.ascending() ? "^" : "v";
            if (i > 0) head.push_back({.text = " ", .style = Style::head});
            head.push_back(
                {.text = fitted(name, widths[i], column.align), .style = sorted ? Style::sorted : Style::head});
        }
        lines.push_back(std::move(head));
    }
    for (std::size_t i = place.first; i < end; ++i) {
        std::string text;
        for (std::size_t column = 0; column < widths.size(); ++column) {
            if (column > 0) text += ' ';
            text += fitted(table.row(i).cells[column].text, widths[column], table.columns()[column].align);
        }
        lines.push_back({{.text = fitted(text, columns), .style = i == place.at ? Style::chosen : Style::plain}});
    }
    if (!with_words) return;
    lines.resize(lines.size() + body - (end - place.first));
    const std::string words = all == 0 ? "" : table.row(place.at).words;
    // Two lines: what does not fit into the first, and of that what fits.
    std::size_t first = 0;
    while (first < words.size() && width_of(std::string_view(words).substr(0, first)) < columns) ++first;
    if (first == words.size()) {
        lines.push_back(one(words, columns, Style::dim));
        lines.emplace_back();
        return;
    }
    const std::size_t blank = words.rfind(' ', first);
    if (blank != std::string::npos && blank > 0) first = blank;
    lines.push_back(one(words.substr(0, first), columns, Style::dim));
    lines.push_back(one(words.substr(std::min(words.size(), first + 1)), columns, Style::dim));
}

std::vector<Line> Window::lines(Size size) {
    std::vector<Line> lines;
    if (size.rows == 0 || size.columns == 0) return lines;
    if (!trouble_.empty()) {
        lines.push_back(one(trouble_, size.columns, Style::trouble));
        lines.resize(size.rows);
        if (size.rows > 1) lines.back() = one("q quits", size.columns);
        return lines;
    }
    lines.push_back(one(head_, size.columns, Style::strong));
    const std::size_t troubles = std::min(degraded_.size(), size.rows / 4);
    for (std::size_t i = 0; i < troubles; ++i) lines.push_back(one(degraded_[i], size.columns, Style::trouble));
    if (size.rows > 4) lines.push_back(tabs(size.columns));
    const std::size_t left = size.rows - lines.size();
    if (left > 1) add_rows(lines, left - 1, size.columns);
    lines.resize(size.rows);
    const std::size_t shown = left > 1 ? std::min(seen_, rows_of_page() - places_[page_].first) : 0;
    if (size.rows > 1) lines.back() = footer(shown, size.columns);
    return lines;
}

void Window::choose_page(std::size_t page) {
    page_ = page % pages;
}

/// The columns in their order, then as natkit tells the records, and the first column again.
void Window::sort_by_next(bool forwards) {
    if (!is_table()) return;
    Table& table = tables_[page_];
    const std::size_t count = table.columns().size();
    const std::size_t now = table.sorted_by().value_or(count);
    const std::size_t next = (now + (forwards ? 1 : count)) % (count + 1);
    table.sort(next == count ? std::nullopt : std::optional(next));
    follow_chosen();
}

void Window::move(const Key& key) {
    Place& place = places_[page_];
    std::size_t& at = is_table() ? place.at : place.first;
    const std::size_t all = rows_of_page();
    const std::size_t last = is_table() ? all - std::min<std::size_t>(all, 1) : all - std::min(all, seen_);
    switch (key.kind) {
        case Key::Kind::up: at -= std::min<std::size_t>(at, 1); break;
        case Key::Kind::down: at = std::min(at + 1, last); break;
        case Key::Kind::page_up: at -= std::min(at, seen_); break;
        case Key::Kind::page_down: at = std::min(at + seen_, last); break;
        case Key::Kind::home: at = 0; break;
        case Key::Kind::end: at = last; break;
        default: return;
    }
    if (is_table()) place.id = at == 0 || all == 0 ? "" : tables_[page_].row(at).id;
}

void Window::type(const Key& key) {
    if (key.kind == Key::Kind::escape) filter_.clear();
    if (key.kind == Key::Kind::escape || key.kind == Key::Kind::enter) typing_ = false;
    if (key.kind == Key::Kind::backspace && !filter_.empty()) filter_.pop_back();
    if (key.kind == Key::Kind::character && !text::steers_terminal(key.character) && filter_.size() < longest_filter)
        filter_ += key.character;
    for (Table& table : tables_) table.filter(text::encoded(filter_));
    follow_chosen();
}

void Window::on_letter(char32_t letter) {
    switch (letter) {
        case 'j': return move({.kind = Key::Kind::down});
        case 'k': return move({.kind = Key::Kind::up});
        case ' ': return move({.kind = Key::Kind::page_down});
        case 'g': return move({.kind = Key::Kind::home});
        case 'G': return move({.kind = Key::Kind::end});
        case 's':
        case '>': return sort_by_next(true);
        case '<': return sort_by_next(false);
        case '1':
        case '2':
        case '3': return choose_page(letter - U'1');
        case 'r':
            if (is_table()) tables_[page_].turn();
            return follow_chosen();
        case '/':
            typing_ = true;
            filter_.clear();
            return type({.kind = Key::Kind::home});
        default: return;
    }
}

Window::Wish Window::on_key(const Key& key) {
    if (key.kind == Key::Kind::gone) return Wish::end;
    if (key.kind == Key::Kind::character && key.character == control_d) return Wish::end;
    if (typing_) {
        type(key);
        return Wish::go_on;
    }
    switch (key.kind) {
        case Key::Kind::escape: return Wish::end;
        case Key::Kind::left: sort_by_next(false); break;
        case Key::Kind::right: sort_by_next(true); break;
        case Key::Kind::tab: choose_page(page_ + 1); break;
        case Key::Kind::back_tab: choose_page(page_ + pages - 1); break;
        case Key::Kind::character:
            if (key.character == 'q' || key.character == 'Q') return Wish::end;
            on_letter(key.character);
            break;
        default: move(key);
    }
    return Wish::go_on;
}

}  // namespace natkit::console
