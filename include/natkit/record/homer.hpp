#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/time.hpp"
#include "natkit/rtp/report.hpp"

/// What collectors of HEP read besides SIP: JSON whose keys are theirs (Homer, heplify-server).
namespace natkit::record {

/// A report of RTCP. `room`: a string whose memory is used.
[[nodiscard]] std::string homer_rtcp(const rtp::Report& report, std::string room = {});

/// What came from one party of a call until its leg was freed.
struct StreamReport {
    std::string call_id;
    std::string leg;
    Endpoint source;  ///< the party
    Endpoint destination;
    std::uint64_t packets = 0;
    std::uint64_t octets = 0;  ///< UDP payload
    std::uint64_t expected = 0;
    std::uint64_t lost = 0;
    std::optional<Duration> jitter;
    std::optional<std::uint32_t> ssrc;
    std::uint8_t payload_type = 0;  ///< with `ssrc`, as the next ones
    std::uint32_t clock_rate = 0;   ///< Hz; 0: not known
    Duration duration{};            ///< from when the leg was opened to the last packet
    WallTime time{};                ///< when the report is made
};

[[nodiscard]] std::string homer_report(const StreamReport& report, std::string room = {});

}  // namespace natkit::record
