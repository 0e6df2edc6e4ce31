// links: edge_engine
// Any sequence of offers, answers, refusals and copies of them in one call, with a relay that sometimes refuses: it
// ends in a committed state that agrees with what was last accepted, a refused offer changes nothing, and the number in
// o= goes up exactly when something else differs.

#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/edge/media/media.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace std::chrono_literals;

namespace {

void expect(bool good) {
    if (!good) std::abort();
}

class Bytes {
  public:
    Bytes(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
    bool empty() const { return left_ == 0; }
    unsigned next() { return left_ == 0 ? 0 : (--left_, *data_++); }

  private:
    const std::uint8_t* data_;
    std::size_t left_;
};

/// One m= line as one end writes it. Port 0: refused, or not used.
struct Line {
    bool fax = false;
    std::uint16_t port = 0;
};
using Lines = std::array<Line, 3>;

const std::array<const char*, 2> hosts = {"192.168.10.20", "192.168.1.5"};

std::string sdp_of(End from, const Lines& lines, unsigned version, bool hold) {
    const std::string host = hosts[static_cast<std::size_t>(from)];
    std::string text =
        "v=0\r\no=x 1 " + std::to_string(version) + " IN IP4 " + host + "\r\ns=-\r\nc=IN IP4 " + host + "\r\nt=0 0\r\n";
    for (const Line& line : lines) {
        text += line.fax ? "m=image " + std::to_string(line.port) + " udptl t38\r\n"
                         : "m=audio " + std::to_string(line.port) + " RTP/AVP 0\r\n";
        if (hold && !line.fax) text += "a=sendonly\r\n";
    }
    return text;
}

/// What was accepted last, and what is open.
struct Model {
    struct Open {
        End offerer{};
        std::uint64_t owner = 0;
        Lines offered;
        std::optional<Lines> answered;
    };
    std::array<Lines, 2> said;  ///< accepted: by both ends
    std::optional<Open> open;

    void close() {
        if (open->answered) {
            const auto offerer = static_cast<std::size_t>(open->offerer);
            for (std::size_t i = 0; i < open->offered.size(); ++i) {
                const bool there = open->offered[i].port != 0 && (*open->answered)[i].port != 0;
                said[offerer][i] = there ? open->offered[i] : Line{};
                said[1 - offerer][i] = there ? (*open->answered)[i] : Line{};
            }
        }
        open.reset();
    }
    std::size_t lines() const {
        return static_cast<std::size_t>(
            std::ranges::count_if(said[0], [](const Line& line) { return line.port != 0; }));
    }
};

Settings settings() {
    Settings result;
    result.networks = {
        .lan = RangeSet({IpRange::parse("192.168.10.0/24").value()}), .nated = nat::default_nated(), .nat_servers = {}};
    return result;
}

EndInfo end_info(const char* flow, nat::Place place, const char* tag) {
    const sip::Flow parsed = sip::parse_flow(flow).value();
    nat::Verdict verdict = nat::classify_address(parsed.remote.address, settings().networks);
    verdict.place = place;
    return {.flow = parsed, .verdict = verdict, .tag = tag};
}

class Call {
  public:
    Call() {
        Output out;
        id_ = media_.create("call", end_info("udp:192.168.10.1:5060-192.168.10.20:5060", nat::Place::lan, "a"),
                            end_info("udp:203.0.113.10:5060-198.51.100.7:40001", nat::Place::far_end, "b"), now_);
        media_.set_established(id_, now_, out);
        take(out);
    }

    void offer(End from, const Lines& lines, bool hold, bool relay_works) {
        relay_works_ = relay_works;
        const std::string body = sdp_of(from, lines, ++version_, hold);
        const std::uint64_t owner = ++owner_;
        Output out;
        ready_ = media_.offer(id_, {.offerer = from, .owner = owner}, body, owner, now_, out);
        take(out);
        relay_works_ = true;
        expect(ready_.has_value());
        if (model_.open) return expect(!*ready_);
        if (!*ready_) return expect(!relay_works);
        model_.open = {.offerer = from, .owner = owner, .offered = lines, .answered = {}};
        sent(loop::other(from), **ready_, lines);
    }
    void answer(Lines lines, bool hold) {
        if (!model_.open) return;
        const End from = loop::other(model_.open->offerer);
        for (std::size_t i = 0; i < lines.size(); ++i) {
            if (model_.open->offered[i].port == 0) lines[i].port = 0;
            lines[i].fax = model_.open->offered[i].fax;
        }
        const std::string body = sdp_of(from, lines, version_, hold);
        Output out;
        const auto first = media_.answer(id_, from, body, now_, out);
        const auto copy = media_.answer(id_, from, body, now_, out);
        take(out);
        expect(first && copy && *first == *copy);
        model_.open->answered = lines;
        sent(loop::other(from), *first, lines);
    }
    void close() {
        Output out;
        media_.close_exchange(id_, now_, out);
        take(out);
        if (!model_.open) return;
        const bool counts = model_.open->answered.has_value();
        model_.close();
        if (counts) check_kept();
    }
    void reject(bool own) {
        Output out;
        media_.reject(id_, own && model_.open ? model_.open->owner : 0, now_, out);
        take(out);
        if (own) model_.open.reset();
    }
    void repeat(End from, const Lines& lines) {
        Output out;
        const auto after = media_.repeat(id_, from, sdp_of(from, lines, version_, false), out);
        take(out);
        expect(after.has_value());
        last_[static_cast<std::size_t>(loop::other(from))] = *after;
    }
    void pass(std::chrono::seconds time) {
        now_ += time;
        Output out;
        media_.on_time(now_, out);
        take(out);
    }
    /// Without an open offer the legs are those of the lines that both have accepted.
    void check() const {
        expect(media_.exchange(id_).pending().has_value() == model_.open.has_value());
        if (!model_.open) expect(legs_.size() == 2 * model_.lines());
    }
    void end() {
        Output out;
        media_.end(id_, "BYE", now_, out);
        take(out);
        expect(legs_.empty() && media_.size() == 0);
    }

