#include "natkit/diagnose/facts.hpp"

namespace natkit::diagnose {
namespace {

/// The best of a party's newest descriptions: of one offer or answer seen on several hops, the first or the last hop.
/// What another branch of a fork said does not count once one has answered.
template <class Better>
const SessionDescription* pick(const Call& call, End writer, Better better) {
    const SessionDescription* best = nullptr;
    for (const SessionDescription& one : call.descriptions) {
        if (one.writer != writer || one.streams.empty()) continue;
        if (!call.callee_tag.empty() && !one.tag.empty() && one.tag != call.callee_tag) continue;
        const bool same = best != nullptr && one.cseq == best->cseq && one.request == best->request &&
                          one.method == best->method && one.tag == best->tag;
        if (!same || better(one, *best)) best = &one;
    }
    return best;
}

}  // namespace

const SessionDescription* Call::written(End end) const {
    // A request gathers Vias on its way; a response loses them.
    return pick(*this, end, [](const SessionDescription& one, const SessionDescription& best) {
        return one.request ? one.vias < best.vias : one.vias > best.vias;
    });
}

const SessionDescription* Call::delivered(End end) const {
    return pick(*this, end, [](const SessionDescription& one, const SessionDescription& best) {
        return one.request ? one.vias > best.vias : one.vias < best.vias;
    });
}

bool Call::several_hops() const {
    const SessionDescription* first = written(End::caller);
    const SessionDescription* last = delivered(End::caller);
    return first != nullptr && first != last;
}

}  // namespace natkit::diagnose
