#include "looptrace/drawing.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "natkit/base/text.hpp"
#include "natkit/engine/explain/html/path_picture.hpp"

namespace natkit::looptrace {
namespace {

using explain::MediaPath;
using explain::PathNode;
using explain::PathRelay;
using html::addresses;
using html::needed;
using html::summary;

std::string count(std::size_t number, const char* what) {
    return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

std::string painted(const std::string& text, const char* code, bool colour) {
    return colour ? std::string("\x1b[") + code + "m" + text + "\x1b[0m" : text;
}

std::string padded(std::string text, std::size_t width) {
    if (text.size() < width) text.append(width - text.size(), ' ');
    return text;
}

const char* colour_of(nat::Place place) {
    return place == nat::Place::lan ? "34" : place == nat::Place::wan ? "32" : "33";
}

std::string relay_word(const PathRelay& relay) {
    if (relay.caller_side_needed && relay.callee_side_needed) return "needed";
    if (relay.caller_side_needed) return "its callee side is superfluous";
    return relay.callee_side_needed ? "its caller side is superfluous" : "superfluous";
}

/// Text inside a quoted string of DOT.
std::string quoted(const std::string& text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') result += '\\';
        result += c;
    }
    return result + "\"";
}

}  // namespace

nlohmann::ordered_json to_json(const MediaPath& path) {
    nlohmann::ordered_json json = {{"type", "path"}};
    json["call_ids"] = path.call_ids;
    if (path.frame != 0) json["frame"] = path.frame;
    json["stream"] = path.stream;
    json["kind"] = path.kind;
    json["hops"] = nlohmann::ordered_json::array();
    for (const PathNode& node : path.nodes) {
        nlohmann::ordered_json hop = {{"place", nat::to_string(node.place)}};
        hop["addresses"] = nlohmann::ordered_json::array();
        for (const IpAddress& address : node.addresses) hop["addresses"].push_back(to_string(address));
        if (node.media) hop["media"] = to_string(*node.media);
        if (node.visit > 1) hop["visit"] = node.visit;
        if (node.relay) {
            hop["relay"] = {{"towards_caller", to_string(node.relay->towards_caller)},
                            {"towards_callee", to_string(node.relay->towards_callee)},
                            {"caller_side_needed", node.relay->caller_side_needed},
                            {"callee_side_needed", node.relay->callee_side_needed}};
        }
        json["hops"].push_back(std::move(hop));
    }
    json["loop"] = path.loop;
    json["relays"] = path.relays;
    json["relays_needed"] = path.relays_needed;
    json["collapsible"] = path.collapsible();
    if (path.packets_per_s) json["packets_per_s"] = std::round(*path.packets_per_s * 10) / 10;
    if (const auto saved = path.saved_per_s()) json["saved_packets_per_s"] = std::round(*saved * 10) / 10;
    return json;
}

nlohmann::ordered_json to_json(const Circle& circle) {
    return {{"type", "circle"},
            {"from", to_string(circle.from)},
            {"to", to_string(circle.to)},
            {"packets", circle.packets},
            {"repeats", circle.repeats}};
}

std::string to_text(const MediaPath& path, bool colour) {
    std::string text = painted(text::printable(path.kind, 16) + " of call", "1", colour);
    for (const std::string& id : path.call_ids) text += " " + painted(text::printable(id, 60), "1", colour);
    if (path.frame != 0) text += ", frame " + std::to_string(path.frame);
    text += ": " + painted(summary(path), path.collapsible() ? "31" : "32", colour) + "\n";
    for (std::size_t i = 0; i < path.nodes.size(); ++i) {
        const PathNode& node = path.nodes[i];
        if (i > 0) text += painted("    │\n", "2", colour);
        text += "  " + painted(padded(nat::to_string(node.place), 8), colour_of(node.place), colour) +
                padded(addresses(node), 34);
        if (node.media) text += "  media " + to_string(*node.media);
        if (node.visit > 1) text += "  visit " + std::to_string(node.visit);
        if (node.relay) {
            text += "  relay " + to_string(node.relay->towards_caller) + " ⇄ " + to_string(node.relay->towards_callee) +
                    "  " + painted(relay_word(*node.relay), needed(*node.relay) ? "32" : "31", colour);
        }
        while (text.back() == ' ') text.pop_back();
        text += "\n";
    }
    return text + "\n";
}

std::string to_text(const Circle& circle, bool colour) {
    return painted("RTP in a circle", "31", colour) + " from " + to_string(circle.from) + " to " +
           to_string(circle.to) + ": " + std::to_string(circle.repeats) + " of " + count(circle.packets, "packet") +
           " had been there before\n";
}

std::string to_dot(const std::vector<MediaPath>& paths) {
    std::string dot =
        "digraph paths {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n";
    for (std::size_t p = 0; p < paths.size(); ++p) {
        const MediaPath& path = paths[p];
        dot += "  subgraph cluster_" + std::to_string(p) + " {\n    label=" +
               quoted(text::printable(path.kind + " of " + path.call_ids.front(), 80) + ": " + summary(path)) + ";\n";
        for (std::size_t i = 0; i < path.nodes.size(); ++i) {
            const PathNode& node = path.nodes[i];
            const std::string name = "p" + std::to_string(p) + "n" + std::to_string(i);
            std::string label = std::string(nat::to_string(node.place)) + "\\n" + addresses(node);
            if (node.media) label += "\\nmedia " + to_string(*node.media);
            if (node.relay)
                label +=
                    "\\nrelay " + to_string(node.relay->towards_caller) + " - " + to_string(node.relay->towards_callee);
            const char* fill = node.place == nat::Place::lan   ? "#dbe9ff"
                               : node.place == nat::Place::wan ? "#ddf4e0"
                                                               : "#fff0cc";
            dot += "    " + name + " [label=\"" + label + "\", fillcolor=\"" + fill + "\"";
            if (node.relay && !needed(*node.relay)) dot += ", color=\"#c62828\", style=\"rounded,filled,dashed\"";
            dot += "];\n";
            if (i > 0) dot += "    p" + std::to_string(p) + "n" + std::to_string(i - 1) + " -> " + name + ";\n";
        }
        dot += "  }\n";
    }
    return dot + "}\n";
}

}  // namespace natkit::looptrace
