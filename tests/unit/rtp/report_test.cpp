#include "natkit/rtp/report.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace natkit;

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes operator+(Bytes a, const Bytes& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

/// A packet of RTCP: header of version 2, then words.
Bytes packet(unsigned count, unsigned type, const std::vector<std::uint32_t>& words, unsigned first = 0x80) {
    Bytes bytes{static_cast<std::uint8_t>(first | count), static_cast<std::uint8_t>(type),
                static_cast<std::uint8_t>(words.size() >> 8U), static_cast<std::uint8_t>(words.size())};
    for (const std::uint32_t word : words) {
        for (unsigned shift = 32; shift > 0; shift -= 8)
            bytes.push_back(static_cast<std::uint8_t>(word >> (shift - 8)));
    }
    return bytes;
}

const std::vector<std::uint32_t> block = {0xbeef, 0x40000007, 0x10064, 33, 0x55aa, 65536};

std::vector<std::uint32_t> with_block(std::vector<std::uint32_t> words) {
    words.insert(words.end(), block.begin(), block.end());
    return words;
}

Bytes sender_report() {
    return packet(1, 200, with_block({0xcafe, 3'900'000'000U, 0x80000000, 160'000, 1'000, 160'000}));
}

Bytes receiver_report() {
    return packet(1, 201, with_block({0xcafe}));
}

/// CNAME "ab".
Bytes description() {
    return packet(1, 202, {0xcafe, 0x01026162, 0});
}

std::string shown(const std::optional<rtp::Report>& report) {
    if (!report) return "nothing";
    std::string text = std::to_string(report->packet_type) + " " + std::to_string(report->ssrc);
    if (report->sender) {
        text += " sent " + std::to_string(report->sender->packets) + "/" + std::to_string(report->sender->octets);
    }
    for (const rtp::ReportBlock& each : report->sources()) {
        text += " of " + std::to_string(each.ssrc) + ": " + std::to_string(each.fraction_lost) + " " +
                std::to_string(each.lost) + " " + std::to_string(each.highest_sequence) + " " +
                std::to_string(each.jitter) + " " + std::to_string(each.last_report) + " " +
                std::to_string(each.since_last_report);
    }
    return text;
}

}  // namespace

TEST_CASE("rtp::read_report: what a compound says, in clear alone") {
    const std::string of = " of 48879: 64 7 65636 33 21930 65536";
    std::vector<std::uint32_t> fewer = block;
    fewer[1] = 0x00ffffff;
    fewer.insert(fewer.begin(), 0xcafe);
    struct Case {
        const char* why;
        Bytes bytes;
        std::string want;
    };
    const std::vector<Case> cases = {
        {"a sender report, a description behind it", sender_report() + description(),
         "200 51966 sent 1000/160000" + of},
        {"a receiver report", receiver_report() + description(), "201 51966" + of},
        {"one that reports on nobody", packet(0, 201, {0xcafe}), "201 51966"},
        {"the report behind another packet", description() + receiver_report(), "201 51966" + of},
        {"duplicates: fewer than none lost", packet(1, 201, fewer), "201 51966 of 48879: 0 -1 65636 33 21930 65536"},
        {"an extension of a profile behind the blocks", packet(0, 201, {0xcafe, 1, 2}), "201 51966"},
        {"the last packet padded", receiver_report() + packet(0, 203, {0xcafe, 4}, 0xa0), "201 51966" + of},
        {"padded, and not the last", packet(0, 201, {0xcafe, 4}, 0xa0) + description(), "nothing"},
        {"feedback alone", packet(1, 206, {0xcafe, 0xbeef}), "nothing"},
        {"blocks that are not there", packet(2, 201, with_block({0xcafe})), "nothing"},
        {"a sender report without its numbers", packet(0, 200, {0xcafe}), "nothing"},
        {"SRTCP: what follows the header is encrypted, a tag of ten bytes at the end",
         receiver_report() + Bytes{0x80, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, "nothing"},
        {"SRTCP by AEAD", receiver_report() + Bytes(16, 0x9c) + Bytes{0x80, 0, 0, 1}, "nothing"},
        {"longer than the datagram", Bytes{0x80, 201, 0, 7, 0, 0, 0, 1}, "nothing"},
        {"another version", packet(0, 201, {0xcafe}, 0x40), "nothing"},
        {"RTP", packet(0, 0, {1, 2, 3}), "nothing"},
        {"half a header", {0x80, 201}, "nothing"},
        {"nothing at all", {}, "nothing"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(shown(rtp::read_report(c.bytes)) == c.want);
    }
}
