#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/sdp/rewrite.hpp"

namespace natkit::rewrite {

/// One --to: "203.0.113.10:40000", "203.0.113.10" (ports stay), "audio=203.0.113.10:40000" (only streams of that kind).
struct To {
    std::string kind;  ///< "audio"; empty: any stream
    Endpoint endpoint;
    bool keeps_port = false;

    [[nodiscard]] static Result<To> parse(std::string_view text);
};

/// Gives each stream of a description its target. Streams take the --to that fit in their order; when there are more
/// streams, the last that fits goes on with the following port pairs. Rejected streams take none.
[[nodiscard]] Result<std::vector<std::optional<sdp::MediaTarget>>> choose_targets(const sdp::Document& document,
                                                                                  std::span<const To> all);

}  // namespace natkit::rewrite
