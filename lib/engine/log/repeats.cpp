#include "repeats.hpp"

#include <functional>

namespace natkit::log {

Repeats::Verdict Repeats::on_line(std::string_view line, Time now) {
    const std::uint64_t hash = std::hash<std::string_view>()(line);
    Slot& slot = slots_[hash % slots_.size()];
    const bool same = slot.hash == hash && slot.count > 0;
    const bool over = now < slot.since || now - slot.since >= window;
    if (!same || over) {
        Verdict verdict;
        if (same && slot.count > free_lines) {
            verdict.summary = "the next line came " + std::to_string(slot.count - free_lines) + " more times";
        }
        slot = {.hash = hash, .since = now, .count = 1};
        return verdict;
    }
    ++slot.count;
    return {.write = slot.count <= free_lines, .summary = {}};
}

}  // namespace natkit::log
