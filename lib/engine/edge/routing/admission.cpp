#include "admission.hpp"

#include <algorithm>
#include <array>

#include "natkit/base/text.hpp"

namespace natkit::edge {
namespace {

std::optional<IpAddress> contact_address(const sip::Message& request) {
    const auto contacts = request.values(sip::Name::contact);
    if (contacts.empty()) return std::nullopt;
    const auto contact = sip::NameAddr::parse(contacts.front());
    if (!contact) return std::nullopt;
    const auto uri = sip::Uri::parse(contact->uri);
    return uri ? uri->address() : std::nullopt;
}

}  // namespace

Admission::Admission(const Settings& settings, const Secrets& secrets, const sip::Registrar& registrar,
                     const Media& media, const sip::TransactionLayer& layer, const Neighbours& neighbours,
                     const Router& router, const Answers& answers, proxy::Unanswered& unanswered)
    : settings_(settings),
      secrets_(secrets),
      registrar_(registrar),
      media_(media),
      layer_(layer),
      neighbours_(neighbours),
      router_(router),
      answers_(answers),
      authenticator_(secrets.mac, secrets.hash, secrets.random_hex()),
      flood_(settings.flood),
      unanswered_(unanswered) {}

bool Admission::is_scanner(const sip::Message& request, const sip::Flow& flow) const {
    constexpr std::array scanners = {
        "friendly-scanner", "sipvicious", "sundayddr",       "sip-scan",         "sipsak", "smap", "iwar",
        "sipcli",           "pplsip",     "vaxsipuseragent", "friendly-request", "sipptk", "gulp"};
    if (settings_.open_registrar || settings_.networks.lan.contains(flow.remote.address)) return false;
    const std::string_view agent = request.value(sip::Name::user_agent);
    if (agent.empty() || agent.size() > 200) return false;
    const std::string name = text::lower(agent);
    return std::ranges::any_of(scanners, [&](std::string_view one) { return name.find(one) != std::string::npos; });
}

/// Whether a request carries the token of a dialog, which cannot be made up, and comes from where one of its ends is.
bool Admission::in_own_dialog(const sip::Message& request, const sip::Flow& flow, Now now) const {
    if (request.call_id().empty() || request.to_tag().empty()) return false;
    const Stripped stripped = router_.strip_routes(request, now);
    if (!stripped.token || stripped.forged || stripped.over) return false;
    for (const sip::Flow* end : {&stripped.token->caller, &stripped.token->callee}) {
        if (nat::same_site(end->remote.address, flow.remote.address, settings_.networks)) return true;
    }
    const auto session = media_.find(request.call_id(), request.from_tag(), request.to_tag(), &*stripped.token);
    return session && is_party(flow, *session);
}

bool Admission::floods(const sip::Message& request, const sip::Flow& flow, Now now, Output& out) {
    if (settings_.open_registrar) return false;
    using Verdict = proxy::FloodGate::Verdict;
    const proxy::Sender kind = neighbours_.kind_of(flow);
    auto verdict = flood_.admit(flow.remote, flow.connection, kind, now.steady);
    if (verdict != Verdict::pass && in_own_dialog(request, flow, now)) {
        verdict = flood_.admit_in_dialog(flow.remote, flow.connection, kind, now.steady);
    }
    if (verdict == Verdict::pass) return false;
    if (flood_.first_refusal(flow.remote.address, now.steady)) {
        out.log(LogLevel::problems, "requests from " + to_string(flow.remote.address) +
                                        " dropped: more than the limit (" + to_string(verdict) + ")");
    }
    return true;
}

sip::Asker Admission::asker_of(const sip::Message& request, const sip::Flow& flow, bool elsewhere, Now now) const {
    const proxy::Sender kind = neighbours_.kind_of(flow);
    const sip::Binding* binding = kind == proxy::Sender::user ? registrar_.on_flow(flow) : nullptr;
    const bool asks_in_dialog = kind == proxy::Sender::stranger && !settings_.open_registrar;
    return {.share = neighbours_.share_of(kind, asks_in_dialog && in_own_dialog(request, flow, now)),
            .spoofable = Neighbours::spoofable(flow, kind),
            .proven = proven_.knows(flow.remote, now.steady) || (binding != nullptr && binding->authenticated),
            .elsewhere = elsewhere,
            .bytes = request.bytes().size()};
}

void Admission::learn_proof(const sip::Message& message, const sip::Flow& flow, Now now) {
    if (flow.transport != sip::Transport::udp) return;
    if (proven_.knows(flow.remote, now.steady) || !Neighbours::spoofable(flow, neighbours_.kind_of(flow))) return;
    const bool proof = message.is_request() ? message.method() == "ACK" &&
                                                  (answers_.has_own_tag(message) || in_own_dialog(message, flow, now))
                                            : layer_.is_answer(message);
    if (proof) proven_.note(flow.remote, now.steady);
}

/// A server of [sip.routes] can always be reached again at the port that its Via names, whatever becomes of the
/// connection by which it sent a request: its dialogs are bound to that (RFC 3261 section 18.2.2).
sip::Flow Admission::lasting(const sip::Flow& flow, const sip::Message& request) const {
    if (flow.connection == 0 || request.method() == "REGISTER" || !neighbours_.is_server(flow)) return flow;
    const auto& via = request.top_via();
    if (!via) return flow;
    sip::Flow server = flow;
    server.connection = 0;
    server.remote.port = via->port.value_or(flow.transport == sip::Transport::tls ? 5061 : 5060);
    return server;
}

proxy::Facts Admission::facts_of(const sip::Message& request, const sip::Flow& flow, const sip::Asker& asker,
                                 nat::Place place, const Stripped& stripped) const {
    const auto claimed = claimed_user(request);
    const auto* binding = registrar_.on_flow(flow, claimed ? settings_.address_of_record(*claimed) : std::string());
    return {.on_lan = place == nat::Place::lan,
            .lan_trusted = settings_.lan_trusted,
            .from_server =
                neighbours_.is_server(flow) || (stripped.client && stripped.client->server == flow.remote.address),
            // A Via can name any port.
            .own_flow = binding != nullptr && binding->authenticated && !asker.elsewhere,
            .password = false,
            .claims_user = claimed.has_value(),
            .users_kept = settings_.users != nullptr && !settings_.open_registrar,
            .in_dialog = stripped.token.has_value() || stripped.edge.has_value()};
}

Upstream Admission::upstream_of(const sip::Message& request, const sip::Flow& flow, const sip::Asker& asker,
                                const Stripped& stripped, bool password) const {
    const auto& via = request.top_via();
    const nat::Evidence seen{.received = flow.remote.address,
                             .via = via ? via->address() : std::nullopt,
                             .contact = contact_address(request),
                             .via_count = static_cast<unsigned>(request.values(sip::Name::via).size())};
    Upstream from{.flow = lasting(flow, request),
                  .verdict = nat::classify(seen, settings_.networks),
                  .sender = proxy::Sender::stranger,
                  .by_password = password,
                  .elsewhere = asker.elsewhere};
    proxy::Facts facts = facts_of(request, flow, asker, from.verdict.place, stripped);
    facts.password = password;
    from.sender = proxy::sender_of(facts);
    from.share = neighbours_.share_of(from.sender, facts.in_dialog);
    if (from.verdict.place == nat::Place::lan) return from;
    // Later requests need not show what the REGISTER showed.
    if (const sip::Binding* binding = registrar_.on_flow(flow)) from.verdict = binding->verdict;
    return from;
}

bool Admission::is_party(const sip::Flow& flow, SessionId session) const {
    return std::ranges::any_of(std::array{End::caller, End::callee}, [&](End end) {
        const IpAddress& known = media_.end_info(session, end).flow.remote.address;
        return nat::same_site(known, flow.remote.address, settings_.networks);
    });
}

proxy::Payer Admission::payer_of(const sip::Message& request, const Upstream& from) const {
    if (settings_.open_registrar) return {};
    proxy::Payer payer{.sender = from.sender, .name = {}};
    if (from.sender == proxy::Sender::lan || from.sender == proxy::Sender::server) return payer;
    if (from.sender == proxy::Sender::user) {
        const auto claimed = claimed_user(request);
        const sip::Binding* registered = registrar_.on_flow(from.flow);
        payer.name = claimed                 ? settings_.address_of_record(*claimed)
                     : registered != nullptr ? registered->aor
                                             : std::string();
    }
    if (payer.name.empty()) payer.name = to_string(nat::source_of(from.source().address));
    return payer;
}

std::optional<Answer> Admission::has_too_many(const JudgedRequest& asked, const Route& found, Now now, Output& out) {
    const sip::Message& request = asked.request;
    const bool counts = asked.upstream.sender == proxy::Sender::stranger && !settings_.open_registrar &&
                        request.method() == "INVITE" && request.to_tag().empty() && !asked.upstream.origin;
    if (!counts) return std::nullopt;
    const IpAddress& source = asked.upstream.flow.remote.address;
    using Verdict = proxy::Unanswered::Verdict;
    const Verdict verdict = unanswered_.admit(asked.server, source, found.targets.size());
    if (verdict == Verdict::pass) return std::nullopt;
    if (flood_.first_refusal(source, now.steady)) {
        out.log(LogLevel::problems, "INVITE from " + to_string(source) + " refused: too many calls of " +
                                        (verdict == Verdict::source ? "its" : "strangers") + " are not answered yet");
    }
    const std::string reason = "Too Many Unanswered Calls";
    if (verdict == Verdict::source) return Answer{.status = 486, .reason = reason};
    return Answer{.status = 503, .reason = reason, .fields = {{"Retry-After", "10"}}};
}

}  // namespace natkit::edge
