#include "natkit/engine/explain/captures/sip_over_tcp.hpp"

#include <algorithm>

#include "natkit/base/text.hpp"
#include "natkit/engine/explain/input.hpp"

namespace natkit::explain {
namespace {

constexpr std::size_t most_directions = 1024;
constexpr std::size_t most_buffered = 256 * 1024;
constexpr std::size_t most_later = 64;
constexpr std::size_t longest_start = 4096;  ///< of a start line
constexpr std::size_t most_held = 12 * 1024 * 1024;
constexpr std::size_t segment_cost = 64;  ///< of a segment that waits, besides its bytes

std::string_view as_text(std::span<const std::uint8_t> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view without_line_ends(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of("\r\n"), text.size()));
    return text;
}

/// A start line, or what may become one.
bool may_start_message(std::string_view text) {
    text = without_line_ends(text);
    if (text.empty()) return false;
    if (text.find('\n') != std::string_view::npos) return starts_message(text);
    if (text.size() > 4096) return false;
    return text::istarts_with(text, "SIP/2.0 ") ||
           (text.find(" sip") != std::string_view::npos && text[0] >= 'A' && text[0] <= 'Z') ||
           (text.size() < 16 && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; }));
}

/// How far sequence number `a` is ahead of `b`; numbers wrap around.
std::int32_t ahead_of(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::int32_t>(a - b);
}

/// The place of the first line after the one at the start of `text` that starts a message; npos: none does.
std::size_t next_start(std::string_view text) {
    std::size_t feed = text.find('\n');
    while (feed != std::string_view::npos && !starts_message(text.substr(feed + 1))) feed = text.find('\n', feed + 1);
    return feed == std::string_view::npos ? feed : feed + 1;
}

}  // namespace

void SipOverTcp::drop(Directions::iterator direction) {
    bytes_ -= direction->second.bytes();
    directions_.erase(direction);
}

/// Accounts for the bytes a direction holds now, and makes room.
void SipOverTcp::account(Directions::iterator direction, std::size_t before) {
    bytes_ += direction->second.bytes();
    bytes_ -= before;
    while (bytes_ > most_held && !directions_.empty())
        drop(std::ranges::min_element(directions_, {}, [](const auto& entry) { return entry.second.seen.frame; }));
}

SipOverTcp::Direction* SipOverTcp::direction_for(const Key& key, const capture::Datagram& segment) {
    const auto found = directions_.find(key);
    if (found != directions_.end()) return &found->second;
    if (!may_start_message(as_text(segment.payload))) return nullptr;
    if (directions_.size() >= most_directions)
        drop(std::ranges::min_element(directions_, {}, [](const auto& entry) { return entry.second.seen.frame; }));
    Direction& fresh =
        directions_.emplace(key, Direction{.next = segment.sequence, .seen = segment.seen}).first->second;
    bytes_ += fresh.bytes();
    return &fresh;
}

bool SipOverTcp::append(Direction& direction, std::uint32_t sequence, std::string_view bytes) {
    const std::int32_t ahead = ahead_of(sequence, direction.next);
    if (ahead > 0) {
        if (direction.later.size() >= most_later || static_cast<std::uint32_t>(ahead) > most_buffered ||
            direction.waiting + bytes.size() > most_buffered)
            return false;
        if (direction.later.emplace(sequence, bytes).second) direction.waiting += bytes.size() + segment_cost;
        return true;
    }
    const auto old = static_cast<std::size_t>(-static_cast<std::int64_t>(ahead));
    if (old >= bytes.size()) return true;  // sent again
    bytes.remove_prefix(old);
    direction.buffer.append(bytes);
    direction.next += static_cast<std::uint32_t>(bytes.size());
    join_later(direction);
    return true;
}

/// Segments that were ahead and are not any more.
void SipOverTcp::join_later(Direction& direction) {
    while (!direction.later.empty()) {
        const auto due = std::ranges::find_if(
            direction.later, [&](const auto& entry) { return ahead_of(entry.first, direction.next) <= 0; });
        if (due == direction.later.end()) return;
        const std::string_view more = due->second;
        const auto known = static_cast<std::size_t>(-static_cast<std::int64_t>(ahead_of(due->first, direction.next)));
        if (known < more.size()) {
            direction.buffer.append(more.substr(known));
            direction.next += static_cast<std::uint32_t>(more.size() - known);
        }
        direction.waiting -= due->second.size() + segment_cost;
        direction.later.erase(due);
    }
}

