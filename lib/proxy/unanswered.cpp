#include "natkit/proxy/unanswered.hpp"

#include "natkit/base/endpoint.hpp"
#include "natkit/nat/networks.hpp"

namespace natkit::proxy {

std::size_t Unanswered::Hash::operator()(const IpAddress& address) const noexcept {
    return EndpointHash()({.address = address, .port = 0});
}

Unanswered::Verdict Unanswered::admit(std::uint64_t call, const IpAddress& address, std::size_t places) {
    const IpAddress source = nat::source_of(address);
    if (all_ + places > limits_.all) return Verdict::all;
    const auto known = of_source_.find(source);
    const std::size_t present = known == of_source_.end() ? 0 : known->second;
    if (present + places > limits_.source) return Verdict::source;
    if (!calls_.try_emplace(call, Call{.source = source, .places = places}).second) return Verdict::pass;
    of_source_[source] += places;
    all_ += places;
    return Verdict::pass;
}

void Unanswered::done(std::uint64_t call) {
    const auto found = calls_.find(call);
    if (found == calls_.end()) return;
    const auto of_source = of_source_.find(found->second.source);
    of_source->second -= found->second.places;
    if (of_source->second == 0) of_source_.erase(of_source);
    all_ -= found->second.places;
    calls_.erase(found);
}

}  // namespace natkit::proxy