  private:
    void take(Output& out) {
        for (const MediaRequest& request : out.media) {
            if (const auto* open = std::get_if<OpenLeg>(&request)) {
                const std::string leg = std::to_string(++opened_);
                const Endpoint local{.address = IpAddress::v4(0xcb00710a),
                                     .port = static_cast<std::uint16_t>(1024 + opened_ * 2 % 64000)};
                Result<RelayLeg> result = fail(Errc::exhausted, "full");
                if (relay_works_) result = RelayLeg{.id = leg, .local = local, .rtcp = {}};
                if (relay_works_) legs_.insert(leg);
                Output later;
                if (auto ready = media_.on_leg_opened(open->ticket, std::move(result), now_, later))
                    ready_ = std::move(ready->body);
                take(later);
            } else if (const auto* freed = std::get_if<FreeLegs>(&request)) {
                for (const std::string& leg : freed->legs) expect(legs_.erase(leg) == 1);
            } else if (const auto* keep = std::get_if<KeepState>(&request)) {
                expect(legs_.contains(keep->leg));
                kept_.erase(keep->leg);
                if (keep->state) kept_.emplace(keep->leg, *keep->state);
            }
        }
        std::erase_if(kept_, [&](const auto& one) { return !legs_.contains(one.first); });
    }
    void check_kept() const {
        if (model_.lines() == 0) return;
        expect(kept_.size() == 1);
        const SessionState& state = kept_.begin()->second;
        for (std::size_t i = 0; i < model_.said[0].size(); ++i) {
            for (std::size_t end = 0; end < 2; ++end) {
                const Line& line = model_.said[end][i];
                if (line.port == 0) continue;
                const SessionState::Stream& stream = state.streams.at(i);
                expect(stream.sides[end].said && stream.sides[end].said->port == line.port);
                expect((stream.kind == relay::Stream::udp) == line.fax);
            }
        }
    }
    /// What an end gets: nothing of the other's network, and a number that fits.
    void sent(End to, const std::string& text, const Lines& lines) {
        const auto slot = static_cast<std::size_t>(to);
        const bool any = std::ranges::any_of(lines, [](const Line& line) { return line.port != 0; });
        if (any) expect(text.find(hosts[1 - slot]) == std::string::npos);
        std::string& before = last_[slot];
        if (!before.empty()) {
            const bool same = without_number(before) == without_number(text);
            expect(same ? number_of(text) >= number_of(before) : number_of(text) > number_of(before));
        }
        before = text;
    }
    static std::size_t number_at(const std::string& text) { return text.find("o=x 1 ") + 6; }
    static std::uint64_t number_of(const std::string& text) { return std::stoull(text.substr(number_at(text))); }
    static std::string without_number(std::string text) {
        const std::size_t at = number_at(text);
        return text.erase(at, text.find(' ', at) - at);
    }

    Settings settings_ = settings();
    Media media_{settings_};
    SessionId id_ = 0;
    Instant now_{};
    Model model_;
    std::set<std::string> legs_;
    std::map<std::string, SessionState> kept_;
    std::array<std::string, 2> last_;
    unsigned version_ = 0;
    unsigned opened_ = 0;
    std::uint64_t owner_ = 0;
    bool relay_works_ = true;
    std::optional<Result<std::string>> ready_;  ///< the last offer as it went on
};

Lines lines_from(Bytes& bytes) {
    Lines lines;
    for (Line& line : lines) {
        const unsigned byte = bytes.next();
        line = {.fax = byte % 4 == 3, .port = static_cast<std::uint16_t>(byte % 4 == 0 ? 0 : 4000 + byte / 4 * 2)};
    }
    return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Bytes bytes(data, size);
    Call call;
    for (unsigned steps = 0; !bytes.empty() && steps < 500; ++steps) {
        const unsigned what = bytes.next();
        const End from = what / 8 % 2 == 0 ? End::caller : End::callee;
        const bool hold = what / 16 % 2 != 0;
        switch (what % 8) {
            case 0: call.close(); break;
            case 1: call.reject(true); break;
            case 2: call.reject(false); break;
            case 3: call.repeat(from, lines_from(bytes)); break;
            case 4: call.pass(std::chrono::seconds(what / 8)); break;
            case 5:
            case 6: call.answer(lines_from(bytes), hold); break;
            default: call.offer(from, lines_from(bytes), hold, what / 32 != 7);
        }
        call.check();
    }
    call.end();
    return 0;
}
