#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>

#include "natkit/base/text.hpp"
#include "natkit/sdp/document.hpp"

/// BUNDLE (RFC 9143): several streams over one port.
namespace natkit::sdp {

/// RFC 9143 section 7.1.3: a m= line has its mid in one group at most, and the first group that names it has it.
void Document::read_bundles(const std::vector<Span>& groups) {
    if (groups.empty()) return;
    std::unordered_map<std::string_view, std::size_t> group_of;
    for (std::size_t group = 0; group < groups.size(); ++group) {
        std::string_view rest = text::trim(text(groups[group]));
        while (!rest.empty()) {
            const std::string_view mid = rest.substr(0, rest.find_first_of(" \t"));
            group_of.try_emplace(mid, group);
            rest = text::trim(rest.substr(mid.size()));
        }
    }
    const auto group_with = [&](const Media& media) {
        const auto found = media.mid.empty() ? group_of.end() : group_of.find(media.mid);
        return found == group_of.end() ? std::optional<std::size_t>() : found->second;
    };
    using Place = std::tuple<std::size_t, std::string_view, std::uint16_t>;
    std::map<Place, std::size_t> carriers;                  // group, address and port of those that carry
    std::unordered_map<std::size_t, std::size_t> of_group;  // the first of them
    for (std::size_t i = 0; i < media_.size(); ++i) {
        Media& media = media_[i];
        const auto group = group_with(media);
        if (!group || media.port == 0 || media.port_field.port.empty()) continue;
        const std::string_view host = media.connection ? text(media.connection->address) : std::string_view();
        const auto [carrier, first] = carriers.try_emplace({*group, host, media.port}, i);
        if (first) {
            of_group.try_emplace(*group, i);
        } else {
            media.bundled_with = carrier->second;
            media.ice = media.ice || media_[carrier->second].ice;  // section 7.1.3: only the first need say so
        }
    }
    for (Media& media : media_) {
        const auto group = group_with(media);
        if (!group || !media.bundle_only || media.port != 0 || media.port_field.port.empty()) continue;
        if (const auto carrier = of_group.find(*group); carrier != of_group.end()) media.bundled_with = carrier->second;
    }
}

std::size_t Document::streams() const noexcept {
    return static_cast<std::size_t>(
        std::ranges::count_if(media_, [](const Media& media) { return !media.rejected() && !media.bundled_with; }));
}

}  // namespace natkit::sdp
