#include "repeats.hpp"

#include <functional>

namespace natkit::log {

bool Repeats::over(const Slot& slot, Time now) noexcept {
    return now < slot.since || now - slot.since >= window;  // a clock that was set back ends it too
}

/// Empties a slot; what it held back is owed.
void Repeats::summarise(Slot& slot, std::vector<Line>& owed) {
    if (slot.count > free_lines) {
        slot.line.text = "came " + std::to_string(slot.count - free_lines) + " more times: " + slot.line.text;
        owed.push_back(std::move(slot.line));
    }
    slot = {};
}

bool Repeats::on_line(const char* tag, LogLevel level, std::string_view text, Time now, std::vector<Line>& owed) {
    const std::uint64_t hash = std::hash<std::string_view>()(text);
    Slot& slot = slots_[hash % slots_.size()];
    if (slot.count == 0 || slot.hash != hash || over(slot, now)) {
        summarise(slot, owed);
        slot = {.hash = hash, .since = now, .count = 1, .line = {}};
        return true;
    }
    if (++slot.count <= free_lines) return true;
    if (slot.count == free_lines + 1) slot.line = {.tag = tag, .level = level, .text = std::string(text)};
    return false;
}

std::vector<Repeats::Line> Repeats::owed(Time now, bool all) {
    std::vector<Line> lines;
    for (Slot& slot : slots_) {
        if (slot.count > free_lines && (all || over(slot, now))) summarise(slot, lines);
    }
    return lines;
}

}  // namespace natkit::log
