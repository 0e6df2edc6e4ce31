#include "natkit/engine/explain/passes.hpp"

#include <utility>

namespace natkit::explain {
namespace {

constexpr std::size_t most_passes = 8192;

enum class What : std::uint8_t { said, shown };

std::vector<MediaDescription> streams_of(const record::Pass& pass, std::size_t end, What what) {
    std::vector<MediaDescription> streams;
    for (const record::PassStream& one : pass.streams) {
        const record::PassMedia& media = one.ends[end];
        MediaDescription& seen = streams.emplace_back();
        seen.kind = one.kind;
        seen.rtp = what == What::said ? media.said : media.shown;
        seen.rejected = one.kind.empty();
        if (seen.rtp) seen.family = seen.rtp->address.family();
    }
    return streams;
}

Exchange exchange_of(const record::Pass& pass) {
    const auto& [caller, callee] = pass.ends;
    Exchange exchange{.call_id = pass.call_id, .pass = true};
    exchange.hops.push_back({.from = caller.neighbour,
                             .to = caller.edge,
                             .from_place = caller.place,
                             .to_place = {},
                             .branch = "in",
                             .onward = streams_of(pass, 0, What::said),
                             .back = streams_of(pass, 0, What::shown)});
    exchange.hops.push_back({.from = callee.edge,
                             .to = callee.neighbour,
                             .to_place = callee.place,
                             .branch = "out",
                             .previous_branch = "in",
                             .onward = streams_of(pass, 1, What::shown),
                             .back = streams_of(pass, 1, What::said)});
    return exchange;
}

/// By what a pass is known again: its dialog, and between whom it is. Ports of clients change.
std::string name_of(const record::Pass& pass) {
    std::string name = pass.call_id;
    for (const record::PassEnd& end : pass.ends)
        name += '\n' + end.tag + '\n' + to_string(end.neighbour.address) + '\n' + to_string(end.edge.address);
    return name;
}

}  // namespace

void PassTracker::on_pass(const record::Pass& pass) {
    const auto [at, fresh] = known_.try_emplace(name_of(pass), exchanges_.size());
    if (!fresh) {
        exchanges_[at->second] = exchange_of(pass);
        return;
    }
    exchanges_.push_back(exchange_of(pass));
    if (exchanges_.size() >= most_passes) finish();
}

void PassTracker::finish() {
    known_.clear();
    if (!exchanges_.empty()) on_exchanges(std::exchange(exchanges_, {}));
}

}  // namespace natkit::explain
