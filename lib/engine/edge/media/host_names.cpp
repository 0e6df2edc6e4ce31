#include "host_names.hpp"

#include <algorithm>

#include "natkit/base/text.hpp"

/// Names where descriptions should have addresses.
namespace natkit::edge {
namespace {

constexpr std::size_t most_known = 1'000;
constexpr std::chrono::seconds name_known_for{60};
constexpr std::chrono::seconds failed_for{10};

/// Whether there may be a name in a c= line: seen without reading the description.
bool may_name(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text::line_end(text, at);
        const std::string_view line = text.substr(at, end - at);
        at = end + 1;
        if (!line.starts_with("c=")) continue;
        const std::string_view host = text::trim(line.substr(line.find_last_of(" \t") + 1));
        if (!IpAddress::parse(host.substr(0, host.find('/')))) return true;
    }
    return false;
}

}  // namespace

std::optional<HostName> name_in(const sdp::Document& sdp, const sdp::Field& connection) {
    std::string_view host = sdp.text(connection.address);
    while (host.ends_with('.')) host.remove_suffix(1);
    const bool plain = !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
               c == '_';
    });
    if (!plain || sdp.address(connection)) return std::nullopt;
    return HostName{.family = sdp.text(connection.family) == "IP6" ? Family::ipv6 : Family::ipv4,
                    .host = text::lower(host)};
}

bool is_local(const HostName& name) noexcept {
    return name.host.ends_with(".local");
}

std::vector<HostName> HostNames::unknown(std::string_view description, Instant now) const {
    std::vector<HostName> names;
    if (!may_name(description)) return names;
    const auto sdp = sdp::Document::parse(description);
    if (!sdp) return names;
    for (const sdp::Media& media : sdp->media()) {
        if (media.rejected() || !media.connection || names.size() >= most_in_one) continue;
        auto name = name_in(*sdp, *media.connection);
        if (!name || is_local(*name) || std::ranges::find(names, *name) != names.end()) continue;
        const auto known = known_.find(*name);
        if (known == known_.end() || known->second.until <= now) names.push_back(std::move(*name));
    }
    return names;
}

void HostNames::learn(const HostName& name, std::optional<IpAddress> address, Instant now) {
    if (known_.size() >= most_known) std::erase_if(known_, [now](const auto& one) { return one.second.until <= now; });
    if (known_.size() >= most_known) known_.clear();
    known_[name] = {.address = address, .until = now + (address ? name_known_for : failed_for)};
}

const std::optional<IpAddress>* HostNames::find(const HostName& name) const {
    const auto known = known_.find(name);
    return known == known_.end() ? nullptr : &known->second.address;
}

}  // namespace natkit::edge
