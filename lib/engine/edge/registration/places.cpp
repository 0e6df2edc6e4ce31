// Where registered clients are when the lists change: what they showed when they registered is judged again.
#include "registrations.hpp"

namespace natkit::edge {
namespace {

nat::Verdict judge(const sip::Binding& binding, const nat::Networks& networks) {
    const auto uri = sip::Uri::parse(binding.contact);
    const nat::Evidence seen{.received = binding.flow.remote.address,
                             .via = binding.party.claimed,
                             .contact = uri ? uri->address() : std::nullopt};
    nat::Verdict verdict = nat::classify(seen, networks);
    // What its Via showed is not kept through a restart: without new evidence the client stays behind its NAT.
    const bool forgotten = binding.party.rule == nat::Rule::nated && !binding.party.claimed;
    if (forgotten && verdict.rule == nat::Rule::wan && !networks.nated.contains(seen.received)) return binding.party;
    return verdict;
}

}  // namespace

std::vector<PlaceChange> Registrations::place_changes(const nat::Networks& networks) const {
    std::vector<PlaceChange> changes;
    for (sip::Binding& binding : registrar_.all()) {
        const nat::Verdict now = judge(binding, networks);
        if (now.place == binding.party.place && now.rule == binding.party.rule && now.site == binding.party.site)
            continue;
        changes.push_back({.binding = std::move(binding), .now = now});
    }
    return changes;
}

void Registrations::judge_anew(Now now, Output& out) {
    for (const PlaceChange& change : place_changes(settings_.networks)) {
        out.log(LogLevel::major, "client " + change.binding.aor + " at " + to_string(change.binding.flow.remote) +
                                     ": " + nat::to_string(change.binding.party.place) + " before, now " +
                                     nat::to_string(change.now.place) + " by rule " + nat::to_string(change.now.rule));
        apply(registrar_.set_party(change.binding.id, change.now), now, out);
        // Who is behind a NAT now is pinged once it has shown that it is there.
        if (const sip::Binding* moved = registrar_.by_id(change.binding.id)) look_for(*moved, now, out);
    }
}

}  // namespace natkit::edge
