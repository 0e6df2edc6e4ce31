#pragma once

#include <optional>

#include "natkit/sdp/rewrite.hpp"

/// What cannot be rewritten safely.
namespace natkit::sdp {

/// Why a stream must not be pointed at `target`: see rewrite(). Errc::refused, with "sdp:LINE".
[[nodiscard]] std::optional<Error> why_refused(const Document& doc, const Media& media, const MediaTarget& target);
/// Why a c= line must stay as it is.
[[nodiscard]] std::optional<Error> why_refused(const Document& doc, const Field& connection);

}  // namespace natkit::sdp
