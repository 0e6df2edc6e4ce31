// links: edge_engine
// The edge's core under a sequence of messages from eight neighbours (on the LAN, on the WAN, behind NATs, two servers,
// two TCP connections that end now and then), open and with users, with time passing and a relay that sometimes
// refuses: no input may crash it, and nothing may be left once all its timers have run out.

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <set>
#include <string_view>

#include "engine/edge/signalling/edge.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace std::chrono_literals;

namespace {

const char* const flow_texts[] = {
    "udp:192.168.10.1:5060-192.168.10.20:5060",   "udp:203.0.113.10:5060-203.0.113.20:5060",
    "udp:203.0.113.10:5060-198.51.100.7:40001",   "udp:203.0.113.10:5060-198.51.100.8:40009",
    "udp:203.0.113.10:5060-203.0.113.90:5060",    "tcp:192.168.10.1:5060-192.168.10.50:41000#5",
    "tcp:203.0.113.10:5060-198.51.100.7:40002#6", "tcp:192.168.10.1:5060-192.168.10.21:40003#7"};

std::string digest(sip::DigestAlgorithm, std::string_view text) {
    return "d" + std::to_string(text.size());
}

Settings settings(bool open) {
    Settings result;
    result.networks = {
        .lan = RangeSet({IpRange::parse("192.168.10.0/24").value()}), .nated = nat::default_nated(), .nat_servers = {}};
    const auto lan = Endpoint::parse("192.168.10.1:5060").value();
    const auto wan = Endpoint::parse("203.0.113.10:5060").value();
    for (const auto transport : {sip::Transport::udp, sip::Transport::tcp}) {
        result.listeners.push_back({transport, lan, lan, Side::lan});
        result.listeners.push_back({transport, wan, wan, Side::wan});
    }
    result.servers = {{.domain = "pbx.example", .to = "sip:192.168.10.50;transport=tcp", .trunk = false},
                      {.domain = "trunk.example", .to = "sip:203.0.113.90", .trunk = true}};
    result.domains = {"example.com"};
    result.open_registrar = open;
    if (open) return result;
    auto users = std::make_shared<sip::Users>();
    for (const char* name : {"alice", "nora", "ned"}) users->add(name, "example.com", sip::DigestAlgorithm::md5, "d3");
    result.users = std::move(users);
    return result;
}

struct World {
    explicit World(bool open) : edge(settings(open), secrets()) {}
    static Secrets secrets() {
        return {.random_hex = [n = 0]() mutable { return "r" + std::to_string(n++); },
                .mac =
                    [](std::span<const std::uint8_t> bytes) {
                        std::array<std::uint8_t, 32> code{};
                        code[0] = static_cast<std::uint8_t>(bytes.size());
                        return code;
                    },
                .cipher = {.seal =
                               [](std::span<const std::uint8_t> plain, std::span<const std::uint8_t>) {
                                   return sip::Cipher::Bytes(plain.begin(), plain.end());
                               },
                           .open =
                               [](std::span<const std::uint8_t> sealed, std::span<const std::uint8_t>) {
                                   return std::optional(sip::Cipher::Bytes(sealed.begin(), sealed.end()));
                               }},
                .hash = digest};
    }
    Edge edge;
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
            edge.on_leg_opened(
                ticket, refused ? Result<RelayLeg>(fail(Errc::exhausted, "full")) : RelayLeg{id, local, {}}, now, out);
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
    std::string_view input(reinterpret_cast<const char*>(data), size);
    World world(input.empty() || input.front() % 2 == 0);
    // Messages are separated by a line "~N": neighbour N mod 8, and seconds N / 8 that pass before it.
    while (!input.empty()) {
        const std::size_t end = input.find("\n~");
        std::string_view message = input.substr(0, end);
        input.remove_prefix(end == std::string_view::npos ? input.size() : end + 2);
        const unsigned number = message.empty() ? 0 : static_cast<unsigned char>(message.front());
        if (!message.empty()) message.remove_prefix(1);
        world.pass(std::chrono::seconds(number / 8));
        Output out;
        const auto lan_address = IpAddress::parse("192.168.10.1").value();
        const auto flow = sip::parse_flow(flow_texts[number % 8]).value();
        world.edge.on_packet({.flow = flow, .side = flow.local.address == lan_address ? Side::lan : Side::wan},
                             std::string(message), world.now, out);
        if (number % 5 == 0 && flow.connection != 0) world.edge.on_flow_closed(flow, "closed", world.now, out);
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
