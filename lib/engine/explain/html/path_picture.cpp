#include "natkit/engine/explain/html/path_picture.hpp"

#include <algorithm>
#include <cmath>

#include "natkit/base/text.hpp"

namespace natkit::html {
namespace {

using explain::MediaPath;
using explain::PathNode;
using explain::PathRelay;

// All in pixels.
constexpr int margin = 24, least_width = 216, box_height = 84, gap = 44, title_height = 34, track = 34, legend = 130;
constexpr int path_height = title_height + box_height + 2 * track + 34;

constexpr const char* ink = "#263238";
constexpr const char* grey = "#90a4ae";
constexpr const char* red = "#c62828";
constexpr const char* green = "#2e7d32";

std::string count(std::size_t number, const char* what) {
    return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

std::string rate(double per_second) {
    return std::to_string(std::llround(per_second)) + " packets a second";
}

std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        switch (c) {
            case '&': result += "&amp;"; break;
            case '<': result += "&lt;"; break;
            case '>': result += "&gt;"; break;
            case '"': result += "&quot;"; break;
            default: result += c;
        }
    }
    return result;
}

std::string number(int value) {
    return std::to_string(value);
}

std::string line(int x1, int y1, int x2, int y2, const char* colour, int width, const char* more = "") {
    return "<line x1=\"" + number(x1) + "\" y1=\"" + number(y1) + "\" x2=\"" + number(x2) + "\" y2=\"" + number(y2) +
           "\" stroke=\"" + colour + "\" stroke-width=\"" + number(width) + "\"" + more + "/>\n";
}

std::string label(int x, int y, std::string_view text, const char* colour, const char* more = "") {
    return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" fill=\"" + colour + "\"" + more + ">" +
           escaped(text) + "</text>\n";
}

std::string dot(int x, int y, const char* colour) {
    return "<circle cx=\"" + number(x) + "\" cy=\"" + number(y) + "\" r=\"6\" fill=\"" + colour + "\"/>\n";
}

const char* fill_of(nat::Place place) {
    return place == nat::Place::lan ? "#dbe9ff" : place == nat::Place::wan ? "#ddf4e0" : "#fff0cc";
}

/// Where the boxes are: as wide as the longest line in any of them needs, an IPv6 endpoint for example.
struct Grid {
    int width = least_width;

