#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "signalling/edge.hpp"

/// A world for tests of the edge's core: phones written by hand, a clock, and a relay that opens whatever is asked for.
namespace natkit::edge::test {

using namespace std::chrono_literals;

inline Endpoint endpoint(const std::string& text) {
    return Endpoint::parse(text).value();
}

inline Settings settings() {
    Settings result;
    result.networks = {
        .lan = RangeSet({IpRange::parse("192.168.10.0/24").value()}), .nated = nat::default_nated(), .nat_servers = {}};
    result.listeners = {{sip::Transport::udp, endpoint("192.168.10.1:5060"), endpoint("192.168.10.1:5060"), Side::lan},
                        {sip::Transport::udp, endpoint("203.0.113.10:5060"), endpoint("203.0.113.10:5060"), Side::wan}};
    result.domains = {"example.com"};
    result.open_registrar = true;
    result.media_addresses = {endpoint("192.168.10.1:1").address, endpoint("203.0.113.10:1").address};
    return result;
}

inline std::string header(const std::string& message, const std::string& name) {
    const std::size_t at = message.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const std::size_t begin = at + name.size() + 4;
    return message.substr(begin, message.find("\r\n", begin) - begin);
}

/// A phone's side of a dialog, written by hand as a phone would.
struct Phone {
    std::string name;
    std::string address;  ///< what it believes its own to be
    sip::Flow flow;       ///< how the edge sees it
    Side side;

    [[nodiscard]] std::string sdp() const {
        const std::string host = address.substr(0, address.find(':'));
        return "v=0\r\no=" + name + " 1 1 IN IP4 " + host + "\r\ns=-\r\nc=IN IP4 " + host +
               "\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    }
    [[nodiscard]] std::string request(const std::string& method, const std::string& uri, const std::string& to,
                                      const std::string& extra, const std::string& body, int cseq = 1) const {
        const std::string type = body.empty() ? "" : "Content-Type: application/sdp\r\n";
        return method + " " + uri + " SIP/2.0\r\nVia: SIP/2.0/UDP " + address + ";branch=z9hG4bK" + name + method +
               std::to_string(cseq) + ";rport\r\nMax-Forwards: 70\r\nFrom: <sip:" + name + "@example.com>;tag=" + name +
               "\r\nTo: " + to + "\r\nCall-ID: call-" + (method == "REGISTER" ? name : "1") +
               "\r\nCSeq: " + std::to_string(cseq) + " " + method + "\r\nContact: <sip:" + name + "@" + address +
               ">\r\n" + extra + type + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }
    [[nodiscard]] std::string response(const std::string& request_bytes, int status, const std::string& body) const {
        const sip::Message request = sip::Message::parse(request_bytes).value();
        std::vector<std::pair<std::string, std::string>> extra;
        for (const auto& one : request.headers()) {
            if (one.name == sip::Name::record_route) extra.emplace_back("Record-Route", std::string(one.value));
        }
        extra.emplace_back("Contact", "<sip:" + name + "@" + address + ">");
        if (!body.empty()) extra.emplace_back("Content-Type", "application/sdp");
        std::string bytes = sip::make_response(request, status, sip::reason_of(status), name, extra);
        const std::string none = "Content-Length: 0\r\n\r\n";
        return bytes.substr(0, bytes.size() - none.size()) + "Content-Length: " + std::to_string(body.size()) +
               "\r\n\r\n" + body;
    }
};

inline sip::Flow flow(const std::string& text) {
    return sip::parse_flow(text).value();
}

inline const Phone lan_phone{"alice", "192.168.10.20:5060", flow("udp:192.168.10.1:5060-192.168.10.20:5060"),
                             Side::lan};
inline const Phone wan_phone{"wendy", "203.0.113.20:5060", flow("udp:203.0.113.10:5060-203.0.113.20:5060"), Side::wan};
inline const Phone nat_phone{"nora", "192.168.1.5:5060", flow("udp:203.0.113.10:5060-198.51.100.7:40001"), Side::wan};
inline const Phone nat_phone2{"ned", "192.168.1.5:5060", flow("udp:203.0.113.10:5060-198.51.100.8:40009"), Side::wan};

/// No cryptography: something that depends on every byte, as a test needs.
inline sip::Cipher::Bytes toy_tag(std::span<const std::uint8_t> plain, std::span<const std::uint8_t> context) {
    std::uint64_t sum = 0xcbf29ce484222325u;
    for (const auto& part : {context, plain}) {
        for (const std::uint8_t byte : part) sum = (sum ^ byte) * 0x100000001b3u;
    }
    sip::Cipher::Bytes tag(16);
    for (std::uint8_t& byte : tag) {
        sum = (sum ^ (sum >> 29)) * 0x100000001b3u + 1;
        byte = static_cast<std::uint8_t>(sum >> 40);
    }
    return tag;
}

/// The edge, a clock, and a relay that opens whatever leg is asked for.
struct World {
    explicit World(Settings chosen = settings()) : edge(std::move(chosen), secrets()) {}
    World(Settings chosen, Secrets own) : edge(std::move(chosen), std::move(own)) {}

