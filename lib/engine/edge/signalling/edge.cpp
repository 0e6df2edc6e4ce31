#include "edge.hpp"

#include <algorithm>

#include "natkit/base/text.hpp"

namespace natkit::edge {
namespace {

/// RFC 3261 section 18.2.1 and RFC 3581 section 4: where the request really came from goes into its top Via, asked for
/// or not: a client behind a NAT can be answered nowhere else.
std::optional<sip::Message> fix_via(const sip::Message& message, const sip::Flow& flow) {
    const sip::Header* header = message.find(sip::Name::via);
    const auto values = sip::split_values(header->value);
    const auto& via = message.top_via();
    if (!via) return std::nullopt;
    std::string top(values.front());
    if (via->rport_asked) top = sip::with_param(top, "rport", std::to_string(flow.remote.port));
    if (via->rport_asked || via->address() != flow.remote.address) {
        top = sip::with_param(top, "received", to_string(flow.remote.address));
    }
    for (std::size_t i = 1; i < values.size(); ++i) top += ", " + std::string(values[i]);
    return message.with_value(*header, top);
}

}  // namespace

Edge::Edge(Settings settings, Secrets secrets)
    : settings_(std::move(settings)),
      secrets_(std::move(secrets)),
      registrar_(settings_.registrar, secrets_.mac),
      media_(settings_, &servers_),
      peers_(settings_, secrets_),
      neighbours_(settings_, registrar_, servers_),
      next_hops_(settings_),
      router_(settings_, secrets_, registrar_, media_, neighbours_, next_hops_, peers_),
      answers_(secrets_, layer_, unanswered_),
      admission_(settings_, secrets_, registrar_, media_, layer_, neighbours_, router_, answers_, unanswered_),
      home_(settings_, secrets_, registrar_, neighbours_, router_),
      registrations_(settings_, secrets_, registrar_, layer_, media_, neighbours_, admission_, answers_, home_, peers_),
      name_lookups_(settings_, media_.names(), admission_, lookups_),
      parked_(lookups_, layer_),
      proxy_({.settings = settings_,
              .secrets = secrets_,
              .layer = layer_,
              .media = media_,
              .servers = servers_,
              .next_hops = next_hops_,
              .registrar = registrar_,
              .neighbours = neighbours_,
              .admission = admission_,
              .answers = answers_,
              .home = home_,
              .registrations = registrations_,
              .names = name_lookups_,
              .peers = peers_}) {
    registrar_.set_elsewhere(peers_.clients().registrar());
    layer_.set_limits(settings_.transactions);
    servers_.set(settings_.servers, {});
}

void Edge::set_settings(Settings settings, Now now, Output& out) {
    const std::vector<Server> before = std::move(settings_.servers);
    settings_ = std::move(settings);
    registrar_.set_limits(settings_.registrar);
    peers_.clients().set_limits(settings_.registrar);
    layer_.set_limits(settings_.transactions);
    name_lookups_.follow_settings();
    admission_.follow_settings();
    home_.follow_settings();
    servers_.set(settings_.servers, before);
    server_lookups_.clear();  // what they find may be of another name
    registrations_.judge_anew(now, out);
}

void Edge::on_packet(const Arrival& arrival, std::string bytes, Now now, Output& out) {
    const sip::Flow& flow = arrival.flow;
    if (text::trim(bytes).empty()) return;  // a keep-alive
    if (settings_.by_peer(flow)) return on_peer_packet(flow, std::move(bytes), now, out);
    neighbours_.add(flow);
    if (settings_.networks.lan.contains(flow.remote.address) && arrival.side != Side::lan) {
        // A flood of them is told once a minute.
        if (!admission_.first_refusal(flow.local.address, now.steady)) return;
        return out.log(LogLevel::problems, "dropped: LAN source " + to_string(flow.remote) + " on a WAN interface");
    }
    // Control bytes are blanked: check() refuses the message, and its answer holds none of them.
    const auto parsed = sip::Message::parse(std::move(bytes), sip::Controls::blanked);
    if (!parsed)
        return out.log(LogLevel::low_level,
                       "dropped from " + to_string(flow.remote) + ": " + to_string(parsed.error()));
    const sip::Message& message = *parsed;
    if (message.is_request() && admission_.floods(message, flow, now, out)) return;
    if (const auto sound = sip::check(message); !sound) return refuse_unsound(message, flow, sound.error(), out);
    admission_.learn_proof(message, flow, now);
    if (message.is_request() && admission_.is_scanner(message, flow))
        return out.log(LogLevel::low_level, "dropped from " + to_string(flow.remote) + ": a scanner");
    sip::TransactionOutput produced;
    if (!message.is_request()) {
        registrations_.note_reached(message, flow, now, out);
        layer_.on_message(message, flow, now.steady, produced);
        return absorb(produced, now, out);
    }
    const auto fixed = fix_via(message, flow);
    if (!fixed) return;
    const Heard heard = heard_from(message, flow, now.steady);
    const sip::Asker asker = admission_.asker_of(message, flow, heard.flow != flow, now);
    const std::size_t first = out.packets.size();
    layer_.on_message(*fixed, heard.flow, now.steady, produced, asker);
    absorb(produced, now, out);
    if (heard.was) change_reply_port(message, *heard.was, heard.flow, now, out);
    if (heard.also) answer_also(*heard.also, heard.flow, first, message.bytes().size(), out);
}

void Edge::refuse_unsound(const sip::Message& message, const sip::Flow& flow, const Error& why, Output& out) const {
    out.log(LogLevel::low_level, "refused from " + to_string(flow.remote) + ": " + to_string(why));
    const bool answerable = message.is_request() && message.method() != "ACK" && message.top_via().has_value();
    if (!answerable) return;
    auto answer = sip::make_response(message, 400, why.message, answers_.tag_of(message));
    out.packets.push_back({.flow = flow, .bytes = std::make_shared<const std::string>(std::move(answer))});
}

/// From room to room: each says what has become of a request, and who is next is said here alone.
void Edge::absorb(sip::TransactionOutput& produced, Now now, Output& out) {
    std::ranges::move(produced.packets, std::back_inserter(out.packets));
    for (const sip::TransactionEvent& event : produced.events) {
        if (const auto* request = std::get_if<sip::RequestEvent>(&event)) {
            auto asked = judge(*request, now, out);
            if (!asked) continue;
            if (auto route = route_of(*asked, nullptr, now, out))
                proxy_.forward(std::move(*asked), std::move(*route), now, out);
            sip::TransactionOutput trying;
            layer_.trying(*request, now.steady, trying);
            std::ranges::move(trying.packets, std::back_inserter(out.packets));
        } else if (const auto* ack = std::get_if<sip::AckEvent>(&event)) {
            on_ack(*ack, now, out);
        } else if (const auto* response = std::get_if<sip::ResponseEvent>(&event)) {
            proxy_.on_response(*response, now, out);
        } else {
            proxy_.on_timeout(std::get<sip::TimeoutEvent>(event), now, out);
        }
    }
}

/// Why a request cannot go on, whoever sent it.
std::optional<Answer> Edge::refusal_of(const JudgedRequest& asked, Output& out) const {
    const sip::Message& request = asked.request;
    const Stripped& stripped = asked.stripped;
    if (Router::looped(request, stripped)) return Answer{.status = 482};
    if (stripped.forged && neighbours_.is_server(asked.flow)) return Answer{.status = 430};
    if (stripped.forged) {
        out.log(LogLevel::problems, "refused from " + to_string(asked.flow.remote) + ": forged flow token");
        return Answer{.status = 403};
    }
    if (stripped.over) return Answer{.status = 481};
    return std::nullopt;
}

/// The answer to what is meant for the edge itself, and is no REGISTER.
std::optional<Answer> Edge::answer_for_edge(const JudgedRequest& asked, const sip::Uri& uri) const {
    const std::string_view method = asked.request.method();
    if (uri.user.empty()) {
        if (method != "OPTIONS") return Answer{.status = 405, .reason = "Method Not Allowed"};
        return Answer{.status = 200, .fields = {{"Accept", "application/sdp"}}};
    }
    // Who is registered is nobody's business.
    if (method == "OPTIONS" && asked.upstream.sender == proxy::Sender::stranger && !settings_.open_registrar)
        return Answer{.status = 404};
    return std::nullopt;
}

/// A request whose sender may go on with it; nothing: it has its answer, or is of a kind that gets it elsewhere.
std::optional<JudgedRequest> Edge::judge(const sip::RequestEvent& event, Now now, Output& out) {
    const sip::Message& request = event.message;
    const auto answered = [&](const Answer& with) {
        answers_.answer(event.server, request, with, now, out);
        return std::nullopt;
    };
    if (request.method() == "CANCEL") {
        on_cancel(event, now, out);
        return std::nullopt;
    }
    const auto hops = text::parse_number(request.value(sip::Name::max_forwards), 255);
    if (hops == 0) return answered({.status = 483});
    if (const auto unknown = unsupported(request, sip::Name::proxy_require)) return answered(*unknown);
    JudgedRequest asked{.server = event.server, .request = request, .flow = event.flow, .asker = event.asker};
    asked.stripped = router_.strip_routes(request, now);
    asked.stripped.print = Router::fingerprint(request, event.flow);
    if (const auto refused = refusal_of(asked, out)) return answered(*refused);
    const auto uri = sip::Uri::parse(asked.stripped.uri);
    if (!uri) return answered({.status = 400, .reason = "Unreadable Request-URI"});
    auto upstream = settings_.by_peer(event.flow)
                        ? peer_upstream(request, event.flow, now, out)
                        : std::optional(admission_.upstream_of(request, event.flow, event.asker, asked.stripped));
    if (!upstream) return std::nullopt;
    asked.upstream = *upstream;
    const bool for_edge = settings_.is_own(*uri) && !asked.stripped.token && !asked.stripped.client &&
                          !asked.stripped.next_route && !asked.stripped.edge && !asked.upstream.origin;
    if (for_edge && request.method() == "REGISTER") {
        registrations_.on_register(asked, now, out);
        return std::nullopt;
    }
    const auto own = for_edge ? answer_for_edge(asked, *uri) : std::nullopt;
    if (own) return answered(*own);
    if (draining_ && request.method() == "INVITE" && request.to_tag().empty())
        return answered({.status = 503, .reason = "Draining", .fields = {{"Retry-After", "60"}}});
    if (const auto refused = admission_.admit(asked, now, out)) return answered(*refused);
    return asked;
}

/// Where it goes; nothing: it has its answer, or waits until the name of its next hop is looked up (`located`).
std::optional<Route> Edge::route_of(JudgedRequest& asked, const LocatedHop* located, Now now, Output& out) {
    Route found = router_.route(asked.request, asked.upstream, asked.stripped, located, now.wall);
    const auto answered = [&](const Answer& with) {
        answers_.answer(asked.server, asked.request, with, now, out);
        return std::nullopt;
    };
    if (found.status != 0) {
        const auto level = found.status == 403 ? LogLevel::problems : LogLevel::low_level;
        out.log(level, std::string(asked.request.method()) + " from " + to_string(asked.upstream.flow.remote) +
                           " refused: " + std::to_string(found.status) + " " + found.reason);
        if (found.status == 430 && asked.request.method() == "BYE") end_without_peer(asked, now, out);
        return answered({.status = found.status, .reason = found.reason});
    }
    if (const auto refused = admission_.lacks_proof(asked, found, now, out)) return answered(*refused);
    if (!found.lookup.empty()) {
        if (!parked_.park(asked, std::move(found.lookup), next_hops_.abilities(), out))
            return answered({.status = 503});
        return std::nullopt;
    }
    if (const auto refused = admission_.has_too_many(asked, found, now, out)) return answered(*refused);
    return found;
}

/// The ACK of a 2xx travels end to end, by the dialog's token.
void Edge::on_ack(const sip::AckEvent& event, Now now, Output& out) {
    const sip::Message& ack = event.message;
    if (answers_.has_own_tag(ack)) return;  // of a failure of our own, which is all over
    JudgedRequest asked{.server = 0, .request = ack, .flow = event.flow, .asker = event.asker};
    asked.stripped = router_.strip_routes(ack, now);
    asked.stripped.print = Router::fingerprint(ack, event.flow);
    const auto hops = text::parse_number(ack.value(sip::Name::max_forwards), 255);
    if (asked.stripped.forged || asked.stripped.over || hops == 0 || Router::looped(ack, asked.stripped)) return;
    auto upstream = settings_.by_peer(event.flow)
                        ? peer_upstream(ack, event.flow, now, out)
                        : std::optional(admission_.upstream_of(ack, event.flow, event.asker, asked.stripped));
    if (!upstream) return;
    asked.upstream = *upstream;
    send_ack_on(std::move(asked), nullptr, now, out);
}

/// An ACK has no answer to be refused by.
void Edge::send_ack_on(JudgedRequest ack, const LocatedHop* located, Now now, Output& out) {
    Route found = router_.route(ack.request, ack.upstream, ack.stripped, located, now.wall);
    if (found.status != 0) return;
    if (!found.lookup.empty()) {
        (void)parked_.park(std::move(ack), std::move(found.lookup), next_hops_.abilities(), out);
        return;
    }
    if (!found.targets.empty()) proxy_.forward_ack(std::move(ack), std::move(found.targets.front()), now, out);
}

void Edge::on_cancel(const sip::RequestEvent& event, Now now, Output& out) {
    const auto invite = layer_.find_cancelled(event.message);
    auto parked = invite ? parked_.take_back(*invite) : std::nullopt;
    if (parked) answers_.answer(*invite, parked->request, {.status = 487}, now, out);
    const bool known = parked || (invite && proxy_.has(*invite));
    answers_.answer(event.server, event.message, {.status = known ? 200 : 481}, now, out);
    if (known && !parked) proxy_.cancel(*invite, event.message.value(sip::Name::reason), now, out);
}

/// A BYE that cannot reach the other end ends the call all the same.
void Edge::end_without_peer(const JudgedRequest& asked, Now now, Output& out) {
    const sip::Message& bye = asked.request;
    const auto* token = asked.stripped.token ? &*asked.stripped.token : nullptr;
    const auto session = media_.find(bye.call_id(), bye.from_tag(), bye.to_tag(), token);
    if (!session || (token == nullptr && !admission_.is_party(asked.upstream.flow, *session))) return;
    media_.end(*session, "BYE, and the other end's connection is over", now.steady, out);
}

}  // namespace natkit::edge
