#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// The numbers of HEP version 3.
namespace natkit::hep {

inline constexpr std::string_view magic = "HEP3";
inline constexpr std::size_t packet_header = 6;  ///< magic and length
inline constexpr std::size_t chunk_header = 6;   ///< vendor, type and length

/// Of the generic vendor.
enum Chunk : std::uint16_t {
    chunk_family = 1,
    chunk_protocol = 2,
    chunk_source4 = 3,
    chunk_destination4 = 4,
    chunk_source6 = 5,
    chunk_destination6 = 6,
    chunk_source_port = 7,
    chunk_destination_port = 8,
    chunk_seconds = 9,
    chunk_microseconds = 10,
    chunk_content = 11,
    chunk_agent = 12,
    chunk_payload = 15,
    chunk_compressed_payload = 16,
    chunk_correlation = 17,
    chunk_node = 19,
};

/// Values of chunk_content. 100 is a line of a log.
enum ContentType : std::uint8_t {
    content_sip = 1,
    content_rtp = 4,
    content_rtcp = 5,
    content_report = 34,
    content_log = 100,
};

/// Values of chunk_family, as Linux numbers them.
enum FamilyNumber : std::uint8_t { family_ipv4 = 2, family_ipv6 = 10 };

}  // namespace natkit::hep
