#include "ladder.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "natkit/base/text.hpp"
#include "words.hpp"

namespace natkit::html {
namespace {

using diagnose::Case;
using diagnose::Path;
using diagnose::Reach;
using diagnose::Request;
using diagnose::Response;
using diagnose::SessionDescription;

constexpr std::size_t most_hosts = 9;
constexpr std::size_t most_rows = 200;
constexpr std::size_t most_streams = 24;

/// A row before its columns are known.
struct Arrow {
    LadderRow row;
    Endpoint from, to;
};

/// "audio 203.0.113.9:4000 sendonly, video rejected"
std::string said(const SessionDescription& description) {
    std::string text;
    for (const diagnose::MediaDescription& media : description.streams) {
        text += (text.empty() ? "" : ", ") + text::printable(media.kind, 16) + " ";
        if (media.rejected || !media.rtp) {
            text += media.rejected ? "rejected" : "without address";
            continue;
        }
        text += to_string(*media.rtp);
        if (media.direction != sdp::Direction::sendrecv) text += std::string(" ") + sdp::to_string(media.direction);
        if (media.encryption != diagnose::Encryption::none) text += " encrypted";
    }
    return text;
}

LadderRow::Kind kind_of(int status) {
    return status < 200   ? LadderRow::Kind::provisional
           : status < 300 ? LadderRow::Kind::success
                          : LadderRow::Kind::failure;
}

/// Gathers arrows from the facts.
class Gatherer {
  public:
    Gatherer(const Case& one, const diagnose::Diagnosis& diagnosis) : one_(one) {
        for (const diagnose::Finding& finding : diagnosis.findings) {
            if (&finding == root(diagnosis) || !diagnosis.broken())
                evidence_.insert(finding.frames.begin(), finding.frames.end());
        }
        for (const SessionDescription& description : one.call().descriptions)
            descriptions_.emplace(description.frame, said(description));
    }

    std::vector<Arrow> run() {
        for (const Request& request : one_.call().requests) {
            add_request(request);
            for (const Response& response : request.responses) add_response(request, response);
        }
        add_descriptions();
        add_media();
        std::ranges::stable_sort(arrows_, [](const Arrow& a, const Arrow& b) {
            return std::pair(a.row.time_ns, a.row.frame) < std::pair(b.row.time_ns, b.row.frame);
        });
        return std::move(arrows_);
    }

  private:
    void add(LadderRow row, const Endpoint& from, const Endpoint& to) {
        row.evidence = evidence_.contains(row.frame);
        if (row.kind != LadderRow::Kind::media) {
            if (const auto found = descriptions_.find(row.frame); found != descriptions_.end())
                row.detail = found->second;
        }
        for (const diagnose::IcmpError& error : one_.facts().icmp) {
            if (error.source != from || error.destination != to) continue;
            row.lost = true;
            row.why = std::string("ICMP: ") + to_string(error.kind);
        }
        arrows_.push_back({.row = std::move(row), .from = from, .to = to});
    }

    void add_request(const Request& request) {
        LadderRow row{.kind = LadderRow::Kind::request,
                      .time_ns = request.first_ns,
                      .last_ns = request.last_ns,
                      .frame = request.frame,
                      .what = text::printable(request.method, 16),
                      .detail = {},
                      .copies = std::max(request.copies, 1U)};
        const bool expects = request.method != "ACK" && request.responses.empty();
        if (request.incomplete || (expects && request.copies >= 2)) {
            row.lost = true;
            row.why = request.incomplete ? "fragments of it are missing" : "no answer";
        }
        if (request.method == "REGISTER" && request.credentials) row.what += " with credentials";
        add(std::move(row), request.source, request.destination);
    }

    void add_response(const Request& request, const Response& response) {
        const std::string reason = text::printable(response.reason, 60);
        add({.kind = kind_of(response.status),
             .time_ns = response.first_ns,
             .last_ns = response.last_ns,
             .frame = response.frame,
             .what = std::to_string(response.status) + (reason.empty() ? "" : " " + reason),
             .detail = {},
             .copies = response.copies},
            request.destination, response.destination);
    }

    /// Those whose messages are not among the requests and responses, as when a NAT was between them.
    void add_descriptions() {
        for (const SessionDescription& description : one_.call().descriptions) {
            const bool known =
                std::ranges::any_of(arrows_, [&](const Arrow& arrow) { return arrow.row.frame == description.frame; });
            if (known || description.source.address.is_unspecified()) continue;
            const std::string method = text::printable(description.method, 16);
            add({.kind = description.request ? LadderRow::Kind::request : kind_of(description.status),
                 .time_ns = description.time_ns,
                 .last_ns = description.time_ns,
                 .frame = description.frame,
                 .what = description.request ? method : std::to_string(description.status) + " to " + method,
                 .detail = {}},
                description.source, description.destination);
        }
    }

    void add_media() {
        std::size_t count = 0;
        for (const Path& path : one_.paths().all()) {
            if (path.stream->distinct() == 0 || ++count > most_streams) continue;
            const diagnose::RtpStream& stream = *path.stream;
            LadderRow row{
                .kind = LadderRow::Kind::media,
                .time_ns = stream.first_ns,
                .last_ns = stream.last_ns,
                .frame = stream.first_frame,
                .what = "RTP, " + counted(stream.distinct(), "packet") + " in " +
                        duration(stream.last_ns - stream.first_ns),
                .detail = std::to_string(stream.source.port) + " → " + std::to_string(stream.destination.port)};
            const Reach first = reach_at(path, stream.first_ns), last = reach_at(path, stream.last_ns);
            if (astray(first) || astray(last)) {
                row.lost = astray(first);
                row.why = (row.lost ? "" : "later ") + std::string(to_string(row.lost ? first : last));
            }
            add(std::move(row), stream.source, stream.destination);
        }
    }

