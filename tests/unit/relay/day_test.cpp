// A day of calls in compressed time: ports, legs, joins and latches over 86,400 virtual seconds, and nothing grows.
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <random>

#include "natkit/relay/ports.hpp"
#include "natkit/relay/relay.hpp"

using namespace natkit;
using namespace natkit::relay;
using namespace std::chrono_literals;

namespace {

struct Call {
    UdpLeg* lan = nullptr;
    UdpLeg* far = nullptr;
    std::uint16_t lan_port = 0;
    std::uint16_t far_port = 0;
    Instant ends{};
    bool crashes = false;  ///< its phones vanish: no BYE ever comes
    std::uint16_t sequence = 0;
};

std::array<std::uint8_t, 172> rtp_packet(std::uint32_t ssrc, std::uint16_t sequence) {
    std::array<std::uint8_t, 172> bytes{};
    bytes[0] = 0x80;
    bytes[2] = static_cast<std::uint8_t>(sequence >> 8);
    bytes[3] = static_cast<std::uint8_t>(sequence);
    for (unsigned i = 0; i < 4; ++i) bytes[8 + i] = static_cast<std::uint8_t>(ssrc >> (24 - 8 * i));
    return bytes;
}

/// About 300 calls at a time, each a few minutes long; one packet each way every five seconds stands for 250.
class Day {
  public:
    void run() {
        for (int second = 0; second < 86400; ++second, now_ += 1s) {
            if (random_() % 2 == 0) start_call();
            for (auto call = calls_.begin(); call != calls_.end();) {
                const bool ended = call->ends <= now_;
                if (!ended && second % 5 == 0) speak(*call);
                if (ended && !call->crashes) {
                    end(*call);
                    call = calls_.erase(call);
                } else {
                    ++call;
                }
            }
            relay_.on_time(now_);
            handle_events();
            most_legs_ = std::max(most_legs_, relay_.legs.legs().size());
        }
        for (Call& call : calls_) end(call);
        calls_.clear();
    }

    std::size_t started_ = 0;
    std::size_t refused_ = 0;
    std::size_t timed_out_ = 0;
    std::size_t latched_ = 0;
    std::size_t most_legs_ = 0;
    std::uint64_t relayed_ = 0;
    Relay relay_{{.silence = 60s, .hold = 2h}};
    Ports ports_{{20000, 21999}};
    Instant now_{1000s};

  private:
    static Endpoint lan_phone(std::size_t n) {
        return {IpAddress::v4(0xc0a80a00U + 5 + static_cast<std::uint32_t>(n % 200)),
                static_cast<std::uint16_t>(4000 + n % 2000)};
    }
    static Endpoint far_phone(std::size_t n) {
        return {IpAddress::v4(0xc6336400U + static_cast<std::uint32_t>(n % 250)),
                static_cast<std::uint16_t>(30000 + n % 20000)};
    }

    void start_call() {
        const auto random = [this](std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); };
        const auto lan_port = ports_.take(Ports::Kind::pair, now_, random);
        const auto far_port = ports_.take(Ports::Kind::pair, now_, random);
        if (!lan_port || !far_port) {
            ++refused_;
            if (lan_port) ports_.give_back(Ports::Kind::pair, *lan_port, now_);
            return;
        }
        const std::size_t n = ++started_;
        Call call{.lan = &relay_.udp.add(2 * n, Stream::rtp, false, now_),
                  .far = &relay_.udp.add(2 * n + 1, Stream::rtp, false, now_)};
        call.lan_port = *lan_port;
        call.far_port = *far_port;
        call.ends = now_ + std::chrono::seconds(10 + random_() % 600);
        call.crashes = random_() % 50 == 0;
        relay_.signal(*call.lan, {.place = nat::Place::lan, .endpoint = lan_phone(n)}, SourcePolicy::learn_port, now_);
        relay_.signal(*call.far, {.place = nat::Place::far_end, .visible = far_phone(n).address}, SourcePolicy::latch,
                      now_);
        relay_.join(*call.lan, *call.far, now_);
        calls_.push_back(call);
    }

    void speak(Call& call) {
        const std::size_t n = call.lan->key / 2;
        const auto from_lan = rtp_packet(1, ++call.sequence);
        const auto from_far = rtp_packet(2, call.sequence);
        if (relay_.udp.on_packet(*call.far, Component::rtp, far_phone(n), from_far, now_).leg != nullptr) ++relayed_;
        if (relay_.udp.on_packet(*call.lan, Component::rtp, lan_phone(n), from_lan, now_).leg != nullptr) ++relayed_;
    }

    void end(Call& call) {
        relay_.remove(call.lan->key, now_);
        relay_.remove(call.far->key, now_);
        ports_.give_back(Ports::Kind::pair, call.lan_port, now_);
        ports_.give_back(Ports::Kind::pair, call.far_port, now_);
    }

    void handle_events() {
        if (!relay_.legs.has_events()) return;
        for (const Event& event : relay_.legs.take_events()) {
            if (event.kind == Event::Kind::latched) ++latched_;
            if (event.kind != Event::Kind::timed_out) continue;
            ++timed_out_;
            const auto call = std::find_if(calls_.begin(), calls_.end(), [&](const Call& c) {
                return c.lan->key == event.leg || c.far->key == event.leg;
            });
            REQUIRE(call != calls_.end());
            end(*call);
            calls_.erase(call);
        }
    }

    std::mt19937 random_{7};
    std::deque<Call> calls_;
};

}  // namespace

TEST_CASE("relay: a day of calls") {
    Day day;
    day.run();
    CHECK(day.started_ > 40000);
    CHECK(day.refused_ == 0);
    CHECK(day.latched_ > 2 * day.started_ - 2 * 10);  // all but the last ones
    CHECK(day.relayed_ > 2'000'000);
    CHECK(day.timed_out_ > 500);  // the crashed phones, and nobody else
    CHECK(day.timed_out_ < 1100);
    CHECK(day.most_legs_ < 600);
    CHECK(day.relay_.legs.legs().size() == 0);
    CHECK(day.relay_.legs.joins().size() == 0);
    CHECK(day.ports_.in_use() == 0);
}
