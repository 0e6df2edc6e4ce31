#include "natkit/cluster/version.hpp"

#include "natkit/base/text.hpp"

namespace natkit::cluster {

std::optional<StreamId> StreamId::parse(std::string_view text) noexcept {
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    // Milliseconds since 1970: more than these cannot be reckoned with.
    const auto ms = text::parse_number(text.substr(0, dash), std::uint64_t{1} << 50);
    const auto number = text::parse_number(text.substr(dash + 1), UINT64_MAX);
    if (!ms || !number) return std::nullopt;
    return StreamId{.ms = *ms, .number = *number};
}

std::string to_string(const StreamId& id) {
    return std::to_string(id.ms) + "-" + std::to_string(id.number);
}

}  // namespace natkit::cluster
