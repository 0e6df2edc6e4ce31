#include "natkit/settings/line_diff.hpp"

#include <algorithm>
#include <cstdint>

namespace natkit::settings {
namespace {

constexpr std::size_t around = 3;
constexpr std::size_t most_cells = 4'000'000;  ///< of the table of lengths

/// With their line breaks: a last line without one is another line.
std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
        lines.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return lines;
}

/// A line of the difference, and where it stands in both texts.
struct Line {
    char mark;  ///< ' ', '-', '+'
    std::size_t before;
    std::size_t after;
    std::string_view text;
};

std::vector<Line> marked(const std::vector<std::string_view>& before, const std::vector<std::string_view>& after) {
    std::vector<Line> lines;
    std::size_t i = 0;
    std::size_t j = 0;
    auto common = in_common(before, after);
    common.emplace_back(before.size(), after.size());
    for (const auto& [next_i, next_j] : common) {
        for (; i < next_i; ++i) lines.push_back({'-', i, j, before[i]});
        for (; j < next_j; ++j) lines.push_back({'+', i, j, after[j]});
        if (i < before.size()) lines.push_back({' ', i, j, before[i]});
        ++i, ++j;
    }
    return lines;
}

std::string range(std::size_t first, std::size_t count) {
    // An empty one is named after the line before it.
    return std::to_string(count == 0 ? first : first + 1) + (count == 1 ? "" : "," + std::to_string(count));
}

void add_hunk(std::string& text, const std::vector<Line>& lines, std::size_t from, std::size_t to) {
    std::size_t removed = 0;
    std::size_t added = 0;
    for (std::size_t k = from; k < to; ++k) {
        removed += lines[k].mark != '+' ? 1 : 0;
        added += lines[k].mark != '-' ? 1 : 0;
    }
    text += "@@ -" + range(lines[from].before, removed) + " +" + range(lines[from].after, added) + " @@\n";
    for (std::size_t k = from; k < to; ++k) {
        text += lines[k].mark;
        text += lines[k].text;
        if (!lines[k].text.ends_with('\n')) text += "\n\\ No newline at end of file\n";
    }
}

}  // namespace

std::vector<std::pair<std::size_t, std::size_t>> in_common(const std::vector<std::string_view>& before,
                                                           const std::vector<std::string_view>& after) {
    std::vector<std::pair<std::size_t, std::size_t>> pairs;
    const std::size_t shorter = std::min(before.size(), after.size());
    std::size_t head = 0;
    while (head < shorter && before[head] == after[head]) {
        pairs.emplace_back(head, head);
        ++head;
    }
    std::size_t tail = 0;
    while (tail < shorter - head && before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) ++tail;
    const std::size_t rows = before.size() - head - tail;
    const std::size_t columns = after.size() - head - tail;
    if (rows > 0 && columns > 0 && rows <= most_cells / columns) {
        // The longest common part of what begins at row i and column j.
        std::vector<std::uint32_t> longest((rows + 1) * (columns + 1), 0);
        const auto cell = [&](std::size_t i, std::size_t j) -> std::uint32_t& {
            return longest[i * (columns + 1) + j];
        };
        for (std::size_t i = rows; i-- > 0;) {
            for (std::size_t j = columns; j-- > 0;) {
                cell(i, j) = before[head + i] == after[head + j] ? cell(i + 1, j + 1) + 1
                                                                 : std::max(cell(i + 1, j), cell(i, j + 1));
            }
        }
        for (std::size_t i = 0, j = 0; i < rows && j < columns;) {
            if (before[head + i] == after[head + j]) {
                pairs.emplace_back(head + i++, head + j++);
            } else if (cell(i + 1, j) >= cell(i, j + 1)) {
                ++i;
            } else {
                ++j;
            }
        }
    }
    for (std::size_t k = tail; k > 0; --k) pairs.emplace_back(before.size() - k, after.size() - k);
    return pairs;
}

std::string line_diff(std::string_view before, std::string_view after, std::string_view before_name,
                      std::string_view after_name) {
    if (before == after) return {};
    const std::vector<std::string_view> old_lines = lines_of(before);
    const std::vector<std::string_view> new_lines = lines_of(after);
    const std::vector<Line> lines = marked(old_lines, new_lines);
    std::string text = "--- " + std::string(before_name) + "\n+++ " + std::string(after_name) + "\n";
    for (std::size_t k = 0; k < lines.size();) {
        if (lines[k].mark == ' ') {
            ++k;
            continue;
        }
        const std::size_t from = k > around ? k - around : 0;
        std::size_t last = k;  // changed lines that are near each other make one hunk
        for (std::size_t next = k; next < lines.size() && next <= last + 2 * around + 1; ++next) {
            if (lines[next].mark != ' ') last = next;
        }
        const std::size_t to = std::min(last + around + 1, lines.size());
        add_hunk(text, lines, from, to);
        k = to;
    }
    return text;
}

}  // namespace natkit::settings