/// The segment that is missing will not come: what there is of its message is handed out, and reading goes on behind
/// it.
void SipOverTcp::skip_gap(const Key& key, Direction& direction, const OnMessage& on_message) {
    const std::string_view text = without_line_ends(direction.buffer);
    if (!direction.searching && starts_message(text) && text.find('\n') != std::string_view::npos) {
        on_message({.bytes = std::string(text),
                    .source = key.source,
                    .destination = key.destination,
                    .seen = direction.seen,
                    .cut = true});
    }
    direction.buffer.clear();
    direction.searching = true;
    if (direction.later.empty()) return;
    direction.next = std::ranges::min_element(direction.later, {}, [&](const auto& entry) {
                         return ahead_of(entry.first, direction.next);
                     })->first;
    join_later(direction);
}

/// False when it turns out not to be SIP.
bool SipOverTcp::take_messages(const Key& key, Direction& direction, const OnMessage& on_message) {
    std::size_t at = 0;
    for (;;) {
        const std::string_view rest = std::string_view(direction.buffer).substr(at);
        const std::string_view text = without_line_ends(rest);
        at += rest.size() - text.size();
        if (text.empty()) break;
        if (direction.searching ? !starts_message(text) : !may_start_message(text)) {
            // A gap, or a wrong Content-Length: go on where a message starts.
            const std::size_t start = next_start(text);
            if (start == std::string_view::npos && !direction.searching && !direction.known) return false;
            if (start == std::string_view::npos) {  // the last line may become one
                direction.searching = true;
                const std::size_t feed = text.rfind('\n');
                if (feed != std::string_view::npos) at += feed;
                if (direction.buffer.size() - at > longest_start) at = direction.buffer.size();
                break;
            }
            at += start;
            continue;
        }
        direction.searching = false;
        direction.known = true;
        const auto length = framed_length(text);
        if (!length) break;
        on_message({.bytes = std::string(text.substr(0, *length)),
                    .source = key.source,
                    .destination = key.destination,
                    .seen = direction.seen});
        at += *length;
    }
    direction.buffer.erase(0, at);
    if (direction.buffer.empty()) direction.buffer = std::string();  // and its memory
    return direction.buffer.size() <= most_buffered;
}

/// The receiver has got what the capture lacks.
void SipOverTcp::acknowledge(const capture::Datagram& segment, const OnMessage& on_message) {
    const Key key{.source = segment.destination, .destination = segment.source};
    const auto found = directions_.find(key);
    if (found == directions_.end()) return;
    Direction& direction = found->second;
    if (direction.later.empty() || ahead_of(*segment.acknowledged, direction.next) <= 0) return;
    const std::size_t before = direction.bytes();
    skip_gap(key, direction, on_message);
    const bool good = take_messages(key, direction, on_message);
    account(found, before);
    if (!good) close(key, on_message);
}

/// No more of this direction will come.
void SipOverTcp::close(const Key& key, const OnMessage& on_message) {
    const auto found = directions_.find(key);
    if (found == directions_.end()) return;
    const std::size_t before = found->second.bytes();
    while (!found->second.later.empty()) {
        skip_gap(key, found->second, on_message);
        if (!take_messages(key, found->second, on_message)) break;
    }
    bytes_ -= before;
    directions_.erase(found);
}

void SipOverTcp::on_segment(const capture::Datagram& segment, const OnMessage& on_message) {
    const Key key{.source = segment.source, .destination = segment.destination};
    if (segment.acknowledged) acknowledge(segment, on_message);
    if (segment.syn) return close(key, on_message);
    if (!segment.payload.empty()) {
        Direction* direction = direction_for(key, segment);
        if (direction == nullptr) return;
        const std::size_t before = direction->bytes();
        const std::string_view bytes = as_text(segment.payload);
        const bool starts = starts_message(without_line_ends(bytes));
        const std::int32_t ahead = ahead_of(segment.sequence, direction->next);
        if (starts && ahead < -static_cast<std::int32_t>(4 * most_buffered)) *direction = {.next = segment.sequence};
        if (starts && ahead == 0 && direction->searching) direction->buffer.clear();
        while (!append(*direction, segment.sequence, bytes)) {
            if (direction->later.empty()) {  // too far ahead to be what follows
                skip_gap(key, *direction, on_message);
                direction->next = segment.sequence;
            } else {
                skip_gap(key, *direction, on_message);
                if (!take_messages(key, *direction, on_message)) direction->buffer.clear();
            }
        }
        direction->seen = segment.seen;
        const bool good = take_messages(key, *direction, on_message);
        const auto entry = directions_.find(key);
        account(entry, before);
        if (!good) close(key, on_message);
    }
    if (segment.fin || segment.rst) close(key, on_message);
}

void SipOverTcp::finish(const OnMessage& on_message) {
    while (!directions_.empty()) close(Key(directions_.begin()->first), on_message);
}

}  // namespace natkit::explain
