// How well the calls are heard, in few words for each.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "natkit/engine/relay/service.hpp"
#include "requests.hpp"

namespace natkit::relay {
namespace {

/// What is to be told of a call whose streams are in different states: the worst.
int badness(AudioState state) {
    switch (state) {
        case AudioState::one_way: return 4;
        case AudioState::silent: return 3;
        case AudioState::waiting: return 2;
        case AudioState::two_way: return 1;
        case AudioState::held: break;
    }
    return 0;
}

/// All of the legs together, and of jitter the highest.
struct Quality {
    std::uint64_t packets = 0;
    std::uint64_t lost = 0;
    std::optional<Duration> jitter;
    std::optional<AudioState> audio;

    void add(const record::LegRecord& leg, const record::LegStatistics& statistics) {
        packets += statistics.counters[0].received_packets;
        lost += statistics.lost;
        if (statistics.jitter) jitter = std::max(jitter.value_or(Duration{}), *statistics.jitter);
        if (leg.joined.empty()) return;
        if (!audio || badness(statistics.audio) > badness(*audio)) audio = statistics.audio;
    }
    [[nodiscard]] Json record() const {
        Json json = {{"packets", packets}, {"lost", lost}};
        if (jitter)
            json["jitter_ms"] =
                static_cast<double>(std::chrono::duration_cast<std::chrono::microseconds>(*jitter).count()) / 1000;
        if (audio) json["audio"] = to_string(*audio);
        return json;
    }
};

}  // namespace

/// { "calls": [Call-ID, …] } is answered with { "quality": { Call-ID: { packets, lost, jitter_ms, audio }, … } },
/// without those that have no leg of RTP.
void Service::quality(const View& request, const control::Reply& reply) {
    const auto value = request.find("calls");
    const auto list = value ? value->list() : std::nullopt;
    if (!list) return reply.error({Errc::bad_input, "calls", "must be a list"});
    std::set<std::string> calls;
    for (const record::ValueView& each : *list) calls.emplace(each.string().value_or(""));
    engine_->collect({}, [this, reply, calls = std::move(calls)](const record::StatisticsByLeg& all) {
        Json told = Json::object();
        for (const std::string& call : calls) {
            std::optional<Quality> quality;
            for (const auto& [order, leg] : engine_->legs_of(call)) {
                const auto found = all.find(key_of(leg->id));
                if (found == all.end() || leg->stream != Stream::rtp) continue;
                if (!quality) quality.emplace();
                quality->add(*leg, found->second);
            }
            if (quality) told[call] = quality->record();
        }
        reply.ok({{"quality", std::move(told)}});
    });
}

}  // namespace natkit::relay
