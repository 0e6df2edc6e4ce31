#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/sdp/document.hpp"

namespace natkit::sdp {

/// Something in a body that hides a session description or vouches for it.
struct Sealed {
    std::size_t offset = 0;  ///< in the body
    std::string type;        ///< "multipart/signed"
};

struct Bodies {
    std::vector<Span> descriptions;  ///< the application/sdp parts, in the order of the body; may be empty spans
    std::vector<Sealed> sealed;      ///< encrypted parts, and signed ones with a description in them, not listed above
};

/// Finds the session descriptions in a message body: the body itself, or parts of a multipart body (RFC 2046
/// section 5.1), nested ones too. `content_type` is the header field's value with its parameters. Pure and total.
[[nodiscard]] Bodies find_descriptions(std::string_view content_type, std::string_view body);

}  // namespace natkit::sdp
