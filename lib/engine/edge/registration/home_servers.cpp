#include "home_servers.hpp"

#include <algorithm>

#include "../print.hpp"
#include "natkit/base/text.hpp"

namespace natkit::edge {
namespace {

/// How long a server that has not shown that it knows Path is not asked again. It is served all the same.
constexpr std::chrono::hours path_is_tried_again{24};

std::optional<std::chrono::seconds> granted_seconds(std::optional<std::string_view> digits) {
    const auto number = digits ? text::parse_number(text::trim(*digits), 7 * 24 * 3600) : std::nullopt;
    if (!number) return std::nullopt;
    return std::chrono::seconds(static_cast<std::int64_t>(*number));
}

/// A Contact value with another URI; its parameters stay.
std::string with_uri(std::string_view value, const std::string& old_uri, const std::string& new_uri) {
    const std::size_t at = value.find("<" + old_uri + ">");
    if (at == std::string_view::npos)
        return "<" + new_uri + ">" + std::string(value.substr(std::min(old_uri.size(), value.size())));
    return std::string(value.substr(0, at + 1)) + new_uri + std::string(value.substr(at + 1 + old_uri.size()));
}

/// RFC 3261 section 19.1.4, as far as Contacts of phones go.
bool same_contact(const std::string& a, const std::string& b) {
    if (a == b) return true;
    const auto one = sip::Uri::parse(a);
    const auto other = sip::Uri::parse(b);
    const auto transport = [](const sip::Uri& uri) { return text::lower(uri.params.get("transport").value_or("udp")); };
    return one && other && one->same_address(*other) && transport(*one) == transport(*other);
}

bool lists(const sip::Message& message, sip::Name name, std::string_view word) {
    return std::ranges::any_of(message.values(name), [&](std::string_view one) { return text::iequals(one, word); });
}

/// RFC 3261 section 10.3 step 7: what has one Call-ID comes in the order of its CSeqs, and a server need not do what
/// comes twice with the same. So that a REGISTER can be sent again with something changed, whatever the client numbers
/// its next one, and without anything to be kept for that, each of the client's numbers is two of ours. 0: no room.
std::uint32_t cseq_beyond(const sip::Message& request, bool again) {
    const auto& cseq = request.cseq();
    if (!cseq || cseq->number >= 1U << 30) return 0;
    return 2 * cseq->number + (again ? 1 : 0);
}

/// Replaces the URIs of all Contact values for which `other` has one; those for which it has an empty one go.
template <class Other>
void replace_contacts(sip::Edit& edit, const sip::Message& message, const Other& other) {
    for (const sip::Header& header : message.headers()) {
        if (header.name != sip::Name::contact) continue;
        std::string line;
        for (const std::string_view value : sip::split_values(header.value)) {
            const auto contact = sip::NameAddr::parse(value);
            const std::string* uri = contact ? other(contact->uri) : nullptr;
            if (uri != nullptr && uri->empty()) continue;
            line += (line.empty() ? "" : ", ") +
                    (uri == nullptr ? std::string(value) : with_uri(value, contact->uri, *uri));
        }
        if (line.empty()) {
            edit.remove(header);
        } else {
            edit.set_value(header, line);
        }
    }
}

}  // namespace

HomeServers::Plan HomeServers::plan(const sip::Message& request, const Upstream& from, const std::string& domain,
                                    const sip::Flow& flow, Now now, std::vector<std::string> left) const {
    const auto& to = request.to();
    const auto user = to ? sip::Uri::parse(to->uri) : sip::Uri::parse("");
    const auto server = std::ranges::find(settings_.servers, domain, &Server::domain);
    if (!user || server == settings_.servers.end()) return nullptr;
    const auto without = without_path_.find(domain);
    const bool automatic = server->path == PathMode::automatic;
    auto plan = std::make_shared<Registering>();
    plan->aor = user->user + "@" + text::lower(user->host);
    plan->by_contact = server->path == PathMode::contact ||
                       (automatic && without != without_path_.end() && without->second > now.steady);
    plan->cseq = cseq_beyond(request, false);
    const std::string transport =
        flow.transport == sip::Transport::udp ? std::string() : std::string(";transport=") + to_string(flow.transport);
    const auto own_uri = [&](const std::string& id, const char* end) {
        const sip::ClientToken token{.binding = print_number(id), .server = flow.remote.address};
        return "sip:" + sip::encode(token, secrets_.cipher) + "@" + neighbours_.host_port(flow) + transport + end;
    };
    const auto expires = granted_seconds(
        request.find(sip::Name::expires) == nullptr ? std::nullopt : std::optional(request.value(sip::Name::expires)));
    for (const std::string_view value : request.values(sip::Name::contact)) {
        const auto contact = sip::NameAddr::parse(value);
        if (!contact) continue;
        if (contact->uri == "*") {
            plan->remove_all = true;
            continue;
        }
        const auto own = granted_seconds(contact->params.get("expires"));
        const std::string id = registrar_.id_for(
            plan->aor, {.contact = contact->uri, .verdict = from.verdict, .call_id = request.call_id()});
        plan->items.push_back(
            {.contact = contact->uri, .id = id, .shown = own_uri(id, ""), .expires = own ? own : expires});
        const auto known = placed_.find(id);
        const bool other = known != placed_.end() ? (known->second == Placed::by_contact) != plan->by_contact
                                                  : plan->by_contact && automatic;
        if (other) left.push_back(plan->by_contact ? contact->uri : plan->items.back().shown);
    }
    std::ranges::sort(left);
    left.erase(std::ranges::unique(left).begin(), left.end());
    plan->taken_back = std::move(left);
    if (!plan->by_contact && !plan->items.empty()) plan->path = own_uri(plan->items.front().id, ";lr");
    return plan;
}

void HomeServers::apply(sip::Edit& edit, const sip::Message& request, const Registering& plan) {
    if (plan.cseq != 0) edit.set(sip::Name::cseq, std::to_string(plan.cseq) + " REGISTER");
    if (!plan.path.empty()) {
        edit.prepend(sip::Name::path, "<" + plan.path + ">");
        if (!lists(request, sip::Name::supported, "path")) edit.append(sip::Name::supported, "path");
    }
    if (plan.by_contact) {
        replace_contacts(edit, request, [&](const std::string& uri) -> const std::string* {
            const auto found = std::ranges::find(plan.items, uri, &Registering::Item::contact);
            return found == plan.items.end() ? nullptr : &found->shown;
        });
    }
    for (const std::string& uri : plan.taken_back) edit.append(sip::Name::contact, "<" + uri + ">;expires=0");
}

void HomeServers::undo(sip::Edit& edit, const sip::Message& request, const sip::Message& response,
                       const Registering& plan) {
    if (plan.cseq != 0) edit.set(sip::Name::cseq, request.value(sip::Name::cseq));
    if (response.status() >= 300) return;
    if (!plan.path.empty() && !lists(request, sip::Name::supported, "path")) edit.remove_all(sip::Name::path);
    static const std::string none;
    replace_contacts(edit, response, [&](const std::string& uri) -> const std::string* {
        if (!plan.by_contact)
            return std::ranges::find(plan.items, uri, &Registering::Item::shown) == plan.items.end() ? nullptr : &none;
        if (std::ranges::find(plan.items, uri, &Registering::Item::contact) != plan.items.end()) return &none;
        const auto found = std::ranges::find(plan.items, uri, &Registering::Item::shown);
        return found == plan.items.end() ? nullptr : &found->contact;
    });
}

void HomeServers::note_placed(const std::string& id, Placed how) {
    if (placed_.contains(id) || placed_.size() < settings_.registrar.bindings) placed_[id] = how;
}

/// The Contacts of these clients by which the server would reach them too: each would be called once for each. They
/// are from before it was known, or from before it changed, what the server makes of Path.
std::vector<std::string> HomeServers::left_behind(const Registering& plan, const sip::Message& response,
                                                  WallTime now) const {
    std::vector<std::string> left;
    if (plan.remove_all) return left;
    for (const std::string_view value : response.values(sip::Name::contact)) {
        const auto contact = sip::NameAddr::parse(value);
        const auto uri = contact ? sip::Uri::parse(contact->uri) : sip::Uri::parse("");
        if (!uri || !settings_.is_own(*uri)) continue;
        const auto token = router_.client_token(uri->user, now);
        const bool other = token && std::ranges::any_of(plan.items, [&](const Registering::Item& item) {
                               return print_number(item.id) == token->binding &&
                                      !(plan.by_contact && same_contact(contact->uri, item.shown));
                           });
        if (other) left.push_back(contact->uri);
    }
    return left;
}

/// What the server is to take back, now that it has shown what it makes of Path; nothing: it may be left as it is.
std::vector<std::string> HomeServers::to_take_back(const Registering& plan, const std::string& domain,
                                                   const sip::Message& response, Now now, Output& out) {
    const bool success = response.status() < 300;
    const auto known = std::ranges::find(settings_.servers, domain, &Server::domain);
    const bool automatic = known != settings_.servers.end() && known->path == PathMode::automatic;
    const bool ends = std::ranges::all_of(
        plan.items, [](const Registering::Item& item) { return item.expires == std::chrono::seconds(0); });
    const bool kept = !ends && response.find(sip::Name::contact) != nullptr;
    const bool no_path = response.status() == 420 || (success && kept && response.find(sip::Name::path) == nullptr);
    if (plan.again || plan.items.empty() || (!success && response.status() != 420)) return {};
    if (!automatic || plan.by_contact || !no_path)
        return success ? left_behind(plan, response, now.wall) : std::vector<std::string>();
    out.log(LogLevel::major, "the server of " + domain +
                                 " does not know Path, or keeps it in silence: it is shown Contacts of the edge");
    without_path_[domain] = now.steady + path_is_tried_again;
    std::vector<std::string> back;
    for (const Registering::Item& item : plan.items) {
        // A 2xx: it has registered the client's own Contact, by a way of which nobody knows whether it serves.
        if (success) note_placed(item.id, Placed::by_path);
        if (!success && !placed_.contains(item.id)) note_placed(item.id, Placed::by_contact);
        back.push_back(item.contact);
    }
    return back;
}

HomeServers::Outcome HomeServers::on_response(const Context& context, const Branch& branch,
                                              const sip::Message& response, Now now, Output& out) {
    const Registering& sent = *branch.registering;
    note_challenge(sent, branch.server, response, context.upstream.flow);
    std::vector<std::string> back = to_take_back(sent, branch.server, response, now, out);
    const bool success = response.status() < 300;
    if (back.empty())
        return {.changes = success ? learn(context, branch, response, now.wall) : decltype(Outcome::changes)()};
    if (!success) back.clear();  // nothing is registered
    const Plan anew = plan(context.request, context.upstream, branch.server, branch.flow, now, std::move(back));
    if (anew == nullptr) return {};  // a server no more
    auto again = std::make_shared<Registering>(*anew);
    again->again = true;
    again->cseq = cseq_beyond(context.request, true);
    return {.changes = {}, .again = std::move(again)};
}

/// The nonces by which the server can be convinced: those of a challenge, and the next one that a 2xx may hold.
void HomeServers::note_challenge(const Registering& plan, const std::string& domain, const sip::Message& response,
                                 const sip::Flow& to) {
    for (const sip::Header& header : response.headers()) {
        const bool challenge =
            header.name == sip::Name::www_authenticate || header.name == sip::Name::proxy_authenticate;
        if (challenge && response.status() >= 300) {
            challenges_.note(domain, sip::challenge_field(header.value, "nonce"), plan.aor, neighbours_.site_text(to));
        } else if (response.status() < 300 && text::iequals(header.name_text, "Authentication-Info")) {
            challenges_.note(domain, sip::challenge_field(header.value, "nextnonce"), plan.aor,
                             neighbours_.site_text(to));
        }
    }
}

/// Whether the server, which has granted this, has made sure who it was: it had asked this user for a password, and got
/// an answer; or did so before on the same flow.
bool HomeServers::has_proved(const Context& context, const Branch& branch, const std::string& id) const {
    const sip::Binding* before = registrar_.by_id(id);
    const bool same_flow = before != nullptr && before->flow == context.upstream.flow && !context.upstream.elsewhere;
    if (same_flow && before->authenticated) return true;
    return std::ranges::any_of(context.request.headers(), [&](const sip::Header& header) {
        return (header.name == sip::Name::authorization || header.name == sip::Name::proxy_authorization) &&
               challenges_.knows(branch.server, sip::challenge_field(header.value, "nonce"), branch.registering->aor,
                                 neighbours_.site_text(context.upstream.flow));
    });
}

std::vector<sip::BindingChange> HomeServers::learn(const Context& context, const Branch& branch,
                                                   const sip::Message& response, WallTime now) {
    const Registering& plan = *branch.registering;
    const sip::Message& request = context.request;
    for (const Registering::Item& item : plan.items) {
        // Not every server takes back at once what it is told to: the next REGISTER says it again.
        const bool there = plan.by_contact && std::ranges::any_of(response.values(sip::Name::contact), [&](auto value) {
                               const auto contact = sip::NameAddr::parse(value);
                               return contact && same_contact(contact->uri, item.contact);
                           });
        if (!there) note_placed(item.id, plan.by_contact ? Placed::by_contact : Placed::by_path);
    }
    std::vector<sip::BindingChange> changes;
    const auto add = [&](std::vector<sip::BindingChange> more) {
        std::ranges::move(more, std::back_inserter(changes));
    };
    const auto& cseq = request.cseq();
    const auto end = [&](const std::optional<sip::ClientName>& client) {
        add(registrar_.forget(plan.aor, client));
        sip::Registration by;
        by.aor = plan.aor;
        by.call_id = request.call_id();
        by.cseq = cseq ? cseq->number : 0;
        by.flow = context.upstream.flow;
        const auto named = [&](const sip::Binding& binding) { return !client || client->names(binding); };
        add(registrar_.end_elsewhere(by, named, now));
    };
    if (plan.remove_all) {
        end(std::nullopt);
        return changes;
    }
    const auto granted_to_all = response.find(sip::Name::expires) == nullptr
                                    ? std::nullopt
                                    : granted_seconds(response.value(sip::Name::expires));
    const sip::Flow& flow = context.upstream.flow;
    for (const Registering::Item& item : plan.items) {
        std::optional<std::chrono::seconds> granted;
        for (const std::string_view value : response.values(sip::Name::contact)) {
            const auto contact = sip::NameAddr::parse(value);
            if (!contact || !same_contact(contact->uri, plan.by_contact ? item.shown : item.contact)) continue;
            granted = granted_seconds(contact->params.get("expires"));
            if (!granted) granted = granted_to_all ? granted_to_all : item.expires;
            if (!granted) granted = std::chrono::hours(1);
        }
        if (!granted || granted->count() == 0) {
            end(sip::ClientName{
                .contact = item.contact, .verdict = context.upstream.verdict, .call_id = request.call_id()});
            continue;
        }
        const bool proved = has_proved(context, branch, item.id);
        add(registrar_.learn({.id = item.id,
                              .aor = plan.aor,
                              .contact = item.contact,
                              .instance = {},
                              .flow = flow,
                              .verdict = context.upstream.verdict,
                              .expires = now + *granted,
                              .registered = now,
                              .call_id = std::string(request.call_id()),
                              .cseq = cseq ? cseq->number : 0,
                              .q = 1000,
                              .user_agent = text::printable(request.value(sip::Name::user_agent), 80),
                              .authenticated = proved,
                              .server = branch.server,
                              .reached = proved || flow.transport != sip::Transport::udp}));
    }
    return changes;
}

}  // namespace natkit::edge
