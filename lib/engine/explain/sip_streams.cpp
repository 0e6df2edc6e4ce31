#include "natkit/engine/explain/sip_streams.hpp"

#include <algorithm>

#include "natkit/base/text.hpp"
#include "natkit/engine/explain/input.hpp"

namespace natkit::explain {
namespace {

constexpr std::size_t most_streams = 1024;
constexpr std::size_t most_buffered = 256 * 1024;
constexpr std::size_t most_later = 64;

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

}  // namespace

SipStreams::Stream* SipStreams::stream_for(const Key& key, const capture::Datagram& segment, std::uint64_t frame) {
    const auto found = streams_.find(key);
    if (found != streams_.end()) return &found->second;
    if (!may_start_message(as_text(segment.payload))) return nullptr;
    if (streams_.size() >= most_streams) {
        streams_.erase(std::ranges::min_element(streams_, {}, [](const auto& entry) { return entry.second.frame; }));
    }
    return &streams_.emplace(key, Stream{.next = segment.sequence, .frame = frame}).first->second;
}

/// False when the gap before these bytes cannot be filled any more.
bool SipStreams::append(Stream& stream, std::uint32_t sequence, std::string_view bytes) {
    const auto ahead = static_cast<std::int32_t>(sequence - stream.next);
    if (ahead > 0) {
        if (stream.later.size() >= most_later || static_cast<std::uint32_t>(ahead) > most_buffered) return false;
        stream.later.emplace(sequence, bytes);
        return true;
    }
    const auto old = static_cast<std::size_t>(-static_cast<std::int64_t>(ahead));
    if (old >= bytes.size()) return true;  // sent again
    bytes.remove_prefix(old);
    stream.buffer.append(bytes);
    stream.next += static_cast<std::uint32_t>(bytes.size());
    while (!stream.later.empty()) {
        // The nearest one ahead, also where numbers wrap around.
        auto nearest = stream.later.lower_bound(stream.next);
        if (nearest == stream.later.end()) nearest = stream.later.begin();
        auto chosen = nearest;
        for (auto it = stream.later.begin(); it != stream.later.end(); ++it) {
            if (static_cast<std::int32_t>(it->first - stream.next) <= 0) chosen = it;
        }
        const auto gap = static_cast<std::int32_t>(chosen->first - stream.next);
        if (gap > 0) break;
        const std::string_view more = chosen->second;
        const auto known = static_cast<std::size_t>(-static_cast<std::int64_t>(gap));
        if (known < more.size()) {
            stream.buffer.append(more.substr(known));
            stream.next += static_cast<std::uint32_t>(more.size() - known);
        }
        stream.later.erase(chosen);
    }
    return true;
}

/// False when the stream turns out not to be SIP (any more).
bool SipStreams::take_messages(Stream& stream, const OnMessage& on_message) {
    std::size_t at = 0;
    bool good = true;
    for (;;) {
        const std::string_view rest = std::string_view(stream.buffer).substr(at);
        const std::string_view text = without_line_ends(rest);
        at += rest.size() - text.size();
        if (text.empty()) break;
        if (!may_start_message(text)) {  // a wrong Content-Length, for one: go on where a message starts
            std::size_t feed = text.find('\n');
            while (feed != std::string_view::npos && !starts_message(text.substr(feed + 1)))
                feed = text.find('\n', feed + 1);
            if (feed == std::string_view::npos) {
                good = false;
                break;
            }
            at += feed + 1;
            continue;
        }
        const auto length = framed_length(text);
        if (!length) break;
        on_message(std::string(text.substr(0, *length)));
        at += *length;
    }
    stream.buffer.erase(0, at);
    return good && stream.buffer.size() <= most_buffered;
}

void SipStreams::on_segment(const capture::Datagram& segment, std::uint64_t frame, const OnMessage& on_message) {
    const Key key{.source = segment.source, .destination = segment.destination};
    if (segment.syn) {
        streams_.erase(key);
        return;
    }
    if (!segment.payload.empty()) {
        Stream* stream = stream_for(key, segment, frame);
        if (stream == nullptr) return;
        stream->frame = frame;
        const bool good = !segment.cut && append(*stream, segment.sequence, as_text(segment.payload)) &&
                          take_messages(*stream, on_message);
        if (!good) {
            streams_.erase(key);
            // What could not be joined to the old bytes may be a good start.
            if (!segment.cut && starts_message(without_line_ends(as_text(segment.payload)))) {
                Stream& fresh = streams_.emplace(key, Stream{.next = segment.sequence, .frame = frame}).first->second;
                if (!append(fresh, segment.sequence, as_text(segment.payload)) || !take_messages(fresh, on_message))
                    streams_.erase(key);
            }
        }
    }
    if (segment.fin || segment.rst) streams_.erase(key);
}

}  // namespace natkit::explain
