// What query, list, statistics and delete tell of calls.
#include <algorithm>

#include "calls.hpp"

namespace natkit::ng {
namespace {

struct Sums {
    std::int64_t packets = 0;
    std::int64_t bytes = 0;
    std::int64_t errors = 0;
};

void add(Sums& sums, const relay::Counters& counters) {
    sums.packets += static_cast<std::int64_t>(counters.received_packets);
    sums.bytes += static_cast<std::int64_t>(counters.received_bytes);
    sums.errors += static_cast<std::int64_t>(counters.dropped(relay::Drop::not_sent));
}

Dictionary told(const Sums& sums) {
    return {{"packets", sums.packets}, {"bytes", sums.bytes}, {"errors", sums.errors}};
}

Dictionary told(const Endpoint& endpoint) {
    return {{"family", endpoint.address.is_v4() ? "IPv4" : "IPv6"},
            {"address", to_string(endpoint.address)},
            {"port", std::int64_t{endpoint.port}}};
}

/// A port of a leg: where it is, and whom it faces.
Dictionary told(const record::LegRecord& leg, relay::Component component) {
    Dictionary one{{"local port", std::int64_t{leg.local(component).port}},
                   {"local address", to_string(leg.advertised)},
                   {"family", leg.advertised.is_v4() ? "IPv4" : "IPv6"}};
    const auto& latched = leg.latched[static_cast<std::size_t>(component)];
    if (latched) one.push_back({"endpoint", told(latched->endpoint)});
    if (leg.party && leg.party->endpoint && component == relay::Component::rtp)
        one.push_back({"advertised endpoint", told(*leg.party->endpoint)});
    return one;
}

}  // namespace

std::optional<Dictionary> Calls::query(const Request& request, const Respond& respond) {
    const Call* call = find(request.call_id);
    if (call == nullptr) return Dictionary{{"result", "error"}, {"error-reason", "Unknown call-id"}};
    tell(*call, {}, respond);
    return std::nullopt;
}

/// Adds to a reply what is known of the call: by tag its streams, and what went through. The counters are asked of the
/// packet threads before whatever is done to the legs next.
void Calls::tell(const Call& call, Dictionary reply, const Respond& respond) {
    struct Gathered {
        Dictionary reply;
        std::array<Sums, 2> totals;
        std::size_t missing = 1;
        Respond respond;

        void done() {
            if (--missing != 0) return;
            reply.push_back({"totals", Dictionary{{"RTP", told(totals[0])}, {"RTCP", told(totals[1])}}});
            reply.push_back({"result", "ok"});
            respond(std::move(reply));
        }
    };
    auto gathered = std::make_shared<Gathered>();
    gathered->respond = respond;
    reply.push_back({"created", call.created});
    reply.push_back({"last signal", call.last_signal});
    Dictionary tags;
    for (const auto& branch : call.branches) {
        for (const End end : {End::caller, End::callee}) {
            const auto& answerers = branch->names.answerers;
            const std::string& tag = end == End::caller  ? branch->names.offerer
                                     : answerers.empty() ? branch->names.via_branch
                                                         : answerers.back();
            List medias;
            std::int64_t number = 0;
            for (const dialog::Stream& stream : branch->call.streams()) {
                ++number;
                const auto pair = branch->pairs.find(stream.legs);
                const auto* leg = pair == branch->pairs.end() ? nullptr : engine_.find(pair->second.legs[index(end)]);
                if (leg == nullptr) continue;
                List ports{told(*leg, relay::Component::rtp)};
                if (leg->has_rtcp()) ports.emplace_back(told(*leg, relay::Component::rtcp));
                medias.emplace_back(
                    Dictionary{{"index", number}, {"type", pair->second.media}, {"streams", std::move(ports)}});
            }
            Dictionary one{{"tag", tag}, {"medias", std::move(medias)}};
            if (!branch->labels[index(end)].empty()) one.push_back({"label", branch->labels[index(end)]});
            tags.push_back({tag, std::move(one)});
        }
        for (const auto& [number, pair] : branch->pairs) {
            // Of legs that are joined with each other one question tells both.
            const auto* first = engine_.find(pair.legs[0]);
            const bool together = first != nullptr && first->joined == pair.legs[1];
            for (const std::string& leg : pair.legs) {
                if (together && leg != pair.legs[0]) continue;
                ++gathered->missing;
                const auto own = relay::key_of(leg);
                const auto other = together ? relay::key_of(pair.legs[1]) : own;
                engine_.collect(leg, [gathered, own, other](const auto& statistics) {
                    for (const auto& [key, counted] : statistics) {
                        if (key != own && key != other) continue;
                        add(gathered->totals[0], counted.counters[0]);
                        add(gathered->totals[1], counted.counters[1]);
                    }
                    gathered->done();
                });
            }
        }
    }
    reply.push_back({"tags", std::move(tags)});
    gathered->reply = std::move(reply);
    gathered->done();
}

Dictionary Calls::list(const Request& request) const {
    constexpr unsigned usual = 32;
    const std::size_t limit = request.limit.value_or(usual);
    List ids;
    for (const auto& [id, call] : calls_) {
        if (ids.size() >= limit) break;
        ids.emplace_back(id);
    }
    return {{"calls", std::move(ids)}, {"result", "ok"}};
}

Dictionary Calls::statistics() const {
    const auto status = engine_.status();
    const auto up = std::chrono::duration_cast<std::chrono::seconds>(loop_.now() - started_).count();
    Dictionary now{{"sessionstotal", static_cast<std::int64_t>(calls_.size())},
                   {"mediastreams", static_cast<std::int64_t>(status.sessions)},
                   {"portsinuse", static_cast<std::int64_t>(status.ports_in_use)}};
    Dictionary all{{"uptime", std::int64_t{up}}, {"managedsessions", static_cast<std::int64_t>(total_calls_)}};
    return {{"statistics", Dictionary{{"currentstatistics", std::move(now)}, {"totalstatistics", std::move(all)}}},
            {"result", "ok"}};
}

}  // namespace natkit::ng
