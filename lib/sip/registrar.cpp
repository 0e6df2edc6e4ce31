#include "natkit/sip/registrar.hpp"

#include <algorithm>

#include "natkit/base/hash.hpp"
#include "natkit/base/text.hpp"

namespace natkit::sip {
namespace {

/// Where a Contact means something: everywhere, or at one site.
std::optional<IpRange> realm_of(const nat::Verdict& verdict) {
    return verdict.place == nat::Place::far_end ? std::optional(verdict.site) : std::nullopt;
}

}  // namespace

bool ClientName::names(const Binding& binding) const {
    return binding.contact == contact && (realm_of(binding.verdict) == realm_of(verdict) || binding.call_id == call_id);
}

std::string binding_id(std::string_view aor, std::string_view contact, std::string_view where, const Mac& mac) {
    std::string text = "binding\n";
    text += aor;
    text += '\n';  // in no address of record, and in no URI
    text += contact;
    if (!where.empty()) (text += '\n') += where;
    const auto code =
        mac(std::span<const std::uint8_t>(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
    return text::hex(std::span(code).first(8));
}

const Binding* Registrar::named(std::string_view aor, const ClientName& client) const {
    const auto user = users_.find(aor);
    if (user == users_.end()) return nullptr;
    const auto known = std::ranges::find_if(user->second, [&](const Binding& b) { return client.names(b); });
    return known == user->second.end() ? nullptr : &*known;
}

std::string Registrar::id_for(std::string_view aor, const ClientName& client) const {
    const Binding* known = named(aor, client);
    if (known == nullptr && elsewhere_ != nullptr) known = elsewhere_->named(aor, client);
    if (known != nullptr) return known->id;
    const auto site = realm_of(client.verdict);
    std::string where = site ? to_string(*site) : std::string();
    std::string id = binding_id(aor, client.contact, where, mac_);
    // One that was there first has moved on with it.
    const Binding* holder = by_id(id);
    if (holder == nullptr && elsewhere_ != nullptr) holder = elsewhere_->by_id(id);
    if (holder != nullptr && holder->aor == aor)
        id = binding_id(aor, client.contact, (where += '\n') += client.call_id, mac_);
    return id;
}

bool Registrar::is_foreign(const std::string& id, const std::string& aor) const {
    const auto known = aor_of_id_.find(id);
    return known != aor_of_id_.end() && known->second != aor;
}

std::size_t FlowHash::operator()(const Flow& flow) const noexcept {
    std::uint64_t hash = hash::fnv(hash::fnv_basis, static_cast<std::uint64_t>(flow.transport) + flow.connection);
    for (const Endpoint* endpoint : {&flow.local, &flow.remote}) hash = hash::fnv(hash, EndpointHash()(*endpoint));
    return hash;
}

std::chrono::seconds Registrar::granted(const ContactRequest& contact) const {
    return std::min(contact.expires.value_or(limits_.max_expires), limits_.max_expires);
}

Registrar::Outcome Registrar::check(const Registration& request, const Bindings& present) const {
    // Section 10.3 step 7: within one Call-ID the sequence only grows; a repeated request is not an update.
    const bool old = std::ranges::any_of(present, [&](const Binding& binding) {
        return binding.call_id == request.call_id && request.cseq <= binding.cseq;
    });
    if (old && (!request.contacts.empty() || request.remove_all)) return {.status = 500, .changes = {}};
    std::size_t added = 0;
    for (const ContactRequest& contact : request.contacts) {
        const auto seconds = granted(contact);
        if (seconds.count() > 0 && seconds < limits_.min_expires) return {.status = 423, .changes = {}};
        const ClientName client{.contact = contact.uri, .verdict = request.verdict, .call_id = request.call_id};
        if (is_foreign(id_for(request.aor, client), request.aor)) return {.status = 403, .changes = {}};
        if (seconds.count() > 0 && std::ranges::none_of(present, [&](const Binding& b) { return client.names(b); }))
            ++added;
    }
    const bool full = present.size() + added > limits_.contacts_per_aor || size_ + added > limits_.bindings;
    return {.status = added > 0 && full ? 503 : 200, .changes = {}};
}

void Registrar::put(Bindings& bindings, Binding binding, std::vector<BindingChange>& changes) {
    const ClientName client{.contact = binding.contact, .verdict = binding.verdict, .call_id = binding.call_id};
    const auto same = [&](const Binding& other) {
        return other.id == binding.id || client.names(other) ||
               (!binding.instance.empty() && other.instance == binding.instance);
    };
    const auto kind = std::ranges::any_of(bindings, same) ? BindingChange::Kind::updated : BindingChange::Kind::added;
    for (std::size_t i = bindings.size(); i-- > 0;) {
        if (!same(bindings[i])) continue;
        if (bindings[i].flow == binding.flow && bindings[i].reached) binding.reached = true;
        // The same device under a new Contact (its NAT or address changed): the old one is gone.
        if (bindings[i].id != binding.id) changes.push_back({BindingChange::Kind::removed, bindings[i]});
        const Flow flow = bindings[i].flow;
        aor_of_id_.erase(bindings[i].id);
        bindings.erase(bindings.begin() + static_cast<std::ptrdiff_t>(i));
        forget_flow(bindings, flow, binding.aor);
        --size_;
    }
    insert(bindings, binding);
    changes.push_back({kind, std::move(binding)});
}

void Registrar::insert(Bindings& bindings, Binding binding) {
    aors_of_flow_[binding.flow].insert(binding.aor);
    aor_of_id_[binding.id] = binding.aor;
    deadlines_.add(binding.expires, binding.aor);
    ++size_;
    bindings.insert(bindings.begin(), std::move(binding));
}

/// One binding of this user on that flow is gone; `rest` are those that he has left.
void Registrar::forget_flow(const Bindings& rest, const Flow& flow, const std::string& aor) {
    if (std::ranges::find(rest, flow, &Binding::flow) != rest.end()) return;
    const auto known = aors_of_flow_.find(flow);
    if (known == aors_of_flow_.end()) return;
    known->second.erase(aor);
    if (known->second.empty()) aors_of_flow_.erase(known);
}

std::vector<std::string> Registrar::aors_of(const Flow& flow) const {
    const auto known = aors_of_flow_.find(flow);
    if (known == aors_of_flow_.end()) return {};
    return {known->second.begin(), known->second.end()};
}

void Registrar::drop(const std::string& aor, std::size_t index, std::vector<BindingChange>& changes) {
    const auto user = users_.find(aor);
    Bindings& bindings = user->second;
    const Flow flow = bindings[index].flow;
    aor_of_id_.erase(bindings[index].id);
    changes.push_back({BindingChange::Kind::removed, std::move(bindings[index])});
    bindings.erase(bindings.begin() + static_cast<std::ptrdiff_t>(index));
    forget_flow(bindings, flow, aor);
    --size_;
    if (bindings.empty()) users_.erase(user);
}

Registrar::Outcome Registrar::register_contacts(const Registration& request, WallTime now) {
    static const Bindings none;
    const auto user = users_.find(request.aor);
    Outcome outcome = check(request, user == users_.end() ? none : user->second);
    if (outcome.status != 200) return outcome;
    const auto end_there = [&](const std::function<bool(const Binding&)>& which) {
        std::ranges::move(end_elsewhere(request, which, now), std::back_inserter(outcome.changes));
    };
    if (request.remove_all) {
        while (users_.contains(request.aor)) drop(request.aor, 0, outcome.changes);
        end_there([](const Binding&) { return true; });
        return outcome;
    }
    for (const ContactRequest& contact : request.contacts) {
        const auto seconds = granted(contact);
        const ClientName client{.contact = contact.uri, .verdict = request.verdict, .call_id = request.call_id};
        if (seconds.count() > 0) {
            std::string id = id_for(request.aor, client);
            put(users_[request.aor],
                {.id = std::move(id),
                 .aor = request.aor,
                 .contact = contact.uri,
                 .instance = contact.instance,
                 .flow = request.flow,
                 .verdict = request.verdict,
                 .expires = now + seconds,
                 .registered = now,
                 .call_id = request.call_id,
                 .cseq = request.cseq,
                 .q = contact.q,
                 .user_agent = request.user_agent,
                 .authenticated = request.authenticated,
                 .server = {},
                 .reached = request.reached},
                outcome.changes);
            continue;
        }
        std::ranges::move(forget(request.aor, client), std::back_inserter(outcome.changes));
        end_there([&](const Binding& binding) { return client.names(binding); });
    }
    return outcome;
}

std::vector<BindingChange> Registrar::learn(Binding binding) {
    std::vector<BindingChange> changes;
    const auto user = users_.find(binding.aor);
    const bool known = aor_of_id_.contains(binding.id);
    if (is_foreign(binding.id, binding.aor)) return changes;
    const std::size_t present = user == users_.end() ? 0 : user->second.size();
    if (!known && (present >= limits_.contacts_per_aor || size_ >= limits_.bindings)) return changes;
    Bindings& bindings = users_[binding.aor];
    put(bindings, std::move(binding), changes);
    return changes;
}

std::vector<BindingChange> Registrar::forget(std::string_view aor, const std::optional<ClientName>& client) {
    std::vector<BindingChange> changes;
    const std::string name(aor);
    for (;;) {
        const auto user = users_.find(name);
        if (user == users_.end()) return changes;
        const auto found =
            std::ranges::find_if(user->second, [&](const Binding& b) { return !client || client->names(b); });
        if (found == user->second.end()) return changes;
        drop(name, static_cast<std::size_t>(found - user->second.begin()), changes);
    }
}

std::vector<BindingChange> Registrar::end_elsewhere(const Registration& by,
                                                    const std::function<bool(const Binding&)>& which,
                                                    WallTime now) const {
    std::vector<BindingChange> changes;
    if (elsewhere_ == nullptr) return changes;
    for (Binding& binding : elsewhere_->lookup(by.aor, now)) {
        if (binding.call_id == by.call_id && by.cseq <= binding.cseq) continue;
        if (!which(binding)) continue;
        binding.flow = by.flow;
        binding.expires = binding.registered = now;
        binding.call_id = by.call_id;
        binding.cseq = by.cseq;
        changes.push_back({.kind = BindingChange::Kind::removed, .binding = std::move(binding), .elsewhere = true});
    }
    return changes;
}

const Binding* Registrar::by_id(std::string_view id) const {
    const auto aor = aor_of_id_.find(std::string(id));
    const auto user = aor == aor_of_id_.end() ? users_.end() : users_.find(aor->second);
    if (user == users_.end()) return nullptr;
    const auto found = std::ranges::find(user->second, id, &Binding::id);
    return found == user->second.end() ? nullptr : &*found;
}

void Registrar::restore(Binding binding, WallTime now) {
    if (binding.expires <= now || size_ >= limits_.bindings || is_foreign(binding.id, binding.aor)) return;
    std::vector<BindingChange> ignored;
    Bindings& present = users_[binding.aor];
    put(present, std::move(binding), ignored);
}

bool Registrar::replace(Binding binding, WallTime now) {
    (void)remove(binding.id);
    if (binding.expires <= now) return false;
    Bindings& present = users_[binding.aor];
    insert(present, std::move(binding));
    return true;
}

std::vector<BindingChange> Registrar::remove(std::string_view id) {
    std::vector<BindingChange> changes;
    const Binding* binding = by_id(id);
    if (binding == nullptr) return changes;
    const std::string aor = binding->aor;
    drop(aor, static_cast<std::size_t>(binding - users_.at(aor).data()), changes);
    return changes;
}

std::vector<BindingChange> Registrar::remove_flow(const Flow& flow) {
    std::vector<BindingChange> changes;
    for (const std::string& aor : aors_of(flow)) {
        for (auto user = users_.find(aor); user != users_.end(); user = users_.find(aor)) {
            const auto found = std::ranges::find(user->second, flow, &Binding::flow);
            if (found == user->second.end()) break;
            drop(aor, static_cast<std::size_t>(found - user->second.begin()), changes);
        }
    }
    return changes;
}

std::vector<BindingChange> Registrar::move(const Flow& from, const Flow& to, std::string_view call_id,
                                           std::uint32_t cseq) {
    std::vector<BindingChange> changes;
    for (const std::string& aor : aors_of(from)) {
        Bindings& bindings = users_.at(aor);
        for (Binding& binding : bindings) {
            if (binding.flow != from || binding.call_id != call_id || binding.cseq != cseq) continue;
            binding.flow = to;
            forget_flow(bindings, from, aor);
            aors_of_flow_[to].insert(aor);
            changes.push_back({BindingChange::Kind::updated, binding});
        }
    }
    return changes;
}

std::vector<BindingChange> Registrar::set_verdict(std::string_view id, nat::Verdict verdict) {
    const Binding* known = by_id(id);
    if (known == nullptr) return {};
    Bindings& bindings = users_.at(known->aor);
    Binding& binding = bindings[static_cast<std::size_t>(known - bindings.data())];
    binding.verdict = verdict;
    return {{BindingChange::Kind::updated, binding}};
}

std::vector<BindingChange> Registrar::set_reached(std::string_view id) {
    const Binding* known = by_id(id);
    if (known == nullptr) return {};
    Bindings& bindings = users_.at(known->aor);
    Binding& binding = bindings[static_cast<std::size_t>(known - bindings.data())];
    binding.reached = true;
    return {{BindingChange::Kind::updated, binding}};
}

std::vector<BindingChange> Registrar::expire(WallTime now) {
    std::vector<BindingChange> changes;
    while (const auto aor = deadlines_.pop_due(now)) {
        for (;;) {
            const auto user = users_.find(*aor);
            if (user == users_.end()) break;
            const auto dead = std::ranges::find_if(user->second, [&](const Binding& b) { return b.expires <= now; });
            if (dead == user->second.end()) break;
            drop(*aor, static_cast<std::size_t>(dead - user->second.begin()), changes);
        }
    }
    return changes;
}

std::vector<Binding> Registrar::lookup(std::string_view aor, WallTime now) const {
    const auto user = users_.find(aor);
    if (user == users_.end()) return {};
    std::vector<Binding> live;
    std::ranges::copy_if(user->second, std::back_inserter(live), [&](const Binding& b) { return b.expires > now; });
    std::ranges::stable_sort(live, std::greater{}, &Binding::q);
    return live;
}

const Binding* Registrar::on_flow(const Flow& flow, std::string_view aor) const {
    const auto known = aors_of_flow_.find(flow);
    if (known == aors_of_flow_.end()) return nullptr;
    const auto name = aor.empty() ? known->second.begin() : known->second.find(aor);
    const auto user = name == known->second.end() ? users_.end() : users_.find(*name);
    if (user == users_.end()) return nullptr;
    const auto found = std::ranges::find(user->second, flow, &Binding::flow);
    return found == user->second.end() ? nullptr : &*found;
}

std::vector<Binding> Registrar::page(const std::string& after, std::size_t most) const {
    std::vector<Binding> list;
    for (auto user = users_.upper_bound(after); user != users_.end() && most > 0; ++user, --most)
        list.insert(list.end(), user->second.begin(), user->second.end());
    return list;
}

std::vector<std::string> Registrar::ids_if(const std::function<bool(const Binding&)>& holds) const {
    std::vector<std::string> ids;
    for (const auto& [aor, bindings] : users_) {
        for (const Binding& binding : bindings) {
            if (holds(binding)) ids.push_back(binding.id);
        }
    }
    return ids;
}

std::vector<Binding> Registrar::all() const {
    std::vector<Binding> list;
    list.reserve(size_);
    for (const auto& [aor, bindings] : users_) list.insert(list.end(), bindings.begin(), bindings.end());
    return list;
}

}  // namespace natkit::sip
