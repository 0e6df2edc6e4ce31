#include <algorithm>

#include "ladder.hpp"
#include "words.hpp"

namespace natkit::html {
namespace {

// All in pixels.
constexpr int gutter = 150, margin = 90, head = 56, tail = 18, row_height = 30, detail_height = 15, letter = 7;

const char* word_of(LadderRow::Kind kind) {
    switch (kind) {
        case LadderRow::Kind::request: return "request";
        case LadderRow::Kind::provisional: return "provisional";
        case LadderRow::Kind::success: return "success";
        case LadderRow::Kind::failure: return "failure";
        case LadderRow::Kind::media: return "media";
    }
    return "";
}

/// "INVITE ×4"
std::string label_of(const LadderRow& row) {
    return row.copies > 1 ? row.what + " ×" + std::to_string(row.copies) : row.what;
}

/// Where the columns are.
struct Grid {
    int apart = 0;
    int columns = 0;

    [[nodiscard]] int at(std::size_t column) const { return gutter + margin + static_cast<int>(column) * apart; }
    [[nodiscard]] int width() const { return at(static_cast<std::size_t>(columns - 1)) + margin; }
};

Grid grid_of(const Ladder& ladder) {
    std::size_t longest = 0;
    for (const LadderHost& host : ladder.hosts) longest = std::max(longest, host.name.size());
    const int columns = static_cast<int>(std::max<std::size_t>(ladder.hosts.size(), 2));
    const int wide = columns == 2 ? 460 : columns == 3 ? 300 : columns == 4 ? 240 : 200;
    return {.apart = std::max(wide, letter * static_cast<int>(longest) + 16), .columns = columns};
}

int height_of(const LadderRow& row) {
    const bool beneath = !row.detail.empty() || !row.why.empty();
    return row_height + (beneath ? detail_height : 0);
}

/// What stands under an arrow: why it is lost goes before what it says.
std::string beneath(const LadderRow& row) {
    if (row.why.empty()) return row.detail;
    return row.detail.empty() ? row.why : row.why + "; " + row.detail;
}

/// An arrow, or a bow where somebody sends to itself. One that is lost ends in a cross before it is there.
void draw_arrow(Markup& svg, const LadderRow& row, const Grid& grid, int y) {
    const int from = grid.at(row.from), to = grid.at(row.to);
    if (row.from == row.to) {
        svg.put("<path class=\"shaft\" d=\"M{},{} h34 v8 h-26\"/><path class=\"head\" d=\"M{},{} l8,-4 v8 z\"/>\n",
                from, y - 4, from, y + 4);
        return;
    }
    const int way = to > from ? 1 : -1;
    const int end = row.lost ? to - way * std::min(70, grid.apart / 3) : to - way * 8;
    svg.put("<path class=\"shaft\" d=\"M{},{} H{}\"/>", from, y, end);
    if (row.lost) {
        svg.put("<path class=\"cross\" d=\"M{},{} l10,10 m0,-10 l-10,10\"/>\n", end - 5, y - 5);
    } else {
        svg.put("<path class=\"head\" d=\"M{},{} l{},-4.5 v9 z\"/>\n", to, y, -9 * way);
    }
}

void draw_row(Markup& svg, const LadderRow& row, const Grid& grid, int top, std::int64_t start_ns) {
    const int y = top + 20;
    svg.put("<g class=\"row {}{}{}\"><title>{}</title>\n", word_of(row.kind), row.lost ? " lost" : "",
            row.evidence ? " evidence" : "", label_of(row) + (beneath(row).empty() ? "" : ": " + beneath(row)));
    if (row.evidence)
        svg.put("<rect class=\"mark\" x=\"2\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"4\"/>", top + 2,
                grid.width() - 4, height_of(row) - 2);
    svg.put(
        "<text class=\"when\" x=\"76\" y=\"{}\" text-anchor=\"end\">{}</text>"
        "<text class=\"frame\" x=\"138\" y=\"{}\" text-anchor=\"end\">#{}</text>\n",
        y + 4, seconds(row.time_ns - start_ns), y + 4, row.frame);
    draw_arrow(svg, row, grid, y);
    const bool bow = row.from == row.to;
    const int left = grid.at(std::min(row.from, row.to)), right = grid.at(std::max(row.from, row.to));
    const int room = bow ? grid.apart - 50 : right - left - 24;
    const auto letters = static_cast<std::size_t>(std::max(room / letter, 8));
    const int x = bow ? left + 42 : (left + right) / 2;
    const char* anchor = bow ? "start" : "middle";
    const std::string name = label_of(row);
    svg.put("<text class=\"what\" x=\"{}\" y=\"{}\" text-anchor=\"{}\">{}</text>\n", x, bow ? y + 4 : y - 6, anchor,
            name.size() <= letters
                ? name
                : cut(row.what, letters - 5) + (row.copies > 1 ? " ×" + std::to_string(row.copies) : ""));
    if (const std::string text = beneath(row); !text.empty())
        svg.put("<text class=\"detail\" x=\"{}\" y=\"{}\" text-anchor=\"{}\">{}</text>\n", x, y + (bow ? 19 : 15),
                anchor, cut(text, letters + letters / 6));
    svg.put("</g>\n");
}

void draw_hosts(Markup& svg, const Ladder& ladder, const Grid& grid, int height) {
    for (std::size_t i = 0; i < ladder.hosts.size(); ++i) {
        const LadderHost& host = ladder.hosts[i];
        const int x = grid.at(i);
        svg.put(
            "<g class=\"host\"><text class=\"role\" x=\"{}\" y=\"18\" text-anchor=\"middle\">{}</text>"
            "<text class=\"name\" x=\"{}\" y=\"36\" text-anchor=\"middle\">{}</text>"
            "<path class=\"life\" d=\"M{},{} V{}\"/></g>\n",
            x, host.role, x, host.name, x, head - 10, height - 4);
    }
}

}  // namespace

Markup ladder_picture(const Ladder& ladder, std::string_view id, std::int64_t start_ns) {
    const Grid grid = grid_of(ladder);
    int height = head + tail;
    for (const LadderRow& row : ladder.rows) height += height_of(row);
    if (ladder.left_out > 0) height += row_height;
    Markup svg;
    svg.put(
        "<svg class=\"ladder\" role=\"img\" aria-labelledby=\"{}-t {}-d\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {} "
        "{}\">"
        "<title id=\"{}-t\">Messages between the hosts</title>"
        "<desc id=\"{}-d\">{} between {}. The same is in the table of messages below.</desc>\n",
        id, id, grid.width(), height, grid.width(), height, id, id, counted(ladder.rows.size(), "arrow"),
        counted(ladder.hosts.size(), "host"));
    draw_hosts(svg, ladder, grid, height);
    int top = head;
    for (const LadderRow& row : ladder.rows) {
        draw_row(svg, row, grid, top, start_ns);
        top += height_of(row);
    }
    if (ladder.left_out > 0)
        svg.put("<text class=\"more\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">… {} more</text>\n",
                (grid.at(0) + grid.width() - margin) / 2, top + 20, grouped(ladder.left_out));
    return svg.put("</svg>\n");
}

Markup ladder_table(const Ladder& ladder, std::int64_t start_ns) {
    Markup rows;
    for (const LadderRow& row : ladder.rows) {
        const std::string again =
            row.copies > 1 ? std::to_string(row.copies) + " times, until " + seconds(row.last_ns - start_ns) : "";
        rows.put(
            "<tr{}><td class=\"n\">{}</td><td "
            "class=\"n\">{}</td><td>{}</td><td>{}</td><td>{}{}{}</td><td>{}</td><td>{}</td></tr>\n",
            row.lost ? Markup().put(" class=\"lost\"") : Markup(), row.frame, seconds(row.time_ns - start_ns),
            ladder.hosts[row.from].name, ladder.hosts[row.to].name, row.what, again.empty() ? "" : ", ", again,
            row.detail, row.why);
    }
    return Markup().put(
        "<table><thead><tr><th class=\"n\">Frame</th><th class=\"n\">Time</th><th>From</th><th>To</th><th>Message</th>"
        "<th>Says</th><th>Lost</th></tr></thead>\n<tbody>{}</tbody></table>\n",
        rows);
}

}  // namespace natkit::html
