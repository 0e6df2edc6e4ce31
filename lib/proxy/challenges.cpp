#include "natkit/proxy/challenges.hpp"

namespace natkit::proxy {
namespace {

constexpr std::size_t longest_nonce = 512;

std::string key_of(std::string_view domain, std::string_view nonce) {
    return std::string(domain) + '\n' + std::string(nonce);
}

}  // namespace

void Challenges::note(std::string_view domain, std::string_view nonce, std::string_view aor) {
    if (nonce.empty() || nonce.size() > longest_nonce || most_ == 0) return;
    std::string key = key_of(domain, nonce);
    if (aors_.insert_or_assign(key, std::string(aor)).second) order_.push_back(std::move(key));
    if (aors_.size() <= most_) return;
    aors_.erase(order_.front());
    order_.pop_front();
}

bool Challenges::knows(std::string_view domain, std::string_view nonce, std::string_view aor) const {
    if (nonce.empty()) return false;
    const auto found = aors_.find(key_of(domain, nonce));
    return found != aors_.end() && found->second == aor;
}

}  // namespace natkit::proxy
