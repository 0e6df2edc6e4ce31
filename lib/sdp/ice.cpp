#include "ice.hpp"

#include <algorithm>
#include <array>

#include "natkit/sdp/rewrite.hpp"

namespace natkit::sdp {

bool is_ice_attribute(std::string_view value) noexcept {
    constexpr std::array<std::string_view, 10> names = {
        "candidate",   "remote-candidates", "end-of-candidates", "ice-ufrag",    "ice-pwd",
        "ice-options", "ice-lite",          "ice-pacing",        "ice-mismatch", "alt"};
    const std::string_view name = value.substr(0, value.find(':'));
    return std::ranges::find(names, name) != names.end();
}

bool is_candidate_attribute(std::string_view value) noexcept {
    const std::string_view name = value.substr(0, value.find(':'));
    return name == "candidate" || name == "remote-candidates" || name == "end-of-candidates" || name == "alt";
}

/// raddr and rport that tell nothing: RFC 8839 section 5.1.
std::string relay_candidate(unsigned component, const Endpoint& endpoint, bool tcp) {
    return "a=candidate:natkit " + std::to_string(component) + (tcp ? " TCP " : " UDP ") +
           std::to_string(relay_candidate_priority(component)) + " " + to_string(endpoint.address) + " " +
           std::to_string(endpoint.port) + " typ relay raddr " + (endpoint.address.is_v4() ? "0.0.0.0" : "::") +
           " rport 9" + (tcp ? " tcptype passive" : "");
}

std::uint32_t relay_candidate_priority(unsigned component) noexcept {
    return (0U << 24) + (65535U << 8) + (256U - component);
}

}  // namespace natkit::sdp
