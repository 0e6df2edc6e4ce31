#include "natkit/engine/explain/captures/reader.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "natkit/base/text.hpp"
#include "natkit/engine/explain/input.hpp"

namespace natkit::explain {
namespace {

constexpr std::size_t longest_description = 1024 * 1024;
constexpr std::uint64_t frames_a_progress = 16'384;
constexpr std::int64_t tick_ns = 1'000'000'000;
constexpr std::int64_t near_ns = 60 * tick_ns;  ///< a capture is of now whose packets are not older

std::int64_t wall_ns() {
    return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

void Reader::read(capture::ByteSource input) {
    const auto head = input.peek(64);
    Result<void> done;
    if (!head) {
        done = std::unexpected(head.error());
    } else {
        switch (recognise(*head)) {
            case InputKind::empty: break;
            case InputKind::sip: done = read_messages(input); break;
            case InputKind::json: done = read_lines(input); break;
            case InputKind::capture: return read_file(std::move(input));
            case InputKind::sdp: done = read_description(input); break;
        }
    }
    if (!done) on_bad({}, done.error());
}

void Reader::read_file(capture::ByteSource input) {
    auto packets = capture::PacketReader::open(std::move(input));
    if (!packets) return on_bad({}, packets.error());
    read(*std::move(packets));
}

void Reader::read(capture::PacketReader packets) {
    std::vector<Capture> captures;
    captures.push_back({.packets = std::move(packets)});
    read(std::move(captures));
}

void Reader::give(const record::Sip& sip, nlohmann::ordered_json* json, const capture::Sighting& seen,
                  const std::string& where) {
    if (const auto done = on_message(sip, json, seen); !done) on_bad(where, done.error());
}

Result<void> Reader::read_messages(capture::ByteSource& input) {
    MessageReader reader(input);
    for (;;) {
        auto piece = reader.next();
        if (!piece) return std::unexpected(piece.error());
        if (!*piece) return {};
        if ((*piece)->content.empty()) continue;
        const record::Sip sip{.transport = transport, .source = source, .message = std::move((*piece)->content)};
        give(sip, nullptr, {}, input.name() + ":" + std::to_string((*piece)->line));
    }
}

Result<void> Reader::read_lines(capture::ByteSource& input) {
    LineReader reader(input);
    for (;;) {
        const auto piece = reader.next();
        if (!piece && piece.error().code == Errc::exhausted) {
            on_bad({}, piece.error());
            continue;
        }
        if (!piece) return std::unexpected(piece.error());
        if (!*piece) return {};
        if (text::trim((*piece)->content).empty()) continue;
        read_line((*piece)->content, input.name() + ":" + std::to_string((*piece)->line));
        if (on_line_done) on_line_done();
    }
}

Result<void> Reader::read_description(capture::ByteSource& input) {
    if (!on_description) return fail(Errc::bad_input, "a bare session description has no sender", input.name());
    std::string text;
    std::array<char, 16 * 1024> chunk;
    for (;;) {
        const auto count = input.read(chunk);
        if (!count) return std::unexpected(count.error());
        if (*count == 0) break;
        text.append(chunk.data(), *count);
        if (text.size() > longest_description)
            return fail(Errc::exhausted, "a session description longer than 1 MiB", input.name());
    }
    auto done = on_description(text);
    if (!done) done.error().where = input.name() + (done.error().where.empty() ? "" : ": " + done.error().where);
    return done;
}

void Reader::read_line(const std::string& content, const std::string& where) {
    auto json = record::parse_line(content);
    if (!json) return on_bad(where, json.error());
    const auto type = json->find("type");
    if (type != json->end() && *type != "sip") return on_other(content);
    const auto sip = record::read_sip(*json);
    if (!sip) return on_bad(where, sip.error());
    give(*sip, &*json, {}, where);
}

/// Only what is captured now has a time that goes on while nothing comes: a file read through a pipe is judged by its
/// own.
void Reader::tick(std::int64_t captured_ns) {
    if (!on_time || captured_ns - last_tick_ns_ < tick_ns) return;
    last_tick_ns_ = captured_ns;
    const std::int64_t now = wall_ns();
    if (now - captured_ns < near_ns && captured_ns - now < near_ns) on_time(captured_ns);
}

/// A capture that is being read, and its next packet.
struct Reader::Open {
    capture::PacketReader packets;
    std::string name;
    ClockMatch::Offset clock = {};
    std::unique_ptr<CaptureMessages> messages = nullptr;
    std::optional<capture::Packet> next = std::nullopt;
    bool failed = false;

    /// With the time that counts. False at the end.
    Result<bool> advance(std::uint16_t file) {
        auto packet = packets.next();
        if (!packet) return std::unexpected(packet.error());
        next = *packet;
        if (!next) return false;
        next->file = file;
        if (next->time_ns != 0) next->time_ns = clock.corrected(next->time_ns);
        return true;
    }
};

std::unique_ptr<CaptureMessages> Reader::messages_of(const std::string& name) {
    return std::make_unique<CaptureMessages>(
        [this, name](CapturedMessage&& captured) {
            const record::Sip sip{.time = record::time_text(captured.seen.time_ns),
                                  .frame = captured.seen.frame,
                                  .transport = captured.transport,
                                  .source = captured.source,
                                  .destination = captured.destination,
                                  .message = std::move(captured.bytes),
                                  .cut = captured.cut};
            give(sip, nullptr, captured.seen, name + ": frame " + std::to_string(captured.seen.frame));
        },
        events);
}

void Reader::read(std::vector<Capture> captures) {
    names_.clear();
    std::vector<Open> open;
    open.reserve(captures.size());
    for (Capture& one : captures) open.push_back({.packets = std::move(one.packets), .name = {}, .clock = one.clock});
    for (Open& one : open) {
        one.name = one.packets.source().name();
        names_.push_back(one.name);
        one.messages = messages_of(one.name);
        one.packets.on_wait([this, &one] {
            if (one.next) tick(wall_ns() - one.next->time_ns < near_ns ? wall_ns() : one.next->time_ns);
            return !stop || !stop();
        });
    }
    read_in_order(open);
}

/// The packet that was captured first is read first, of whichever capture it is.
void Reader::read_in_order(std::vector<Open>& open) {
    const auto advance = [&](Open& one) {
        const auto more = one.advance(static_cast<std::uint16_t>(&one - open.data()));
        if (more && *more) return;
        one.next.reset();
        one.messages->finish();
        one.failed = !more;
        if (!more) on_bad({}, more.error());
    };
    for (Open& one : open) advance(one);
    for (;;) {
        Open* first = nullptr;
        for (Open& one : open) {
            if (one.next && (first == nullptr || one.next->time_ns < first->next->time_ns)) first = &one;
        }
        if (first == nullptr) break;
        const capture::Packet& packet = *first->next;
        if (start_ns_ == 0) start_ns_ = packet.time_ns;
        first->messages->on_packet(packet);
        tick(packet.time_ns);
        if (on_progress && packet.frame % frames_a_progress == 0) {
            if (const auto done = first->packets.source().progress()) on_progress(first->name, *done);
        }
        advance(*first);
    }
    tell_without_sip(open);
}

/// Of captures that are read as one, one may have all the messages.
void Reader::tell_without_sip(const std::vector<Open>& open) {
    const auto without = [](const Open& one) { return one.messages->without_sip() != nullptr; };
    if (!on_no_sip || !std::ranges::all_of(open, without)) return;
    for (const Open& one : open) {
        if (!one.failed) on_no_sip(one.name, *one.messages->without_sip());
    }
}

Result<std::vector<Reader::Capture>> open_group(const CaptureGroup& group) {
    std::vector<Reader::Capture> captures;
    for (const JoinedFile& file : group) {
        auto source = capture::ByteSource::open(file.path);
        if (!source) return std::unexpected(source.error());
        auto packets = capture::PacketReader::open(*std::move(source));
        if (!packets) return std::unexpected(packets.error());
        captures.push_back({.packets = *std::move(packets), .clock = file.clock});
    }
    return captures;
}

bool read_files(const std::vector<std::string>& files, const std::function<void(capture::ByteSource)>& read,
                const std::function<void(const Error&)>& complain) {
    const std::vector<std::string> standard_input = {"-"};
    bool all = true;
    for (const std::string& file : files.empty() ? standard_input : files) {
        auto input = capture::ByteSource::open(file);
        if (input) {
            read(*std::move(input));
        } else {
            complain(input.error());
            all = false;
        }
    }
    return all;
}

}  // namespace natkit::explain
