#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "natkit/sdp/document.hpp"

namespace natkit::sdp {

/// A payload type that means the same without a=rtpmap (RFC 3551 section 6).
struct PayloadType {
    unsigned number;
    std::string_view name;
    std::uint32_t clock;  ///< Hz
};

[[nodiscard]] const PayloadType* static_payload_type(unsigned number) noexcept;  ///< null: it has no meaning by itself

/// The name of the first format of an m= line in capitals, as a=rtpmap or RFC 3551 has it ("PCMA", "OPUS"), or the
/// format itself ("T38"); printable, at most 32 bytes. Of an answer it is the codec that is spoken.
[[nodiscard]] std::string first_codec(const Document& document, const Media& media);

}  // namespace natkit::sdp
