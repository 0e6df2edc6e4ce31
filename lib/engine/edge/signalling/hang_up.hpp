#pragma once

#include <string>

#include "natkit/sip/message/message.hpp"

namespace natkit::edge {

/// The URI in a message's Contact: where further requests to its sender go; empty: none, or too long to be kept.
[[nodiscard]] std::string contact_of(const sip::Message& message);
/// The Route field of requests to the sender of this one: what its proxies have recorded.
[[nodiscard]] std::string routes_of(const sip::Message& request);

}  // namespace natkit::edge
