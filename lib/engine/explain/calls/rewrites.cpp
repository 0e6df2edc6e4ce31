#include "natkit/engine/explain/rewrites.hpp"

#include <algorithm>

#include "natkit/base/text.hpp"
#include "natkit/engine/explain/calls.hpp"

namespace natkit::explain {
namespace {

constexpr std::size_t most_compared = 4;
constexpr std::size_t most_rewrites = 2;
constexpr std::size_t most_changed = 8;
constexpr std::size_t longest_compared = 4096;
constexpr std::size_t longest_changed = 120;
constexpr std::int64_t way_through_ns = 200'000'000;  ///< a machine that forwards

/// What a line is about: the name of a header field, "SDP c=", "SDP a=rtpmap".
std::string subject(std::string_view line, bool body) {
    if (!body) return std::string(text::trim(line.substr(0, line.find(':'))));
    const std::size_t end =
        line.starts_with("a=") ? line.find_first_of(":\r\n") : std::min<std::size_t>(line.size(), 2);
    return "SDP " + text::printable(line.substr(0, end), 40);
}

struct Line {
    std::string subject;
    std::string_view text;
};

/// The start line is not among them: a request goes to another URI behind a NAT that was forwarded.
std::vector<Line> lines_of(std::string_view message) {
    std::vector<Line> lines;
    bool body = false;
    for (std::size_t at = message.find('\n'); at != std::string_view::npos && at + 1 < message.size();) {
        const std::size_t end = message.find('\n', at + 1);
        std::string_view line = message.substr(at + 1, end == std::string_view::npos ? end : end - at - 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        at = end;
        if (line.empty() && !body) {
            body = true;
        } else if (!line.empty()) {
            lines.push_back({.subject = subject(line, body), .text = line});
        }
    }
    return lines;
}

/// Lines of the first that the second has not, each as often as it is there.
std::vector<Line> without(const std::vector<Line>& all, std::vector<Line> others) {
    std::vector<Line> left;
    for (const Line& line : all) {
        const auto same = std::ranges::find(others, line.text, &Line::text);
        if (same == others.end()) {
            left.push_back(line);
        } else {
            others.erase(same);
        }
    }
    return left;
}

/// The line without its subject.
std::string value_of(const Line& line) {
    const std::size_t start = line.text.find_first_of(":=");
    std::string_view value = start == std::string_view::npos ? line.text : line.text.substr(start + 1);
    if (line.subject.starts_with("SDP a=")) value = line.text.substr(2);
    return text::printable(text::trim(value), longest_changed);
}

}  // namespace

std::vector<diagnose::Rewrite::Line> changed_lines(std::string_view before, std::string_view after) {
    const std::vector<Line> first = lines_of(before), second = lines_of(after);
    std::vector<Line> gone = without(first, second), come = without(second, first);
    std::vector<diagnose::Rewrite::Line> changes;
    for (const Line& line : gone) {
        const auto instead = std::ranges::find(come, line.subject, &Line::subject);
        const std::string now = instead == come.end() ? std::string() : value_of(*instead);
        if (instead != come.end()) come.erase(instead);
        if (changes.size() < most_changed)
            changes.push_back({.subject = line.subject, .before = value_of(line), .after = now});
    }
    for (const Line& line : come) {
        if (changes.size() < most_changed)
            changes.push_back({.subject = line.subject, .before = {}, .after = value_of(line)});
    }
    return changes;
}

void RewriteFinder::on_message(diagnose::Call& call, const MessageSeen& seen) {
    const sip::Message& message = seen.message;
    const auto& cseq = message.cseq();
    const bool whole =
        !seen.copy && !seen.incomplete && !seen.arrival.cut && message.bytes().size() <= longest_compared;
    if (!whole || !cseq || cseq->method != "INVITE" || !seen.facts.via || seen.facts.via->branch.empty()) return;
    if (seen.facts.descriptions.empty() || !seen.arrival.destination || call.rewrites.size() >= most_rewrites) return;
    const std::string key = std::to_string(message.status()) + " " + std::to_string(cseq->number) + " " +
                            std::to_string(seen.facts.via_count) + " " + std::string(seen.facts.via->branch);
    for (const Kept& old : kept_) {
        const bool elsewhere = old.source != seen.arrival.source || old.destination != *seen.arrival.destination;
        const std::int64_t apart = seen.time_ns - old.time_ns;
        if (old.key != key || !elsewhere || apart < 0 || apart > way_through_ns) continue;
        auto changes = changed_lines(old.text, message.bytes());
        if (!changes.empty())
            call.rewrites.push_back({.before = old.frame,
                                     .after = seen.frame,
                                     .source = old.source,
                                     .source_after = seen.arrival.source,
                                     .request = message.is_request(),
                                     .status = message.status(),
                                     .lines = std::move(changes)});
        return;
    }
    if (kept_.size() >= most_compared) kept_.erase(kept_.begin());
    kept_.push_back({.key = key,
                     .text = std::string(message.bytes()),
                     .source = seen.arrival.source,
                     .destination = *seen.arrival.destination,
                     .frame = seen.frame,
                     .time_ns = seen.time_ns});
}

std::size_t RewriteFinder::bytes() const noexcept {
    std::size_t bytes = 0;
    for (const Kept& one : kept_) bytes += sizeof one + one.key.size() + one.text.size();
    return bytes;
}

}  // namespace natkit::explain
