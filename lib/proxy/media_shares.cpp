#include "natkit/proxy/media_shares.hpp"

#include <numeric>

namespace natkit::proxy {
namespace {

constexpr std::array<std::string_view, 4> senders = {"lan", "user", "server", "stranger"};

constexpr std::size_t index(Sender sender) noexcept {
    return static_cast<std::size_t>(sender);
}

}  // namespace

std::string MediaShares::key_of(const Payer& payer) {
    const bool counted = payer.sender == Sender::user || payer.sender == Sender::stranger;
    return counted ? to_string(payer) : std::string();
}

MediaShares::Verdict MediaShares::look(const Payer& payer, const Legs& wanted) const {
    if (payer.sender == Sender::lan) return Verdict::pass;
    const std::size_t all = std::reduce(wanted.begin(), wanted.end());
    const auto known = of_one_.find(key_of(payer));
    const std::size_t own = all + (known == of_one_.end() ? 0 : known->second);
    if (payer.sender == Sender::stranger && own > limits_.stranger) return Verdict::stranger;
    if (payer.sender == Sender::user && own > limits_.user) return Verdict::user;
    for (std::size_t pool = 0; pool < pools; ++pool) {
        if (wanted[pool] == 0) continue;
        const std::size_t strangers = taken_[index(Sender::stranger)][pool] + wanted[pool];
        if (payer.sender == Sender::stranger && strangers * 100 > limits_.pool * limits_.strangers_percent)
            return Verdict::strangers;
        std::size_t outside = wanted[pool];
        for (const Sender one : {Sender::user, Sender::server, Sender::stranger}) outside += taken_[index(one)][pool];
        if (outside * 100 > limits_.pool * limits_.outside_percent) return Verdict::outside;
    }
    return Verdict::pass;
}

void MediaShares::take(const Payer& payer, std::size_t pool) {
    ++taken_[index(payer.sender)][pool];
    if (const std::string key = key_of(payer); !key.empty()) ++of_one_[key];
}

void MediaShares::give(const Payer& payer, std::size_t pool) {
    --taken_[index(payer.sender)][pool];
    const auto known = of_one_.find(key_of(payer));
    if (known != of_one_.end() && --known->second == 0) of_one_.erase(known);
}

std::size_t MediaShares::size() const noexcept {
    std::size_t all = 0;
    for (const Legs& legs : taken_) all += std::reduce(legs.begin(), legs.end());
    return all;
}

const char* why(MediaShares::Verdict verdict) noexcept {
    switch (verdict) {
        case MediaShares::Verdict::pass: return "";
        case MediaShares::Verdict::stranger: return "too many media streams of its source";
        case MediaShares::Verdict::user: return "too many media streams of this user";
        case MediaShares::Verdict::strangers: return "too many media streams of strangers";
        case MediaShares::Verdict::outside: return "the media ports that are left are for the LAN";
    }
    return "";
}

std::string to_string(const Payer& payer) {
    std::string text(senders[index(payer.sender)]);
    return payer.name.empty() ? text : text + " " + payer.name;
}

Payer parse_payer(std::string_view text) {
    const std::size_t space = text.find(' ');
    for (std::size_t i = 0; i < senders.size(); ++i) {
        if (text.substr(0, space) != senders[i]) continue;
        return {.sender = static_cast<Sender>(i),
                .name = std::string(space == std::string_view::npos ? "" : text.substr(space + 1))};
    }
    return {};
}

}  // namespace natkit::proxy
