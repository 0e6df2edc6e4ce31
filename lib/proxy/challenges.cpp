#include "natkit/proxy/challenges.hpp"

namespace natkit::proxy {
namespace {

constexpr std::size_t longest_nonce = 512;

std::string key_of(std::string_view one, std::string_view other) {
    return std::string(one) + '\n' + std::string(other);
}

}  // namespace

void Challenges::note(std::string_view domain, std::string_view nonce, std::string_view aor, std::string_view site) {
    if (nonce.empty() || nonce.size() > longest_nonce || most_ == 0) return;
    std::string key = key_of(domain, nonce);
    if (asked_.insert_or_assign(key, key_of(aor, site)).second) order_.push_back(std::move(key));
    if (asked_.size() <= most_) return;
    asked_.erase(order_.front());
    order_.pop_front();
}

bool Challenges::knows(std::string_view domain, std::string_view nonce, std::string_view aor,
                       std::string_view site) const {
    if (nonce.empty()) return false;
    const auto found = asked_.find(key_of(domain, nonce));
    return found != asked_.end() && found->second == key_of(aor, site);
}

}  // namespace natkit::proxy
