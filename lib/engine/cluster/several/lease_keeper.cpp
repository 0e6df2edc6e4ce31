#include "lease_keeper.hpp"

#include <algorithm>

#include "../owner_reply.hpp"
#include "../scripts.hpp"
#include "natkit/io/boot_clock.hpp"
#include "natkit/record/lease.hpp"

namespace natkit::cluster {
namespace {

using namespace std::chrono_literals;

constexpr Duration renewal = 1s;
constexpr const char* lease_trouble = "redis-lease";

}  // namespace

LeaseKeeper::LeaseKeeper(State& state, io::Dns& dns, redis::Session::Options options, std::vector<Names> others,
                         Handlers handlers)
    : state_(state),
      others_(std::move(others)),
      handlers_(std::move(handlers)),
      tick_(state.loop, [this] { renew(); }) {
    session_ = std::make_unique<redis::Session>(state.loop, dns, std::move(options),
                                                redis::Session::Handlers{.on_ready =
                                                                             [this](const std::string&) {
                                                                                 connection_ = "connected";
                                                                                 handlers_.on_change();
                                                                                 renew();
                                                                             },
                                                                         .on_lost =
                                                                             [this](const std::string& why) {
                                                                                 connection_ = why;
                                                                                 handlers_.on_change();
                                                                             }});
    tick_.start_in(renewal);
}

void LeaseKeeper::ask(std::vector<std::string> words, redis::Connection::OnReply on_reply) {
    const std::vector<std::string_view> views(words.begin(), words.end());
    session_->ask(views, std::move(on_reply));
}

void LeaseKeeper::renew() {
    tick_.start_in(renewal);
    if (!connected()) return;
    const LeaseValue value = handlers_.value();
    std::vector<std::string> words = {"EVAL", scripts::lease, std::to_string(1 + others_.size()), state_.names.lease()};
    for (const Names& other : others_) words.push_back(other.lease());
    words.push_back(record::lease_text(value));
    words.push_back(value.boot);
    words.push_back(std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(Lease::term).count()));
    const Instant asked = io::boot_now();
    ask(std::move(words), [this, asked](const redis::Reply& reply) { on_lease(asked, reply); });
    for (std::size_t at = 0; at < others_.size(); ++at) ask_owner(at, others_[at]);
}

void LeaseKeeper::on_lease(Instant asked, const redis::Reply& reply) {
    if (!took(reply)) return;
    if (reply[0].number() != 1) return handlers_.on_refused();
    std::vector<Text> others(others_.size());
    for (std::size_t at = 0; at < others.size(); ++at) {
        if (const auto text = reply[at + 2].text()) others[at] = std::string(*text);
    }
    handlers_.on_granted(asked, reply[1].number() == 1, others);
}

void LeaseKeeper::ask_own() {
    if (connected()) ask_owner(others_.size(), state_.names);
}

void LeaseKeeper::remove(std::size_t at, const std::string& state, std::span<const std::string> keys) {
    constexpr std::size_t a_time = 500;
    for (; connected() && !keys.empty(); keys = keys.subspan(std::min(a_time, keys.size()))) {
        std::vector<std::string> words = {"EVAL", scripts::remove, "3", others_[at].lease(), others_[at].owner, state};
        const auto these = keys.first(std::min(a_time, keys.size()));
        words.insert(words.end(), these.begin(), these.end());
        ask(std::move(words), [this](const redis::Reply& reply) { (void)took(reply); });
    }
}

void LeaseKeeper::ask_owner(std::size_t at, const Names& names) {
    ask({"HGETALL", names.owner}, [this, at](const redis::Reply& reply) {
        if (took(reply)) handlers_.on_owner(at, read_owner(reply));
    });
}

bool LeaseKeeper::took(const redis::Reply& reply) {
    const auto error = reply.error();
    if (!error) {
        state_.troubles.clear(lease_trouble);
        return true;
    }
    const std::string why = redis::explain(*error);
    state_.troubles.set(lease_trouble, "Redis: " + why);
    if (redis::is_of_connection(*error)) session_->renew(why);
    return false;
}

}  // namespace natkit::cluster
