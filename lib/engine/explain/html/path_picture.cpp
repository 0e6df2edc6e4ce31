#include "natkit/engine/explain/html/path_picture.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "natkit/base/text.hpp"

namespace natkit::html {
namespace {

using explain::MediaPath;
using explain::PathNode;
using explain::PathRelay;

// All in pixels.
constexpr int path_margin = 24, least_width = 216, box_height = 84, gap = 44, title_height = 34, track = 34,
              legend = 130;
constexpr int path_height = title_height + box_height + 2 * track + 34;

/// A colour by its name, which a style sheet may give another value, and as it is without one.
struct Colour {
    const char* name;
    const char* value;
};
constexpr Colour ink{.name = "ink", .value = "#263238"};
constexpr Colour grey{.name = "grey", .value = "#90a4ae"};
constexpr Colour red{.name = "red", .value = "#c62828"};
constexpr Colour green{.name = "green", .value = "#2e7d32"};

enum class Weight : std::uint8_t { plain, bold, title };

std::string count(std::size_t number, const char* what) {
    return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

std::string rate(double per_second) {
    return std::to_string(std::llround(per_second)) + " packets a second";
}

void line(Markup& svg, int x1, int y1, int x2, int y2, Colour colour, int width) {
    svg.put("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" class=\"s-{}\" stroke=\"{}\" stroke-width=\"{}\"/>\n", x1,
            y1, x2, y2, colour.name, colour.value, width);
}

void dotted_line(Markup& svg, int x, int y1, int y2) {
    svg.put("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" class=\"s-{}\" stroke=\"{}\" stroke-dasharray=\"2 3\"/>\n",
            x, y1, x, y2, grey.name, grey.value);
}

void arrow(Markup& svg, int x1, int x2, int y) {
    line(svg, x1, y, x2 - 8, y, grey, 2);
    svg.put("<path d=\"M{},{} l-8,-4 v8 z\" class=\"f-{}\" fill=\"{}\"/>\n", x2, y, grey.name, grey.value);
}

void label(Markup& svg, int x, int y, std::string_view text, Colour colour, Weight weight = Weight::plain) {
    svg.put("<text x=\"{}\" y=\"{}\" class=\"f-{}\" fill=\"{}\"", x, y, colour.name, colour.value);
    if (weight != Weight::plain) svg.put(" font-weight=\"bold\"");
    if (weight == Weight::title) svg.put(" font-size=\"15\"");
    svg.put(">{}</text>\n", text);
}

void dot(Markup& svg, int x, int y, Colour colour) {
    svg.put("<circle cx=\"{}\" cy=\"{}\" r=\"6\" class=\"f-{}\" fill=\"{}\"/>\n", x, y, colour.name, colour.value);
}

Colour fill_of(nat::Place place) {
    if (place == nat::Place::lan) return {.name = "lan", .value = "#dbe9ff"};
    if (place == nat::Place::wan) return {.name = "wan", .value = "#ddf4e0"};
    return {.name = "far", .value = "#fff0cc"};
}

/// Where the boxes are: as wide as the longest line in any of them needs, an IPv6 endpoint for example.
struct PathGrid {
    int width = least_width;

    [[nodiscard]] int left(std::size_t node) const {
        return path_margin + legend + static_cast<int>(node) * (width + gap);
    }
    [[nodiscard]] int centre(std::size_t node) const { return left(node) + width / 2; }
};

std::string head_of(const PathNode& node) {
    std::string head = node.relay ? "relaying host, " : node.media ? "" : "proxy, ";
    head += nat::to_string(node.place);
    if (node.visit > 1) head += ", visit " + std::to_string(node.visit);
    return head;
}

std::string media_of(const PathNode& node) {
    return "media " + to_string(*node.media);
}

PathGrid grid_of(const std::vector<MediaPath>& paths) {
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

void box(Markup& svg, const PathNode& node, const PathGrid& grid, std::size_t i, int top) {
    const bool superfluous = node.relay && !needed(*node.relay);
    const Colour edge = superfluous ? red : ink;
    const Colour fill = fill_of(node.place);
    svg.put("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"8\" class=\"f-{} s-{}\" fill=\"{}\" stroke=\"{}\"",
            grid.left(i), top, grid.width, box_height, fill.name, edge.name, fill.value, edge.value);
    if (superfluous) svg.put(" stroke-dasharray=\"6 4\"");
    svg.put("/>\n");
    const int x = grid.left(i) + 12;
    label(svg, x, top + 20, head_of(node), ink, Weight::bold);
    label(svg, x, top + 38, addresses(node), ink);
    if (node.media) label(svg, x, top + 60, media_of(node), ink);
    if (node.relay) {
        label(svg, x, top + 58, "⇠ " + to_string(node.relay->towards_caller),
              node.relay->caller_side_needed ? green : red);
        label(svg, x, top + 75, "⇢ " + to_string(node.relay->towards_callee),
              node.relay->callee_side_needed ? green : red);
    }
}

/// The media as they go, through every relay, and as they would do.
void tracks(Markup& svg, const MediaPath& path, const PathGrid& grid, int top) {
    const int now = top + box_height + track, then = now + track;
    const int from = grid.centre(0), to = grid.centre(path.nodes.size() - 1);
    const Colour colour = path.collapsible() ? red : ink;
    label(svg, path_margin, now + 4, "media now", colour);
    line(svg, from, now, to, now, colour, 3);
    if (path.collapsible()) {
        label(svg, path_margin, then + 4, "needed", green);
        line(svg, from, then, to, then, green, 3);
    }
    for (std::size_t i = 0; i < path.nodes.size(); ++i) {
        const PathNode& node = path.nodes[i];
        if (!node.media && !node.relay) continue;
        dotted_line(svg, grid.centre(i), top + box_height, now);
        dot(svg, grid.centre(i), now, node.relay && !needed(*node.relay) ? red : ink);
        if (path.collapsible() && (node.media || needed(*node.relay))) dot(svg, grid.centre(i), then, green);
    }
}

void draw(Markup& svg, const MediaPath& path, const PathGrid& grid, int top) {
    std::string title = text::printable(path.kind, 16) + " of " + text::printable(path.call_ids.front(), 60);
    if (path.call_ids.size() > 1) title += " and " + std::to_string(path.call_ids.size() - 1) + " more Call-IDs";
    label(svg, path_margin, top + 18, title + ": " + summary(path), path.collapsible() ? red : ink, Weight::title);
    const int boxes = top + title_height;
    label(svg, path_margin, boxes + box_height / 2 + 4, "signalling", ink);
    for (std::size_t i = 0; i + 1 < path.nodes.size(); ++i)
        arrow(svg, grid.left(i) + grid.width, grid.left(i + 1), boxes + box_height / 2);
    for (std::size_t i = 0; i < path.nodes.size(); ++i) box(svg, path.nodes[i], grid, i, boxes);
    tracks(svg, path, grid, boxes);
}

/// "far end 198.51.100.7, a relay at 203.0.113.5, WAN 203.0.113.20; 1 relay, needed"
std::string in_words(const MediaPath& path) {
    std::string words;
    for (const PathNode& node : path.nodes)
        words += (words.empty() ? "" : ", ") + std::string(node.relay ? "a relay at " : nat::to_string(node.place)) +
                 (node.relay ? "" : " ") + addresses(node);
    return words + "; " + summary(path);
}

/// Without the lower track there is nothing to draw it for.
int height_of(const MediaPath& path) {
    return path.collapsible() ? path_height : path_height - track;
}

/// All of them beneath each other, and how large that is.
struct Picture {
    Markup shapes;
    int width = 0, height = 0;
};

Picture drawn(const std::vector<MediaPath>& paths) {
    std::size_t widest = 1;
    for (const MediaPath& path : paths) widest = std::max(widest, path.nodes.size());
    const PathGrid grid = grid_of(paths);
    Picture picture{.shapes = {},
                    .width = grid.left(widest - 1) + grid.width + path_margin,
                    .height = paths.empty() ? 4 * path_margin : path_margin};
    for (const MediaPath& path : paths) {
        draw(picture.shapes, path, grid, picture.height);
        picture.height += height_of(path);
    }
    return picture;
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
    Picture picture = drawn(paths);
    if (paths.empty()) label(picture.shapes, path_margin, path_margin + 18, "no call with media in this input", ink);
    return Markup()
        .put(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {} {}\" "
            "font-family=\"sans-serif\" font-size=\"13\">\n"
            "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{}</svg>\n",
            picture.width, picture.height, picture.width, picture.height, picture.shapes)
        .str();
}

Markup path_figure(const std::vector<MediaPath>& paths, std::string_view id) {
    const Picture picture = drawn(paths);
    std::string words;
    for (const MediaPath& path : paths) words += (words.empty() ? "" : ". ") + path.kind + ": " + in_words(path);
    return Markup().put(
        "<svg class=\"paths\" role=\"img\" aria-labelledby=\"{}-t {}-d\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {} "
        "{}\">"
        "<title id=\"{}-t\">The way of the media</title><desc id=\"{}-d\">{}</desc>\n{}</svg>\n",
        id, id, picture.width, picture.height, picture.width, picture.height, id, id, words, picture.shapes);
}

}  // namespace natkit::html