    [[nodiscard]] int left(std::size_t node) const { return margin + legend + static_cast<int>(node) * (width + gap); }
    [[nodiscard]] int centre(std::size_t node) const { return left(node) + width / 2; }
};

std::string head_of(const PathNode& node) {
    std::string head = node.relay ? "relaying host, " : node.media ? "" : "proxy, ";
    head += nat::to_string(node.place);
    if (node.visit > 1) head += ", visit " + number(static_cast<int>(node.visit));
    return head;
}

std::string media_of(const PathNode& node) {
    return "media " + to_string(*node.media);
}

Grid grid_of(const std::vector<MediaPath>& paths) {
    constexpr int letter = 8;  // of 13 px sans-serif, rather too much
    std::size_t longest = 0;
    for (const MediaPath& path : paths) {
        for (const PathNode& node : path.nodes) {
            longest = std::max({longest, head_of(node).size(), addresses(node).size()});
            if (node.media) longest = std::max(longest, media_of(node).size());
            if (!node.relay) continue;
            for (const Endpoint& end : {node.relay->towards_caller, node.relay->towards_callee})
                longest = std::max(longest, to_string(end).size() + 2);
        }
    }
    return {.width = std::max(least_width, 24 + letter * static_cast<int>(longest))};
}

std::string box(const PathNode& node, const Grid& grid, std::size_t i, int top) {
    const bool superfluous = node.relay && !needed(*node.relay);
    std::string svg = "<rect x=\"" + number(grid.left(i)) + "\" y=\"" + number(top) + "\" width=\"" +
                      number(grid.width) + "\" height=\"" + number(box_height) + "\" rx=\"8\" fill=\"" +
                      fill_of(node.place) + "\" stroke=\"" + (superfluous ? red : ink) + "\"" +
                      (superfluous ? " stroke-dasharray=\"6 4\"" : "") + "/>\n";
    const int x = grid.left(i) + 12;
    svg += label(x, top + 20, head_of(node), ink, " font-weight=\"bold\"");
    svg += label(x, top + 38, addresses(node), ink);
    if (node.media) svg += label(x, top + 60, media_of(node), ink);
    if (node.relay) {
        svg += label(x, top + 58, "⇠ " + to_string(node.relay->towards_caller),
                     node.relay->caller_side_needed ? green : red);
        svg += label(x, top + 75, "⇢ " + to_string(node.relay->towards_callee),
                     node.relay->callee_side_needed ? green : red);
    }
    return svg;
}

/// The media as they go, through every relay, and as they would do.
std::string tracks(const MediaPath& path, const Grid& grid, int top) {
    const int now = top + box_height + track, then = now + track;
    const int from = grid.centre(0), to = grid.centre(path.nodes.size() - 1);
    std::string svg = label(margin, now + 4, "media now", path.collapsible() ? red : ink);
    svg += line(from, now, to, now, path.collapsible() ? red : ink, 3);
    if (path.collapsible()) {
        svg += label(margin, then + 4, "needed", green) + line(from, then, to, then, green, 3);
    }
    for (std::size_t i = 0; i < path.nodes.size(); ++i) {
        const PathNode& node = path.nodes[i];
        if (!node.media && !node.relay) continue;
        svg += line(grid.centre(i), top + box_height, grid.centre(i), now, grey, 1, " stroke-dasharray=\"2 3\"");
        svg += dot(grid.centre(i), now, node.relay && !needed(*node.relay) ? red : ink);
        if (path.collapsible() && (node.media || needed(*node.relay))) svg += dot(grid.centre(i), then, green);
    }
    return svg;
}

std::string drawn(const MediaPath& path, const Grid& grid, int top) {
    std::string title = text::printable(path.kind, 16) + " of " + text::printable(path.call_ids.front(), 60);
    if (path.call_ids.size() > 1)
        title += " and " + number(static_cast<int>(path.call_ids.size()) - 1) + " more Call-IDs";
    std::string svg = label(margin, top + 18, title + ": " + summary(path), path.collapsible() ? red : ink,
                            " font-size=\"15\" font-weight=\"bold\"");
    const int boxes = top + title_height;
    svg += label(margin, boxes + box_height / 2 + 4, "signalling", ink);
    for (std::size_t i = 0; i + 1 < path.nodes.size(); ++i) {
        svg += line(grid.left(i) + grid.width, boxes + box_height / 2, grid.left(i + 1), boxes + box_height / 2, grey,
                    2, " marker-end=\"url(#arrow)\"");
    }
    for (std::size_t i = 0; i < path.nodes.size(); ++i) svg += box(path.nodes[i], grid, i, boxes);
    return svg + tracks(path, grid, boxes);
}

}  // namespace

bool needed(const PathRelay& relay) {
    return relay.caller_side_needed || relay.callee_side_needed;
}

std::string addresses(const PathNode& node) {
    std::string all;
    for (const IpAddress& address : node.addresses) all += (all.empty() ? "" : ", ") + to_string(address);
    return all;
}

std::string summary(const MediaPath& path) {
    std::string text = path.loop ? "a loop: " : "";
    if (path.relays == 0) return text + "no relay";
    text += count(path.relays, "relay");
    if (!path.collapsible()) {
        text += path.relays == 1 ? ", needed" : ", all needed";
    } else {
        text += path.relays_needed == 0 ? ", none needed" : ", " + std::to_string(path.relays_needed) + " needed";
    }
    if (const auto saved = path.saved_per_s()) text += "; " + rate(*saved) + " could be saved";
    return text;
}

std::string to_svg(const std::vector<MediaPath>& paths) {
    std::size_t widest = 1;
    for (const MediaPath& path : paths) widest = std::max(widest, path.nodes.size());
    const Grid grid = grid_of(paths);
    const int width = grid.left(widest - 1) + grid.width + margin;
    const int height = 2 * margin + static_cast<int>(std::max<std::size_t>(paths.size(), 1)) * path_height;
    std::string svg =
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + number(width) + "\" height=\"" + number(height) +
        "\" viewBox=\"0 0 " + number(width) + " " + number(height) +
        "\" font-family=\"sans-serif\" font-size=\"13\">\n"
        "<defs><marker id=\"arrow\" markerWidth=\"8\" markerHeight=\"8\" refX=\"7\" refY=\"4\" orient=\"auto\">"
        "<path d=\"M0,0 L8,4 L0,8 z\" fill=\"#90a4ae\"/></marker></defs>\n"
        "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
    if (paths.empty()) svg += label(margin, margin + 18, "no call with media in this input", ink);
    for (std::size_t i = 0; i < paths.size(); ++i)
        svg += drawn(paths[i], grid, margin + static_cast<int>(i) * path_height);
    return svg + "</svg>\n";
}

}  // namespace natkit::html
