#include "foreign.hpp"

namespace natkit::edge {

Result<void> ForeignClients::put(ForeignClient client, WallTime now) {
    sip::Binding& binding = client.binding;
    const sip::Binding* known = registrar_.by_id(binding.id);
    if (known != nullptr && known->aor != binding.aor) return fail(Errc::refused, "the id is another user's");
    const sip::Registrar::Limits& limits = registrar_.limits();
    const bool full =
        registrar_.size() >= limits.bindings || registrar_.lookup(binding.aor, now).size() >= limits.contacts_per_aor;
    if (known == nullptr && full) return fail(Errc::exhausted, "too many registrations");
    std::string id = binding.id;
    if (!registrar_.replace(std::move(binding), now)) {
        places_.erase(id);
        return {};
    }
    places_[std::move(id)] = {.node = std::move(client.node), .epoch = client.epoch};
    return {};
}

void ForeignClients::forget(std::string_view id) {
    if (registrar_.size() == 0) return;
    for (const auto& change : registrar_.remove(id)) places_.erase(change.binding.id);
}

void ForeignClients::expire(WallTime now) {
    for (const auto& change : registrar_.expire(now)) places_.erase(change.binding.id);
}

ForeignClients::Place ForeignClients::place_of(std::string_view id) const {
    const auto found = places_.find(std::string(id));
    return found == places_.end() ? Place{} : found->second;
}

std::vector<ForeignClient> ForeignClients::lookup(std::string_view aor, WallTime now) const {
    std::vector<ForeignClient> clients;
    if (registrar_.size() == 0) return clients;
    for (sip::Binding& binding : registrar_.lookup(aor, now)) {
        Place place = place_of(binding.id);
        clients.push_back({.node = std::move(place.node), .epoch = place.epoch, .binding = std::move(binding)});
    }
    return clients;
}

std::optional<ForeignClient> ForeignClients::by_id(std::string_view id) const {
    const sip::Binding* binding = registrar_.by_id(id);
    if (binding == nullptr) return std::nullopt;
    Place place = place_of(id);
    return ForeignClient{.node = std::move(place.node), .epoch = place.epoch, .binding = *binding};
}

std::vector<std::string> ForeignClients::ids() const {
    return registrar_.ids_if([](const sip::Binding&) { return true; });
}

bool is_older(const sip::Binding& binding, const sip::Binding& other) {
    if (!binding.call_id.empty() && binding.call_id == other.call_id) return binding.cseq < other.cseq;
    return binding.registered < other.registered;
}

}  // namespace natkit::edge