    static Secrets secrets() {
        return {.random_hex = [n = 0]() mutable { return "r" + std::to_string(n++); },
                .mac =
                    [](std::span<const std::uint8_t> data) {
                        std::array<std::uint8_t, 32> code{};
                        std::uint64_t sum = 0xcbf29ce484222325u;
                        for (const std::uint8_t byte : data) sum = (sum ^ byte) * 0x100000001b3u;
                        for (std::uint8_t& byte : code) {
                            sum = (sum ^ (sum >> 29)) * 0x100000001b3u + 1;
                            byte = static_cast<std::uint8_t>(sum >> 40);
                        }
                        return code;
                    },
                .cipher = {.seal =
                               [](std::span<const std::uint8_t> plain, std::span<const std::uint8_t> context) {
                                   sip::Cipher::Bytes sealed = toy_tag(plain, context);
                                   for (const std::uint8_t byte : plain) sealed.push_back(byte ^ 0x5a);
                                   return sealed;
                               },
                           .open = [](std::span<const std::uint8_t> sealed,
                                      std::span<const std::uint8_t> context) -> std::optional<sip::Cipher::Bytes> {
                               if (sealed.size() < 16) return std::nullopt;
                               sip::Cipher::Bytes plain;
                               for (const std::uint8_t byte : sealed.subspan(16)) plain.push_back(byte ^ 0x5a);
                               if (!std::ranges::equal(toy_tag(plain, context), sealed.first(16))) return std::nullopt;
                               return plain;
                           }},
                .hash =
                    [](sip::DigestAlgorithm algorithm, std::string_view text) {
                        return std::to_string(std::hash<std::string_view>()(text)) +
                               (algorithm == sip::DigestAlgorithm::md5 ? "5" : "2");
                    }};
    }

    Edge edge;
    Now now{.steady = {}, .wall = WallTime(1'700'000'000s)};
    std::deque<sip::Packet> sent;
    std::set<std::string> legs;
    std::set<std::set<std::string>> joins;
    std::vector<OpenLeg> opened;
    std::vector<UpdateLeg> updates;
    std::map<std::string, SessionState> kept;  ///< by leg
    std::vector<EndedCall> ended;
    std::size_t decisions = 0;
    bool relay_works = true;
    int next_port = 20000;

    void take(Output& out) {
        for (const sip::Packet& packet : out.packets) sent.push_back(packet);
        for (const Event& event : out.events) {
            decisions += std::holds_alternative<DecisionEvent>(event) ? 1 : 0;
            const auto* call = std::get_if<CallEvent>(&event);
            if (call != nullptr && call->ended && call->ended->whole) ended.push_back(*call->ended);
        }
        for (const MediaRequest& request : out.media) {
            if (const auto* open = std::get_if<OpenLeg>(&request)) {
                open_leg(*open);
            } else if (const auto* join = std::get_if<JoinLegs>(&request)) {
                joins.insert({join->a, join->b});
            } else if (const auto* freed = std::get_if<FreeLegs>(&request)) {
                for (const std::string& leg : freed->legs) CHECK(legs.erase(leg) == 1);
            } else if (const auto* update = std::get_if<UpdateLeg>(&request)) {
                updates.push_back(*update);
            } else if (const auto* keep = std::get_if<KeepState>(&request)) {
                if (keep->state) kept[keep->leg] = *keep->state;
                if (!keep->state) kept.erase(keep->leg);
            }
        }
    }
    void open_leg(const OpenLeg& open) {
        opened.push_back(open);
        Output later;
        if (!relay_works) {
            edge.on_leg_opened(open.ticket, fail(Errc::exhausted, "no port left"), now, later);
            return take(later);
        }
        const std::string port = std::to_string(next_port);
        next_port += 2;
        const std::string host = open.side == Side::lan ? "192.168.10.1:" : "203.0.113.10:";
        legs.insert(port);
        edge.on_leg_opened(open.ticket, RelayLeg{.id = port, .local = endpoint(host + port), .rtcp = {}}, now, later);
        take(later);
    }
    void receive(const Phone& from, const std::string& bytes) {
        Output out;
        edge.on_packet({.flow = from.flow, .side = from.side}, bytes, now, out);
        take(out);
    }
    void pass(std::chrono::milliseconds time) {
        const Instant end = now.steady + time;
        const Instant begin = now.steady;
        const WallTime wall = now.wall;
        while (edge.next_deadline() && *edge.next_deadline() <= end) {
            now.steady = std::max(now.steady, *edge.next_deadline());
            now.wall = wall + std::chrono::duration_cast<std::chrono::milliseconds>(now.steady - begin);
            Output out;
            edge.on_time(now, out);
            take(out);
        }
        now.steady = end;
        now.wall = wall + time;
    }
    /// The next packet to that phone whose start line begins so; empty when there is none. Others are dropped.
    std::string to(const Phone& phone, const std::string& start) {
        while (!sent.empty()) {
            const sip::Packet packet = sent.front();
            sent.pop_front();
            if (packet.flow == phone.flow && packet.bytes->starts_with(start)) return *packet.bytes;
        }
        return {};
    }
    void add(const Phone& phone) {
        receive(phone, phone.request("REGISTER", "sip:example.com", "<sip:" + phone.name + "@example.com>",
                                     "Expires: 600\r\n", ""));
        const std::string answer = to(phone, "SIP/2.0 200");
        REQUIRE_FALSE(answer.empty());
    }
    std::string invite(const Phone& caller, const Phone& callee, bool with_sdp = true) {
        const std::string uri = "sip:" + callee.name + "@example.com";
        receive(caller, caller.request("INVITE", uri, "<" + uri + ">", "", with_sdp ? caller.sdp() : ""));
        return to(callee, "INVITE");
    }
};

/// The Route header fields a phone sends in a dialog, from the Record-Route it was shown.
inline std::string routes(const std::string& message, bool reversed) {
    std::vector<std::string> lines;
    const sip::Message parsed = sip::Message::parse(message).value();
    for (const auto& value : parsed.values(sip::Name::record_route)) lines.push_back("Route: " + std::string(value));
    if (reversed) std::ranges::reverse(lines);
    std::string all;
    for (const std::string& line : lines) all += line + "\r\n";
    return all;
}

}  // namespace natkit::edge::test
