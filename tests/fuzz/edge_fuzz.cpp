// links: edge_engine
// The edge's core under a sequence of datagrams from four neighbours, with time passing and a relay that sometimes
// refuses: no input may crash it, and nothing may be left once all its timers have run out.

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <set>
#include <string_view>

#include "natkit/engine/edge/edge.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace std::chrono_literals;

namespace {

const char* const flow_texts[] = {"udp:192.168.10.1:5060-192.168.10.20:5060", "udp:203.0.113.10:5060-203.0.113.20:5060",
                                  "udp:203.0.113.10:5060-198.51.100.7:40001",
                                  "udp:203.0.113.10:5060-198.51.100.8:40009"};

Settings settings() {
    Settings result;
    result.networks = {
        .lan = RangeSet({IpRange::parse("192.168.10.0/24").value()}), .nated = nat::default_nated(), .nat_servers = {}};
    const auto lan = Endpoint::parse("192.168.10.1:5060").value();
    const auto wan = Endpoint::parse("203.0.113.10:5060").value();
    result.listeners = {{sip::Transport::udp, lan, lan, Side::lan}, {sip::Transport::udp, wan, wan, Side::wan}};
    result.domains = {"example.com"};
    result.open_registrar = true;
    return result;
}

struct World {
    Edge edge{settings(),
              {.random_hex = [n = 0]() mutable { return "r" + std::to_string(n++); },
               .mac =
                   [](std::span<const std::uint8_t> bytes) {
                       std::array<std::uint8_t, 32> code{};
                       code[0] = static_cast<std::uint8_t>(bytes.size());
                       return code;
                   }}};
    Now now{.steady = {}, .wall = WallTime(1'700'000'000s)};
    std::deque<std::uint64_t> tickets;
    std::set<std::string> legs;
    unsigned opened = 0;

    void take(const Output& out) {
        for (const MediaRequest& request : out.media) {
            if (const auto* open = std::get_if<OpenLeg>(&request)) tickets.push_back(open->ticket);
            if (const auto* freed = std::get_if<FreeLegs>(&request)) {
                for (const std::string& leg : freed->legs) legs.erase(leg);
            }
        }
    }
    void answer_tickets() {
        while (!tickets.empty()) {
            const std::uint64_t ticket = tickets.front();
            tickets.pop_front();
            Output out;
            const std::string id = std::to_string(++opened);
            const Endpoint local{.address = IpAddress::v4(0xcb00710a), .port = static_cast<std::uint16_t>(opened * 2)};
            const bool refused = opened % 7 == 0;
            if (!refused) legs.insert(id);
            edge.on_leg_opened(ticket, refused ? Result<Leg>(fail(Errc::exhausted, "full")) : Leg{id, local, {}}, now,
                               out);
            take(out);
        }
    }
    void pass(std::chrono::milliseconds time) {
        now.steady += time;
        now.wall += time;
        Output out;
        edge.on_time(now, out);
        take(out);
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    World world;
    std::string_view input(reinterpret_cast<const char*>(data), size);
    // Messages are separated by a line "~N": neighbour N mod 4, and seconds N / 4 that pass before it.
    while (!input.empty()) {
        const std::size_t end = input.find("\n~");
        std::string_view message = input.substr(0, end);
        input.remove_prefix(end == std::string_view::npos ? input.size() : end + 2);
        const unsigned number = message.empty() ? 0 : static_cast<unsigned char>(message.front());
        if (!message.empty()) message.remove_prefix(1);
        world.pass(std::chrono::seconds(number / 4));
        Output out;
        const auto flow = sip::parse_flow(flow_texts[number % 4]).value();
        world.edge.on_packet({.flow = flow, .side = number % 4 == 0 ? Side::lan : Side::wan}, std::string(message),
                             world.now, out);
        world.take(out);
        if (number % 3 != 0) world.answer_tickets();
    }
    world.answer_tickets();
    for (int i = 0; i < 20; ++i) {
        world.pass(1h);
        world.answer_tickets();
    }
    if (world.edge.media().size() != 0 || world.edge.transactions() != 0 || !world.legs.empty()) std::abort();
    return 0;
}
