#pragma once

#include <optional>

#include "natkit/sdp/rewrite.hpp"

/// What cannot be rewritten safely.
namespace natkit::sdp {

/// Why a stream must not be pointed at `target`: see rewrite(). Errc::refused, with "sdp:LINE".
[[nodiscard]] std::optional<Error> why_refused(const Document& doc, const Media& media, const MediaTarget& target);
/// Why nothing of a description can be rewritten: which of two is meant, nobody knows.
[[nodiscard]] std::optional<Error> why_refused(const Document& doc);
/// Why a c= line must stay as it is.
[[nodiscard]] std::optional<Error> why_refused(const Document& doc, const Field& connection);

}  // namespace natkit::sdp
