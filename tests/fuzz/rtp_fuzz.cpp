// RTP and RTCP headers and reports: what is read lies inside the datagram.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "natkit/rtp/packet.hpp"
#include "natkit/rtp/report.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::uint8_t> bytes(data, size);
    (void)natkit::rtp::kind_of(bytes);
    (void)natkit::rtp::read_rtcp(bytes);
    const auto header = natkit::rtp::read_rtp(bytes);
    if (header && header->payload_offset + header->payload_size > size) std::abort();
    const auto report = natkit::rtp::read_report(bytes);
    if (report && (report->count > report->blocks.size() || natkit::rtp::kind_of(bytes) != natkit::rtp::Kind::rtcp))
        std::abort();
    return 0;
}
