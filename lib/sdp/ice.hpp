#pragma once

#include <string>
#include <string_view>

#include "natkit/base/endpoint.hpp"

/// The attributes of ICE, as far as rewriting needs them.
namespace natkit::sdp {

/// Attributes that make a stream an ICE stream (RFC 8839 section 5, RFC 8840), and their predecessor a=alt. `value` is
/// what follows "a=".
[[nodiscard]] bool is_ice_attribute(std::string_view value) noexcept;
/// Those that name candidates (as opposed to credentials).
[[nodiscard]] bool is_candidate_attribute(std::string_view value) noexcept;

/// The line, without its end, by which a relay offers itself (RFC 8839 section 5.1). It tells no related address.
[[nodiscard]] std::string relay_candidate(unsigned component, const Endpoint& endpoint, bool tcp);

}  // namespace natkit::sdp
