#include "cookies.hpp"

#include <chrono>

namespace natkit::ng {
namespace {

using namespace std::chrono_literals;

constexpr auto lifetime = 60s;
constexpr std::size_t most_replies = 65536;
constexpr std::size_t most_bytes = std::size_t{16} << 20;
constexpr std::size_t most_waiting = 16;

}  // namespace

bool Cookies::begin(const std::string& cookie, const Respond& respond, Instant now) {
    forget(now);
    const auto [found, fresh] = known_.try_emplace(cookie);
    Known& known = found->second;
    if (!fresh) {
        if (known.done) {
            respond(known.reply);
        } else if (known.waiting.size() < most_waiting) {
            known.waiting.push_back(respond);
        }
        return false;
    }
    known.waiting.push_back(respond);
    bytes_ += cookie.size();
    order_.emplace_back(now + lifetime, cookie);
    return true;
}

void Cookies::answered(const std::string& cookie, const std::string& reply) {
    const auto found = known_.find(cookie);
    if (found == known_.end() || found->second.done) return;
    found->second.done = true;
    found->second.reply = reply;
    bytes_ += reply.size();
    const auto waiting = std::move(found->second.waiting);
    found->second.waiting.clear();
    for (const Respond& respond : waiting) respond(reply);
}

void Cookies::forget(Instant now) {
    while (!order_.empty() && (order_.front().first <= now || known_.size() >= most_replies || bytes_ > most_bytes)) {
        const auto found = known_.find(order_.front().second);
        if (found != known_.end()) {
            if (!found->second.done && order_.front().first > now) return;  // it is being done
            bytes_ -= found->first.size() + found->second.reply.size();
            known_.erase(found);
        }
        order_.pop_front();
    }
}

}  // namespace natkit::ng
