#include "natkit/record/homer.hpp"

#include <array>
#include <chrono>
#include <cstdio>

#include "natkit/record/json_text.hpp"

namespace natkit::record {
namespace {

ObjectText begin_in(std::string room) {
    room.clear();
    return ObjectText(std::move(room));
}

/// Milliseconds, or seconds, with three digits behind the point.
std::string decimal(std::int64_t thousandths) {
    std::array<char, 32> text{};
    const auto length =
        std::snprintf(text.data(), text.size(), "%lld.%03lld", static_cast<long long>(thousandths / 1000),
                      static_cast<long long>(thousandths % 1000));
    return {text.data(), static_cast<std::size_t>(length)};
}

std::string sources(const rtp::Report& report) {
    std::string list = "[";
    for (const rtp::ReportBlock& each : report.sources()) {
        if (list.size() > 1) list += ',';
        ObjectText block;
        block.number("source_ssrc", each.ssrc);
        block.number("fraction_lost", each.fraction_lost);
        block.number("packets_lost", each.lost);
        block.number("highest_seq_no", each.highest_sequence);
        block.number("ia_jitter", each.jitter);
        block.number("lsr", each.last_report);
        block.number("dlsr", each.since_last_report);
        list += block.close();
    }
    return list + ']';
}

}  // namespace

std::string homer_rtcp(const rtp::Report& report, std::string room) {
    ObjectText out = begin_in(std::move(room));
    if (report.sender) {
        out.enter("sender_information");
        out.number("ntp_timestamp_sec", report.sender->ntp_seconds);
        out.number("ntp_timestamp_usec", report.sender->ntp_fraction);  // the fraction, whatever the key says
        out.number("rtp_timestamp", report.sender->timestamp);
        out.number("packets", report.sender->packets);
        out.number("octets", report.sender->octets);
        out.leave();
    }
    out.number("ssrc", report.ssrc);
    out.number("type", report.packet_type);
    out.number("report_count", static_cast<std::int64_t>(report.count));
    out.raw("report_blocks", sources(report));
    return out.close();
}

std::string homer_report(const StreamReport& report, std::string room) {
    const auto whole = [](std::uint64_t number) { return static_cast<std::int64_t>(number); };
    ObjectText out = begin_in(std::move(room));
    out.text("CORRELATION_ID", report.call_id);
    out.text("RTP_SIP_CALL_ID", report.call_id);
    out.text("TYPE", "FINAL");
    out.text("REPORT_NAME", report.leg);
    out.raw("REPORT_TS", decimal(report.time.time_since_epoch() / std::chrono::milliseconds(1)));
    out.text("SRC_IP", report.source.address);
    out.number("SRC_PORT", report.source.port);
    out.text("DST_IP", report.destination.address);
    out.number("DST_PORT", report.destination.port);
    out.number("TOTAL_PK", whole(report.packets));
    out.number("TL_BYTE", whole(report.octets));
    out.raw("DURATION", decimal(report.duration / std::chrono::milliseconds(1)));
    if (report.ssrc) {
        out.number("SSRC", *report.ssrc);
        out.number("CODEC_PT", report.payload_type);
        if (report.clock_rate != 0) out.number("CLOCK", report.clock_rate);
        out.number("EXPECTED_PK", whole(report.expected));
        out.number("PACKET_LOSS", whole(report.lost));
    }
    if (report.jitter) out.raw("JITTER", decimal(*report.jitter / std::chrono::microseconds(1)));  // milliseconds
    return out.close();
}

}  // namespace natkit::record
