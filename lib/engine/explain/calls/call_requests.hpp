#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "natkit/engine/explain/calls.hpp"

namespace natkit::explain {

/// Writes a request, or the response to one, into the requests of its call: 64 at most, and 8 responses each.
/// `heard_ns`: when its receiver sent something last.
void note_request(diagnose::Call& call, const MessageSeen& seen, End sender, const std::string& tag,
                  std::optional<std::int64_t> heard_ns);

/// What they take in memory, rather too much than too little.
[[nodiscard]] std::size_t bytes_of_requests(const std::vector<diagnose::Request>& requests);

}  // namespace natkit::explain
