#include "natkit/relay/reservation.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "natkit/base/text.hpp"

namespace natkit::relay {
namespace {

/// One entry: "8080" or "16384-32767". Zero is a port here as any other.
std::optional<PortRange> read_entry(std::string_view entry) {
    const auto dash = entry.find('-');
    const auto first = text::parse_number(text::trim(entry.substr(0, dash)), 65535);
    const auto last =
        dash == std::string_view::npos ? first : text::parse_number(text::trim(entry.substr(dash + 1)), 65535);
    if (!first || !last || *first > *last) return std::nullopt;
    return PortRange{static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)};
}

/// Sorted, neighbours joined.
std::vector<PortRange> joined(std::vector<PortRange> ranges) {
    std::ranges::sort(ranges, {}, &PortRange::first);
    std::vector<PortRange> result;
    for (const PortRange& range : ranges) {
        if (!result.empty() && range.first <= result.back().last + 1) {
            result.back().last = std::max(result.back().last, range.last);
        } else {
            result.push_back(range);
        }
    }
    return result;
}

std::optional<std::vector<PortRange>> read_list(std::string_view list) {
    std::vector<PortRange> ranges;
    std::string_view rest = text::trim(list);
    while (!rest.empty()) {
        const auto comma = rest.find(',');
        const auto range = read_entry(rest.substr(0, comma));
        if (!range) return std::nullopt;
        ranges.push_back(*range);
        rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
    return joined(std::move(ranges));
}

}  // namespace

bool holds_range(std::string_view list, PortRange range) {
    const auto ranges = read_list(list);
    return ranges && std::ranges::any_of(*ranges, [&](const PortRange& each) {
               return each.first <= range.first && range.last <= each.last;
           });
}

std::string with_range(std::string_view list, PortRange range) {
    auto ranges = read_list(list);
    if (!ranges || holds_range(list, range)) return std::string(text::trim(list));
    ranges->push_back(range);
    std::string result;
    for (const PortRange& each : joined(std::move(*ranges))) {
        if (!result.empty()) result += ',';
        result += std::to_string(each.first);
        if (each.last != each.first) result += "-" + std::to_string(each.last);
    }
    return result;
}

}  // namespace natkit::relay
