#include "natkit/engine/explain/captures/evidence.hpp"

#include <algorithm>

namespace natkit::explain {
namespace {

constexpr std::size_t most = 4096;
constexpr std::size_t most_about = 256;
constexpr std::size_t look_back = 64;  ///< errors among which a repetition is looked for
constexpr std::int64_t pause_ns =
    1'500'000'000;  ///< hosts send about one a second of the same kind; later ones are others
constexpr std::uint8_t tcp = 6;

diagnose::IcmpError::Kind kind_of(capture::IcmpReason reason) {
    using Kind = diagnose::IcmpError::Kind;
    switch (reason) {
        case capture::IcmpReason::no_port: return Kind::port_unreachable;
        case capture::IcmpReason::no_host: return Kind::host_unreachable;
        case capture::IcmpReason::no_network: return Kind::net_unreachable;
        case capture::IcmpReason::prohibited: return Kind::prohibited;
        case capture::IcmpReason::hops_exceeded: return Kind::hops_exceeded;
        default: return Kind::other;
    }
}

}  // namespace

void CaptureEvidence::on_icmp_error(const capture::IcmpError& error) {
    diagnose::IcmpError one{.kind = kind_of(error.reason),
                            .reporter = error.sender,
                            .source = error.quoted_source,
                            .destination = error.quoted_destination,
                            .tcp = error.protocol == tcp,
                            .frame = error.seen.frame,
                            .first_ns = error.seen.time_ns,
                            .last_ns = error.seen.time_ns};
    const std::size_t start = icmp_.size() - std::min(icmp_.size(), look_back);
    for (std::size_t i = icmp_.size(); i > start; --i) {
        diagnose::IcmpError& old = icmp_[i - 1];
        if (old.kind != one.kind || old.source != one.source || old.destination != one.destination ||
            old.reporter != one.reporter || old.tcp != one.tcp || one.first_ns - old.last_ns > pause_ns)
            continue;
        ++old.count;
        old.last_ns = std::max(old.last_ns, one.first_ns);
        return;
    }
    if (icmp_.size() >= most) icmp_.pop_front();
    icmp_.push_back(one);
}

std::vector<diagnose::IcmpError> CaptureEvidence::icmp(
    std::int64_t first_ns, std::int64_t last_ns, const std::function<bool(const diagnose::IcmpError&)>& about) const {
    std::vector<diagnose::IcmpError> found;
    for (auto one = icmp_.rbegin(); one != icmp_.rend() && found.size() < most_about; ++one) {
        if (one->first_ns <= last_ns && one->last_ns >= first_ns && about(*one)) found.push_back(*one);
    }
    std::ranges::reverse(found);
    return found;
}

}  // namespace natkit::explain
