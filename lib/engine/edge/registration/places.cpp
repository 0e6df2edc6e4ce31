// Where registered clients are when the lists change: what they showed when they registered is judged again.
#include "registrations.hpp"

namespace natkit::edge {
namespace {

nat::Verdict judge(const sip::Binding& binding, const nat::Networks& networks) {
    const auto uri = sip::Uri::parse(binding.contact);
    const nat::Evidence seen{.received = binding.flow.remote.address,
                             .via = binding.verdict.claimed,
                             .contact = uri ? uri->address() : std::nullopt};
    nat::Verdict verdict = nat::classify(seen, networks);
    // What its Via showed is not kept through a restart: without new evidence the client stays behind its NAT.
    const bool forgotten = binding.verdict.rule == nat::Rule::nated && !binding.verdict.claimed;
    if (forgotten && verdict.rule == nat::Rule::wan && !networks.nated.contains(seen.received)) return binding.verdict;
    return verdict;
}

}  // namespace

std::vector<PlaceChange> Registrations::place_changes(const nat::Networks& networks) const {
    std::vector<PlaceChange> changes;
    for (sip::Binding& binding : registrar_.all()) {
        const nat::Verdict now = judge(binding, networks);
        if (now.place == binding.verdict.place && now.rule == binding.verdict.rule && now.site == binding.verdict.site)
            continue;
        changes.push_back({.binding = std::move(binding), .now = now});
    }
    return changes;
}

void Registrations::judge_anew(Now now, Output& out) {
    for (const PlaceChange& change : place_changes(settings_.networks)) {
        out.log(LogLevel::major, "client " + change.binding.aor + " at " + to_string(change.binding.flow.remote) +
                                     ": " + nat::to_string(change.binding.verdict.place) + " before, now " +
                                     nat::to_string(change.now.place) + " by rule " + nat::to_string(change.now.rule));
        apply(registrar_.set_verdict(change.binding.id, change.now), now, out);
        // Who is behind a NAT now is pinged once it has shown that it is there.
        if (const sip::Binding* moved = registrar_.by_id(change.binding.id)) look_for(*moved, now, out);
    }
}

}  // namespace natkit::edge
