// Legs with what their packet threads count: list and show.
#include <nlohmann/json.hpp>

#include "natkit/base/text.hpp"
#include "natkit/engine/control/pages.hpp"
#include "natkit/engine/relay/service.hpp"
#include "requests.hpp"

namespace natkit::relay {
namespace {

constexpr std::size_t most_told = 256;  ///< legs that are freed and told in one reply

Json with_statistics(const record::LegRecord& leg, const record::StatisticsByLeg& all) {
    Json record = record::to_json(leg);
    const auto found = all.find(key_of(leg.id));
    if (found == all.end()) return record;
    record["statistics"] = record::to_json(found->second);
    if (leg.joined.empty() || is_tcp(leg.stream)) return record;
    Json& audio = record["audio"] = {{"state", to_string(found->second.audio)}};
    if (found->second.mute != 0) {
        audio["mute"] = id_of(found->second.mute);
        audio["cause"] = to_string(found->second.cause);
    }
    return record;
}

}  // namespace

void Service::list(const View& request, const control::Reply& reply) {
    const auto call_id = text_of(request, "call_id");
    const auto owner = text_of(request, "owner");
    const auto statistics = flag_of(request, "statistics");
    if (!call_id) return reply.error(call_id.error());
    if (!owner) return reply.error(owner.error());
    if (!statistics) return reply.error(statistics.error());
    std::uint64_t after = 0;
    if (const auto cursor = request.find("after")) {
        const auto number = cursor->number();
        if (!number) return reply.error({Errc::bad_input, "after", "must be the next of a page"});
        after = *number;
    }
    const auto answer = [this, reply, after, call_id = *call_id, owner = *owner](const record::StatisticsByLeg& all) {
        control::Page page("legs");
        std::uint64_t last = 0;
        for (const auto& [order, leg] : call_id.empty() ? engine_->legs() : engine_->legs_of(call_id)) {
            if (order <= after || (!owner.empty() && leg->owner != owner)) continue;
            if (page.full()) return reply.ok(page.close(last));
            page.add(with_statistics(*leg, all));
            last = order;
        }
        reply.ok(page.close());
    };
    // The counters are with the packet threads; who does not want them is answered at once.
    if (!statistics->value_or(true)) return answer({});
    engine_->collect({}, answer);
}

/// What has been counted is asked of the packet threads before the legs are gone, and told when they have answered.
void Service::free_and_tell(const View& request, const control::Reply& reply) {
    struct Gathered {
        std::vector<record::LegRecord> legs;
        record::StatisticsByLeg statistics;
        std::size_t missing = 1;
        control::Reply reply;

        explicit Gathered(control::Reply to) : reply(std::move(to)) {}
        void done() {
            if (--missing != 0) return;
            Json told = Json::array();
            for (const record::LegRecord& leg : legs) told.push_back(with_statistics(leg, statistics));
            reply.ok({{"freed", legs.size()}, {"legs", std::move(told)}});
        }
    };
    const auto value = request.find("legs");
    const auto list = value ? value->list() : std::nullopt;
    if (!list) return reply.error({Errc::bad_input, "legs", "must be a list, with statistics"});
    const auto gathered = std::make_shared<Gathered>(reply);
    for (const record::ValueView& each : *list) {
        const record::LegRecord* leg = engine_->find(std::string(each.string().value_or("")));
        if (leg == nullptr || gathered->legs.size() >= most_told) continue;
        gathered->legs.push_back(*leg);
        ++gathered->missing;
        engine_->collect(leg->id, [gathered](const record::StatisticsByLeg& all) {
            gathered->statistics.insert(all.begin(), all.end());
            gathered->done();
        });
    }
    for (const record::ValueView& each : *list)
        (void)engine_->free(std::string(each.string().value_or("")), "freed", Engine::Wake::later);
    gathered->done();
}

void Service::show(const View& request, const control::Reply& reply) {
    const auto id = text_of(request, "leg", true);
    if (!id) return reply.error(id.error());
    if (engine_->find(*id) == nullptr)
        return reply.error({Errc::not_found, "leg", "no leg '" + text::printable(*id, 40) + "'"});
    engine_->collect(*id, [this, reply, id = *id](const record::StatisticsByLeg& all) {
        Json legs = Json::array();
        const record::LegRecord* leg = engine_->find(id);
        if (leg != nullptr) {
            legs.push_back(with_statistics(*leg, all));
            if (const record::LegRecord* peer = engine_->find(leg->joined)) legs.push_back(with_statistics(*peer, all));
        }
        reply.ok({{"legs", std::move(legs)}});
    });
}

}  // namespace natkit::relay
