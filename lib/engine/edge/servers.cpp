#include "servers.hpp"

#include <algorithm>

namespace natkit::edge {
namespace {

constexpr std::chrono::minutes looked_up_every{1};
constexpr std::chrono::minutes known_for{10};  ///< an address: the name may stand for several in turn
constexpr std::size_t most_addresses = 32;     ///< of one server

}  // namespace

void Servers::set(const std::vector<Server>& servers, const std::vector<Server>& before) {
    std::erase_if(addresses_, [&](const auto& known) {
        const auto now = std::ranges::find(servers, known.first, &Server::domain);
        const auto old = std::ranges::find(before, known.first, &Server::domain);
        return now == servers.end() || old == before.end() || now->to != old->to;
    });
    due_.reset();
    for (const Server& server : servers) {
        const auto uri = sip::Uri::parse(server.to);
        if (uri && uri->address()) {
            addresses_[server.domain] = {{*uri->address(), Instant::max()}};
        } else if (uri) {
            due_ = Instant{};
        }
    }
}

bool Servers::at(const IpAddress& address, std::string_view domain) const {
    return std::ranges::any_of(addresses_, [&](const auto& known) {
        return (domain.empty() || known.first == domain) && known.second.contains(address);
    });
}

void Servers::learn(const std::string& domain, const IpAddress& address, Instant now) {
    auto& known = addresses_[domain];
    if (known.size() >= most_addresses && !known.contains(address)) {
        known.erase(std::ranges::min_element(known, {}, [](const auto& one) { return one.second; }));
    }
    Instant& until = known[address];
    until = std::max(until, now + known_for);
}

void Servers::learn(const std::string& domain, const std::vector<sip::Located>& found, Instant now) {
    for (const sip::Located& place : found) learn(domain, place.endpoint.address, now);
    if (found.empty()) return;
    std::erase_if(addresses_[domain], [&](const auto& one) { return one.second <= now; });
}

std::vector<std::pair<std::string, sip::Uri>> Servers::take_due(const std::vector<Server>& servers, Instant now) {
    std::vector<std::pair<std::string, sip::Uri>> names;
    if (!due_ || *due_ > now) return names;
    due_ = now + looked_up_every;
    for (const Server& server : servers) {
        auto uri = sip::Uri::parse(server.to);
        if (uri && !uri->address()) names.emplace_back(server.domain, std::move(*uri));
    }
    return names;
}

}  // namespace natkit::edge
