#include "natkit/relay/nic.hpp"

#include <algorithm>
#include <cstdint>

#include "natkit/base/text.hpp"

namespace natkit::relay {
namespace {

/// Fewer tell nothing.
constexpr std::uint64_t enough = 1000;

std::string_view take_word(std::string_view& line) {
    const auto first = line.find_first_not_of(" \t");
    if (first == std::string_view::npos) return line = {};
    const auto end = std::min(line.find_first_of(" \t", first), line.size());
    const std::string_view word = line.substr(first, end - first);
    line.remove_prefix(end);
    return word;
}

std::string_view take_line(std::string_view& text) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

/// "CPU0 CPU2": how they are called, in the order of the columns.
std::vector<std::string_view> columns(std::string_view line) {
    std::vector<std::string_view> names;
    for (auto word = take_word(line); word.starts_with("CPU"); word = take_word(line)) names.push_back(word);
    return names;
}

}  // namespace

std::optional<std::string> receive_bottleneck(const Nic& nic, std::string_view interrupts) {
    const auto cpus = columns(take_line(interrupts));
    if (cpus.size() < 2 || nic.spread || nic.receive_queues == 0) return std::nullopt;
    if (nic.receive_queues == 1) return nic.name + " has one receive queue: one CPU receives all its packets";
    std::vector<std::uint64_t> counts(cpus.size());
    while (!interrupts.empty()) {
        std::string_view line = take_line(interrupts);
        std::string_view number = take_word(line);
        if (!number.ends_with(':')) continue;
        number.remove_suffix(1);
        const auto irq = text::parse_number(number, 1U << 30);
        if (!irq || std::ranges::find(nic.interrupts, static_cast<unsigned>(*irq)) == nic.interrupts.end()) continue;
        for (std::uint64_t& count : counts) count += text::parse_number(take_word(line), ~0U).value_or(0);
    }
    std::uint64_t all = 0;
    for (const std::uint64_t count : counts) all += count;
    const auto most = std::ranges::max_element(counts);
    if (all < enough || *most < all - all / 100) return std::nullopt;
    return "all interrupts of " + nic.name + " are on " +
           std::string(cpus[static_cast<std::size_t>(most - counts.begin())]) + ": one CPU receives all its packets";
}

}  // namespace natkit::relay
