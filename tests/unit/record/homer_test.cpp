#include "natkit/record/homer.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace natkit;
using namespace std::chrono_literals;
using Json = nlohmann::json;

TEST_CASE("record::homer_rtcp: the keys that collectors read") {
    rtp::Report report{
        .packet_type = 200,
        .ssrc = 1,
        .sender =
            rtp::SenderInfo{
                .ntp_seconds = 3'900'000'000U, .ntp_fraction = 4, .timestamp = 160, .packets = 7, .octets = 1120},
        .count = 2};
    report.blocks[0] = {.ssrc = 2,
                        .fraction_lost = 64,
                        .lost = -3,
                        .highest_sequence = 65'636,
                        .jitter = 33,
                        .last_report = 5,
                        .since_last_report = 6};
    report.blocks[1].ssrc = 0xffffffff;
    CHECK(Json::parse(record::homer_rtcp(report)) == Json::parse(R"({
        "sender_information": {"ntp_timestamp_sec": 3900000000, "ntp_timestamp_usec": 4, "rtp_timestamp": 160,
                               "packets": 7, "octets": 1120},
        "ssrc": 1, "type": 200, "report_count": 2,
        "report_blocks": [
            {"source_ssrc": 2, "fraction_lost": 64, "packets_lost": -3, "highest_seq_no": 65636, "ia_jitter": 33,
             "lsr": 5, "dlsr": 6},
            {"source_ssrc": 4294967295, "fraction_lost": 0, "packets_lost": 0, "highest_seq_no": 0, "ia_jitter": 0,
             "lsr": 0, "dlsr": 0}]})"));
    const rtp::Report bare{.packet_type = 201, .ssrc = 1, .sender = {}};
    CHECK(record::homer_rtcp(bare, "what was there before") ==
          R"({"ssrc":1,"type":201,"report_count":0,"report_blocks":[]})");
}

TEST_CASE("record::homer_report: what a leg has heard") {
    record::StreamReport report{.call_id = "a\"b@c",
                                .leg = "00000000a1",
                                .source = *Endpoint::parse("192.0.2.1:4000"),
                                .destination = *Endpoint::parse("192.0.2.9:16384"),
                                .packets = 100,
                                .octets = 17'200,
                                .expected = 103,
                                .lost = 3,
                                .jitter = 1234us,
                                .ssrc = 5,
                                .payload_type = 8,
                                .clock_rate = 8000,
                                .duration = 12'050ms,
                                .time = WallTime(1'700'000'000'007ms)};
    CHECK(Json::parse(record::homer_report(report)) == Json::parse(R"({
        "CORRELATION_ID": "a\"b@c", "RTP_SIP_CALL_ID": "a\"b@c", "TYPE": "FINAL", "REPORT_NAME": "00000000a1",
        "REPORT_TS": 1700000000.007, "SRC_IP": "192.0.2.1", "SRC_PORT": 4000, "DST_IP": "192.0.2.9",
        "DST_PORT": 16384, "TOTAL_PK": 100, "TL_BYTE": 17200, "DURATION": 12.050, "SSRC": 5, "CODEC_PT": 8,
        "CLOCK": 8000, "EXPECTED_PK": 103, "PACKET_LOSS": 3, "JITTER": 1.234})"));
    report.ssrc.reset();
    report.jitter.reset();
    const auto bare = Json::parse(record::homer_report(report));
    for (const char* key : {"SSRC", "CODEC_PT", "CLOCK", "EXPECTED_PK", "PACKET_LOSS", "JITTER"}) {
        CAPTURE(key);
        CHECK_FALSE(bare.contains(key));
    }
}