    static bool astray(Reach reach) { return reach != Reach::arrives && reach != Reach::on_the_way; }

    /// In the phase of that time.
    [[nodiscard]] Reach reach_at(const Path& path, std::int64_t time_ns) const {
        const diagnose::Phase* phase = nullptr;
        for (const diagnose::Phase& each : one_.phases()) {
            if (phase == nullptr || each.from_ns <= time_ns) phase = &each;
        }
        return phase == nullptr ? Reach::on_the_way : one_.paths().reach(path, *phase);
    }

    const Case& one_;
    std::set<std::uint64_t> evidence_;
    std::map<std::uint64_t, std::string> descriptions_;  ///< by frame
    std::vector<Arrow> arrows_;
};

/// Gives the hosts their columns.
class Columns {
  public:
    explicit Columns(const Case& one, const std::vector<Arrow>& arrows) : one_(one) {
        for (const Arrow& arrow : arrows) {
            if (arrow.from.address == arrow.to.address && arrow.row.kind != LadderRow::Kind::media)
                shared_.insert(arrow.from.address);
        }
        if (const auto& source = one.call().caller_source) caller_ = key(inside(*source));
        if (const auto& source = one.call().callee_source) callee_ = key(inside(*source));
        for (const bool media : {false, true}) {
            for (const Arrow& arrow : arrows) {
                if ((arrow.row.kind == LadderRow::Kind::media) != media) continue;
                if (media && (shared_.contains(arrow.from.address) || shared_.contains(arrow.to.address))) continue;
                for (const Endpoint& end : {arrow.from, arrow.to}) see(key(end));
            }
        }
        const auto move = [this](const std::optional<Endpoint>& party, bool front) {
            const auto found = party ? std::ranges::find(order_, *party) : order_.end();
            if (found == order_.end()) return;
            order_.erase(found);
            order_.insert(front ? order_.begin() : order_.end(), *party);
        };
        move(callee_, false);
        move(caller_, true);
        while (order_.size() > most_hosts) order_.erase(order_.end() - 2);
    }

    [[nodiscard]] std::optional<std::size_t> of(const Endpoint& end) const {
        const auto found = std::ranges::find(order_, key(end));
        return found == order_.end() ? std::nullopt : std::optional(static_cast<std::size_t>(found - order_.begin()));
    }

    [[nodiscard]] std::vector<LadderHost> hosts() const {
        std::vector<LadderHost> hosts;
        for (const Endpoint& one : order_) {
            const std::string name = one.port == 0 ? to_string(one.address) : to_string(one);
            hosts.push_back({.role = role(one), .name = one.address.is_unspecified() ? "not known" : name});
        }
        return hosts;
    }

  private:
    /// Where it is behind a NAT that the capture has both sides of.
    [[nodiscard]] Endpoint inside(const Endpoint& end) const {
        for (const diagnose::Translation& translation : one_.paths().translations()) {
            if (translation.outside == end) return translation.inside;
        }
        return end;
    }

    /// Without port, where one host is one program.
    [[nodiscard]] Endpoint key(const Endpoint& end) const {
        return shared_.contains(end.address) ? end : Endpoint{.address = end.address};
    }
    void see(const Endpoint& end) {
        if (std::ranges::find(order_, end) == order_.end()) order_.push_back(end);
    }

    [[nodiscard]] std::string role(const Endpoint& end) const {
        if (end == caller_) return one_.call().registration ? "client" : "caller";
        if (end == callee_) return one_.call().registration ? "registrar" : "callee";
        if (one_.paths().outside_of_nat(end.address)) return "outside of a NAT";
        const bool relays = std::ranges::any_of(
            one_.paths().all(), [&](const Path& path) { return path.forwarded && key(path.stream->source) == end; });
        if (passes_on(end)) return relays ? "proxy, relay" : "proxy";
        if (relays) return "relay";
        const bool called =
            std::ranges::any_of(one_.call().requests, [&](const Request& in) { return key(in.destination) == end; });
        if (called) return one_.call().registration ? "registrar" : one_.call().answered ? "also called" : "called";
        return one_.paths().same_box(end.address, end.address) ? "relay" : "";
    }

    /// A request that came here, or to another address of the same machine, goes on from here, or the other way round.
    [[nodiscard]] bool passes_on(const Endpoint& end) const {
        const auto here = [&](const Endpoint& at) {
            return key(at) == end || (end.port == 0 && one_.paths().same_box(at.address, end.address));
        };
        for (const Request& in : one_.call().requests) {
            if (!here(in.destination)) continue;
            for (const Request& out : one_.call().requests) {
                if (here(out.source) && out.cseq == in.cseq && out.method == in.method && out.vias > in.vias)
                    return true;
            }
        }
        return false;
    }

    const Case& one_;
    std::set<IpAddress> shared_;  ///< of several programs that speak with each other
    std::optional<Endpoint> caller_, callee_;
    std::vector<Endpoint> order_;
};

}  // namespace

Ladder ladder_of(const Case& one, const diagnose::Diagnosis& diagnosis) {
    std::vector<Arrow> arrows = Gatherer(one, diagnosis).run();
    const Columns columns(one, arrows);
    Ladder ladder{.hosts = columns.hosts(), .rows = {}};
    for (Arrow& arrow : arrows) {
        const auto from = columns.of(arrow.from), to = columns.of(arrow.to);
        if (!from || !to || ladder.rows.size() >= most_rows) {
            ++ladder.left_out;
            continue;
        }
        arrow.row.from = *from;
        arrow.row.to = *to;
        ladder.rows.push_back(std::move(arrow.row));
    }
    return ladder;
}

}  // namespace natkit::html
