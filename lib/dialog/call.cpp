#include "natkit/dialog/call.hpp"

#include <algorithm>

namespace natkit::dialog {

void Call::open(const Offer& offer) {
    exchange_.open(offer);
    before_ = streams_;
}

void Call::offer_lines(std::size_t lines) {
    if (streams_.size() < lines) streams_.resize(lines);
}

bool Call::offer(std::size_t line, const Described& described) {
    Stream& stream = streams_[line];
    stream.shares.reset();
    stream.offered = described;
    if (stream.legs != 0 && stream.kind == described.kind) return true;
    stream.kind = described.kind;
    return false;
}

void Call::offer_bundled(std::size_t line, std::size_t carrier, const Sending& sending) {
    streams_[line] = {};
    streams_[line].shares = static_cast<std::uint32_t>(carrier);
    streams_[line].offered.sending = sending;
}

std::size_t Call::carrier_of(const sdp::Media& media, std::size_t line) const {
    const std::size_t named = media.bundled_with.value_or(line);
    if (named >= streams_.size()) return line;
    const auto& shares = streams_[named].shares;
    return shares ? *shares : named;
}

std::vector<AnsweredLine> Call::answer_lines(const sdp::Document& answer) {
    std::vector<AnsweredLine> lines(streams_.size());
    std::vector<std::optional<std::size_t>> first(streams_.size());  // that answers for a carrier
    for (std::size_t i = 0; i < streams_.size(); ++i) {
        Stream& stream = streams_[i];
        stream.bundled.reset();
        stream.refused = i >= answer.media().size() || answer.media()[i].rejected();
        lines[i].refused = stream.refused;
        if (stream.refused) continue;
        const std::size_t by = carrier_of(answer.media()[i], i);
        lines[i].carrier = by;
        if (by != i) stream.bundled = static_cast<std::uint32_t>(by);
        lines[i].same_as = first[by];
        if (!first[by]) first[by] = i;
    }
    for (std::size_t i = 0; i < streams_.size(); ++i) {
        if (first[i]) streams_[i].refused = false;  // of its own line nothing is left, but it carries another
    }
    return lines;
}

LegChanges Call::close() {
    if (!exchange_.close()) return take_back();
    LegChanges changes{.counts = true, .ended = {}, .agreed = {}, .undone = {}};
    for (std::size_t i = 0; i < streams_.size(); ++i) {
        Stream& stream = streams_[i];
        const std::uint64_t old = legs_before(i);
        if (old != 0 && old != stream.legs) changes.ended.push_back(old);
        if (stream.refused || stream.bundled) {
            if (stream.legs != 0) changes.ended.push_back(stream.legs);
            const auto shares = stream.refused ? std::nullopt : stream.bundled;
            stream = {};
            stream.shares = shares;
        }
        if (stream.legs != 0) changes.agreed.push_back(stream.legs);
    }
    before_ = {};
    return changes;
}

LegChanges Call::refuse() {
    (void)exchange_.close();
    return take_back();
}

LegChanges Call::take_back() {
    LegChanges changes;
    for (std::size_t i = 0; i < streams_.size(); ++i) {
        const std::uint64_t old = legs_before(i);
        const std::uint64_t fresh = streams_[i].legs;
        if (fresh != 0 && fresh != old) changes.ended.push_back(fresh);
        if (old != 0) changes.undone.push_back(old);
    }
    streams_ = std::move(before_);
    before_ = {};
    return changes;
}

void Call::suspend() {
    (void)exchange_.close();
    before_ = {};
}

std::vector<std::uint64_t> Call::lose(std::size_t line) {
    std::vector<std::uint64_t> ended;
    for (auto* streams : {&streams_, &before_}) {
        if (line >= streams->size()) continue;
        Stream& stream = (*streams)[line];
        if (stream.legs != 0 && std::ranges::find(ended, stream.legs) == ended.end()) ended.push_back(stream.legs);
        stream = {};
    }
    return ended;
}

std::vector<std::uint64_t> Call::lose_all() {
    std::vector<std::uint64_t> ended;
    for (std::size_t i = 0; i < std::max(streams_.size(), before_.size()); ++i) {
        const auto more = lose(i);
        ended.insert(ended.end(), more.begin(), more.end());
    }
    return ended;
}

}  // namespace natkit::dialog
