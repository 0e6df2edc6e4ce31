#include "natkit/engine/explain/sip_streams.hpp"

#include <algorithm>

#include "natkit/base/text.hpp"
#include "natkit/engine/explain/input.hpp"

namespace natkit::explain {
namespace {

constexpr std::size_t most_streams = 1024;
constexpr std::size_t most_buffered = 256 * 1024;
constexpr std::size_t most_later = 64;
constexpr std::size_t longest_start = 4096;  ///< of a start line
constexpr std::size_t most_stream_bytes = 12 * 1024 * 1024;
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

void SipStreams::drop(Streams::iterator stream) {
    bytes_ -= stream->second.bytes();
    streams_.erase(stream);
}

/// Accounts for what a stream has become, and makes room.
void SipStreams::weigh(Streams::iterator stream, std::size_t before) {
    bytes_ += stream->second.bytes();
    bytes_ -= before;
    while (bytes_ > most_stream_bytes && !streams_.empty())
        drop(std::ranges::min_element(streams_, {}, [](const auto& entry) { return entry.second.frame; }));
}

SipStreams::Stream* SipStreams::stream_for(const Key& key, const capture::Datagram& segment, std::uint64_t frame) {
    const auto found = streams_.find(key);
    if (found != streams_.end()) return &found->second;
    if (!may_start_message(as_text(segment.payload))) return nullptr;
    if (streams_.size() >= most_streams)
        drop(std::ranges::min_element(streams_, {}, [](const auto& entry) { return entry.second.frame; }));
    Stream& fresh = streams_.emplace(key, Stream{.next = segment.sequence, .frame = frame}).first->second;
    bytes_ += fresh.bytes();
    return &fresh;
}

bool SipStreams::append(Stream& stream, std::uint32_t sequence, std::string_view bytes) {
    const std::int32_t ahead = ahead_of(sequence, stream.next);
    if (ahead > 0) {
        if (stream.later.size() >= most_later || static_cast<std::uint32_t>(ahead) > most_buffered ||
            stream.waiting + bytes.size() > most_buffered)
            return false;
        if (stream.later.emplace(sequence, bytes).second) stream.waiting += bytes.size() + segment_cost;
        return true;
    }
    const auto old = static_cast<std::size_t>(-static_cast<std::int64_t>(ahead));
    if (old >= bytes.size()) return true;  // sent again
    bytes.remove_prefix(old);
    stream.buffer.append(bytes);
    stream.next += static_cast<std::uint32_t>(bytes.size());
    join_later(stream);
    return true;
}

/// Segments that were ahead and are not any more.
void SipStreams::join_later(Stream& stream) {
    while (!stream.later.empty()) {
        const auto due = std::ranges::find_if(
            stream.later, [&](const auto& entry) { return ahead_of(entry.first, stream.next) <= 0; });
        if (due == stream.later.end()) return;
        const std::string_view more = due->second;
        const auto known = static_cast<std::size_t>(-static_cast<std::int64_t>(ahead_of(due->first, stream.next)));
        if (known < more.size()) {
            stream.buffer.append(more.substr(known));
            stream.next += static_cast<std::uint32_t>(more.size() - known);
        }
        stream.waiting -= due->second.size() + segment_cost;
        stream.later.erase(due);
    }
}

/// The segment that is missing will not come: what there is of its message is handed out, and reading goes on behind
/// it.
void SipStreams::skip_gap(const Key& key, Stream& stream, const OnMessage& on_message) {
    const std::string_view text = without_line_ends(stream.buffer);
    if (!stream.searching && starts_message(text) && text.find('\n') != std::string_view::npos) {
        on_message({.bytes = std::string(text),
                    .source = key.source,
                    .destination = key.destination,
                    .frame = stream.frame,
                    .time_ns = stream.time_ns,
                    .cut = true});
    }
    stream.buffer.clear();
    stream.searching = true;
    if (stream.later.empty()) return;
    stream.next = std::ranges::min_element(stream.later, {}, [&](const auto& entry) {
                      return ahead_of(entry.first, stream.next);
                  })->first;
    join_later(stream);
}

/// False when the stream turns out not to be SIP.
bool SipStreams::take_messages(const Key& key, Stream& stream, const OnMessage& on_message) {
    std::size_t at = 0;
    for (;;) {
        const std::string_view rest = std::string_view(stream.buffer).substr(at);
        const std::string_view text = without_line_ends(rest);
        at += rest.size() - text.size();
        if (text.empty()) break;
        if (stream.searching ? !starts_message(text) : !may_start_message(text)) {
            // A gap, or a wrong Content-Length: go on where a message starts.
            const std::size_t start = next_start(text);
            if (start == std::string_view::npos && !stream.searching && !stream.known) return false;
            if (start == std::string_view::npos) {  // the last line may become one
                stream.searching = true;
                const std::size_t feed = text.rfind('\n');
                if (feed != std::string_view::npos) at += feed;
                if (stream.buffer.size() - at > longest_start) at = stream.buffer.size();
                break;
            }
            at += start;
            continue;
        }
        stream.searching = false;
        stream.known = true;
        const auto length = framed_length(text);
        if (!length) break;
        on_message({.bytes = std::string(text.substr(0, *length)),
                    .source = key.source,
                    .destination = key.destination,
                    .frame = stream.frame,
                    .time_ns = stream.time_ns});
        at += *length;
    }
    stream.buffer.erase(0, at);
    if (stream.buffer.empty()) stream.buffer = std::string();  // and its memory
    return stream.buffer.size() <= most_buffered;
}

/// The receiver has got what the capture lacks.
void SipStreams::acknowledge(const capture::Datagram& segment, const OnMessage& on_message) {
    const Key key{.source = segment.destination, .destination = segment.source};
    const auto found = streams_.find(key);
    if (found == streams_.end()) return;
    Stream& stream = found->second;
    if (stream.later.empty() || ahead_of(*segment.acknowledged, stream.next) <= 0) return;
    const std::size_t before = stream.bytes();
    skip_gap(key, stream, on_message);
    const bool good = take_messages(key, stream, on_message);
    weigh(found, before);
    if (!good) close(key, on_message);
}

/// No more of this direction will come.
void SipStreams::close(const Key& key, const OnMessage& on_message) {
    const auto found = streams_.find(key);
    if (found == streams_.end()) return;
    const std::size_t before = found->second.bytes();
    while (!found->second.later.empty()) {
        skip_gap(key, found->second, on_message);
        if (!take_messages(key, found->second, on_message)) break;
    }
    bytes_ -= before;
    streams_.erase(found);
}

void SipStreams::on_segment(const capture::Datagram& segment, std::uint64_t frame, std::int64_t time_ns,
                            const OnMessage& on_message) {
    const Key key{.source = segment.source, .destination = segment.destination};
    if (segment.acknowledged) acknowledge(segment, on_message);
    if (segment.syn) return close(key, on_message);
    if (!segment.payload.empty()) {
        Stream* stream = stream_for(key, segment, frame);
        if (stream == nullptr) return;
        const std::size_t before = stream->bytes();
        const std::string_view bytes = as_text(segment.payload);
        const bool starts = starts_message(without_line_ends(bytes));
        const std::int32_t ahead = ahead_of(segment.sequence, stream->next);
        if (starts && ahead < -static_cast<std::int32_t>(4 * most_buffered)) *stream = {.next = segment.sequence};
        if (starts && ahead == 0 && stream->searching) stream->buffer.clear();
        while (!append(*stream, segment.sequence, bytes)) {
            if (stream->later.empty()) {  // too far ahead to be what follows
                skip_gap(key, *stream, on_message);
                stream->next = segment.sequence;
            } else {
                skip_gap(key, *stream, on_message);
                if (!take_messages(key, *stream, on_message)) stream->buffer.clear();
            }
        }
        stream->frame = frame;
        stream->time_ns = time_ns;
        const bool good = take_messages(key, *stream, on_message);
        const auto entry = streams_.find(key);
        weigh(entry, before);
        if (!good) close(key, on_message);
    }
    if (segment.fin || segment.rst) close(key, on_message);
}

void SipStreams::finish(const OnMessage& on_message) {
    while (!streams_.empty()) close(Key(streams_.begin()->first), on_message);
}

}  // namespace natkit::explain
