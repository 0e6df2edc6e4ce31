#include "natkit/rtp/statistics.hpp"

#include <cmath>

namespace natkit::rtp {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t max_dropout = 3000;  // RFC 3550 appendix A.1
constexpr std::uint16_t max_misorder = 100;

double seconds(Duration duration) noexcept {
    return std::chrono::duration<double>(duration).count();
}

}  // namespace

std::uint32_t static_clock_rate(std::uint8_t payload_type) noexcept {
    switch (payload_type) {
        case 6: return 16000;
        case 10:
        case 11: return 44100;
        case 14:
        case 25:
        case 26:
        case 28:
        case 31:
        case 32:
        case 33:
        case 34: return 90000;
        case 16: return 11025;
        case 17: return 22050;
        default: return payload_type <= 18 && payload_type != 1 && payload_type != 2 ? 8000 : 0;
    }
}

std::uint32_t usual_clock_rate(double measured) noexcept {
    std::uint32_t usual = 0;
    for (const std::uint32_t rate : {8000U, 16000U, 24000U, 32000U, 44100U, 48000U, 90000U}) {
        if (std::abs(measured - rate) < rate * 0.08) usual = rate;
    }
    return usual;
}

void ReceiverStatistics::restart(const RtpHeader& header, Instant now) noexcept {
    past_lost_ = lost();
    past_expected_ = expected();
    started_ = true;
    ssrc_ = header.ssrc;
    base_sequence_ = highest_sequence_ = header.sequence;
    cycles_ = base_cycles_ = skipped_ = 0;
    received_ = 0;
    payload_type_ = header.payload_type;
    clock_rate_ = static_clock_rate(header.payload_type);
    first_timestamp_ = last_timestamp_ = header.timestamp;
    first_arrival_ = last_arrival_ = now;
    jitter_ = 0;
}

void ReceiverStatistics::measure_rate(const RtpHeader& header, Instant now) noexcept {
    const Duration span = now - first_arrival_;
    if (span < 1s) return;
    const auto units = static_cast<double>(header.timestamp - first_timestamp_);
    if (const std::uint32_t rate = usual_clock_rate(units / seconds(span)); rate != 0) clock_rate_ = rate;
    first_arrival_ = now;  // not near any: try again over the next second
    first_timestamp_ = header.timestamp;
}

void ReceiverStatistics::on_packet(const RtpHeader& header, Instant now) noexcept {
    const auto forward = static_cast<std::uint16_t>(header.sequence - highest_sequence_);
    const auto backward = static_cast<std::uint16_t>(highest_sequence_ - header.sequence);
    if (!started_ || header.ssrc != ssrc_ || (forward >= max_dropout && backward > max_misorder)) {
        restart(header, now);
    }
    ++received_;
    if (forward > 0 && forward < max_dropout) {
        if (header.sequence < highest_sequence_) ++cycles_;
        highest_sequence_ = header.sequence;
    }
    // Events (RFC 4733) and comfort noise share the stream's clock, other payload types may not.
    if (header.payload_type != payload_type_ && static_clock_rate(header.payload_type) != 0 &&
        header.payload_type != 13) {
        payload_type_ = header.payload_type;
        clock_rate_ = static_clock_rate(header.payload_type);
    }
    if (clock_rate_ == 0) {
        measure_rate(header, now);
    } else if (header.timestamp != last_timestamp_) {
        // RFC 3550 appendix A.8: the difference of two packets' spacing at sender and receiver, smoothed by 1/16.
        const auto sent = static_cast<std::int32_t>(header.timestamp - last_timestamp_);
        const double transit = seconds(now - last_arrival_) - static_cast<double>(sent) / clock_rate_;
        // Silence suppression leaves gaps in time, not jitter; a second is beyond any jitter.
        if (std::abs(transit) < 1.0) jitter_ += (std::abs(transit) - jitter_) / 16.0;
    }
    last_timestamp_ = header.timestamp;
    last_arrival_ = now;
}

ReceiverStatistics::Progress ReceiverStatistics::progress() const noexcept {
    const std::uint32_t sequence = ((cycles_ + base_cycles_) << 16) + highest_sequence_;
    return {.ssrc = ssrc_,
            .start_sequence = sequence,
            .sequence = sequence,
            .packets = 0,
            .timestamp = last_timestamp_,
            .arrival = last_arrival_,
            .jitter = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(jitter_))};
}

void ReceiverStatistics::carry_on(const Progress& next) noexcept {
    if (next.packets == 0) return;
    if (!started_ || ssrc_ != next.ssrc) {
        past_lost_ = lost();
        past_expected_ = expected();
        started_ = true;
        ssrc_ = next.ssrc;
        base_sequence_ = static_cast<std::uint16_t>(next.start_sequence + 1);
        received_ = 0;
        skipped_ = 0;
        base_cycles_ = (next.start_sequence + 1) >> 16;
        first_timestamp_ = next.timestamp;
        first_arrival_ = next.arrival;
    }
    cycles_ = (next.sequence >> 16) - base_cycles_;
    highest_sequence_ = static_cast<std::uint16_t>(next.sequence);
    skipped_ += next.skipped;
    received_ += next.packets;
    last_timestamp_ = next.timestamp;
    last_arrival_ = next.arrival;
    jitter_ = seconds(next.jitter);
}

std::uint64_t ReceiverStatistics::expected_now() const noexcept {
    if (!started_ || received_ == 0) return 0;
    return (std::uint64_t{cycles_} << 16) + highest_sequence_ - base_sequence_ + 1 - skipped_;
}

std::uint64_t ReceiverStatistics::expected() const noexcept {
    return past_expected_ + expected_now();
}

std::uint64_t ReceiverStatistics::lost() const noexcept {
    const std::uint64_t expected = expected_now();
    return past_lost_ + (expected > received_ ? expected - received_ : 0);
}

std::optional<Duration> ReceiverStatistics::jitter() const noexcept {
    if (!started_ || clock_rate_ == 0) return std::nullopt;
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(jitter_));
}

std::optional<std::uint32_t> ReceiverStatistics::ssrc() const noexcept {
    if (!started_) return std::nullopt;
    return ssrc_;
}

}  // namespace natkit::rtp
