#include "edge.hpp"

#include <algorithm>

#include "../print.hpp"
#include "natkit/base/text.hpp"

namespace natkit::edge {

Edge::Edge(Settings settings, Secrets secrets)
    : settings_(std::move(settings)),
      secrets_(std::move(secrets)),
      registrar_(settings_.registrar, secrets_.mac),
      media_(settings_),
      authenticator_(secrets_.mac, secrets_.hash, secrets_.random_hex()),
      flood_(settings_.flood) {
    layer_.set_limits(settings_.transactions);
    name_gate_ = proxy::FloodGate(name_limits(settings_));
    learn_servers({});
    media_.set_servers([this](const sip::Flow& flow) { return is_server(flow); });
}

std::string Edge::host_port(const sip::Flow& flow) const {
    const Listener* listener = settings_.find(flow.transport, flow.local);
    return to_string(listener == nullptr ? flow.local : listener->advertised);
}

/// RFC 3261 section 18.2.1 and RFC 3581 section 4: where the request really came from goes into its top Via, asked for
/// or not: a client behind a NAT can be answered nowhere else.
std::optional<sip::Message> Edge::fix_via(const sip::Message& message, const sip::Flow& flow) const {
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

void Edge::on_packet(const Arrival& arrival, std::string bytes, Now now, Output& out) {
    const sip::Flow& flow = arrival.flow;
    if (text::trim(bytes).empty()) return;  // a keep-alive
    if (flow.connection != 0) connections_.insert(flow.connection);
    if (settings_.networks.lan.contains(flow.remote.address) && arrival.side != Side::lan) {
        if (!flood_.first_refusal(flow.local.address, now.steady)) return;  // a flood of them is told once a minute
        out.log(LogLevel::problems, "dropped: LAN source " + to_string(flow.remote) + " on a WAN interface");
        return;
    }
    // Control bytes are blanked: check() refuses the message, and its answer holds none of them.
    auto parsed = sip::Message::parse(std::move(bytes), sip::Controls::blanked);
    if (!parsed) {
        out.log(LogLevel::low_level, "dropped from " + to_string(flow.remote) + ": " + to_string(parsed.error()));
        return;
    }
    if (parsed->is_request() && floods(*parsed, flow, now, out)) return;
    arrived_ = parsed->bytes().size();
    take(*parsed, flow, now, out);
    arrived_ = 0;
}

/// A message whose sender may say as much as that.
void Edge::take(const sip::Message& message, const sip::Flow& flow, Now now, Output& out) {
    const auto sound = sip::check(message);
    if (!sound) {
        out.log(LogLevel::low_level, "refused from " + to_string(flow.remote) + ": " + to_string(sound.error()));
        const bool answerable = message.is_request() && message.method() != "ACK" && message.top_via().has_value();
        if (!answerable) return;
        auto answer = sip::make_response(message, 400, sound.error().message, tag_of(message));
        out.packets.push_back({.flow = flow, .bytes = std::make_shared<const std::string>(std::move(answer))});
        return;
    }
    learn_proof(message, flow, now);
    sip::TransactionOutput produced;
    if (message.is_request()) {
        if (unwelcome(message, flow)) {
            return out.log(LogLevel::low_level, "dropped from " + to_string(flow.remote) + ": a scanner");
        }
        return on_request(message, flow, now, out);
    }
    note_found(message, flow, now, out);
    layer_.on_message(message, flow, now.steady, produced);
    absorb(produced, now, out);
}

void Edge::on_request(const sip::Message& request, const sip::Flow& flow, Now now, Output& out) {
    const auto fixed = fix_via(request, flow);
    if (!fixed) return;
    const Heard heard = heard_from(request, flow, now.steady);
    elsewhere_ = heard.flow != flow;
    const std::size_t first = out.packets.size();
    sip::TransactionOutput produced;
    layer_.on_message(*fixed, heard.flow, now.steady, produced, asker_of(request, flow, now));
    absorb(produced, now, out);
    if (heard.was) change_reply_port(request, *heard.was, heard.flow, now, out);
    if (heard.also) answer_also(*heard.also, heard.flow, first, out);
    elsewhere_ = false;
}

void Edge::absorb(sip::TransactionOutput& produced, Now now, Output& out) {
    std::ranges::move(produced.packets, std::back_inserter(out.packets));
    for (const sip::TransactionEvent& event : produced.events) {
        std::visit(
            [&](const auto& known) {
                if constexpr (std::is_same_v<std::decay_t<decltype(known)>, sip::AckEvent>) {
                    on_ack(known, now, out);
                } else {
                    on_event(known, now, out);
                }
                if constexpr (std::is_same_v<std::decay_t<decltype(known)>, sip::RequestEvent>) {
                    sip::TransactionOutput trying;
                    layer_.trying(known, now.steady, trying);
                    std::ranges::move(trying.packets, std::back_inserter(out.packets));
                }
            },
            event);
    }
}

void Edge::on_event(const sip::RequestEvent& event, Now now, Output& out) {
    const sip::Message& request = event.message;
    if (request.method() == "CANCEL") return on_cancel(event, now, out);
    const auto hops = text::parse_number(request.value(sip::Name::max_forwards), 255);
    if (hops == 0) return reject(event.server, request, 483, {}, now, out);
    if (has_extensions(event, sip::Name::proxy_require, now, out)) return;
    Stripped stripped = strip_routes(request, now);
    stripped.print = fingerprint(request, event.flow);
    if (looped(request, stripped)) return reject(event.server, request, 482, {}, now, out);
    if (stripped.forged && is_server(event.flow)) return reject(event.server, request, 430, {}, now, out);
    if (stripped.forged) {
        out.log(LogLevel::problems, "refused from " + to_string(event.flow.remote) + ": forged flow token");
        return reject(event.server, request, 403, {}, now, out);
    }
    if (stripped.over) return reject(event.server, request, 481, {}, now, out);
    const auto uri = sip::Uri::parse(stripped.uri);
    if (!uri) return reject(event.server, request, 400, "Unreadable Request-URI", now, out);
    const bool for_edge = settings_.is_own(*uri) && !stripped.token && !stripped.client && !stripped.next_route;
    Upstream from = upstream_of(request, event.flow, stripped);
    if (request.method() == "REGISTER" && for_edge) return on_register(event, from, now, out);
    if (for_edge && uri->user.empty()) {
        if (request.method() != "OPTIONS") return reject(event.server, request, 405, "Method Not Allowed", now, out);
        return reject(event.server, request, 200, {}, now, out, {{"Accept", "application/sdp"}});
    }
    if (for_edge && request.method() == "OPTIONS" && from.sender == proxy::Sender::stranger &&
        !settings_.open_registrar) {
        return reject(event.server, request, 404, {}, now, out);  // who is registered is nobody's business
    }
    if (draining_ && request.method() == "INVITE" && request.to_tag().empty()) {
        return reject(event.server, request, 503, "Draining", now, out, {{"Retry-After", "60"}});
    }
    if (!admit(event, stripped, from, now, out)) return;
    proceed({.server = event.server, .request = request, .upstream = from, .stripped = std::move(stripped)}, now, out);
}

/// A request whose sender may go on with it: to where it goes, once that is known.
void Edge::proceed(Parked asked, Now now, Output& out) {
    const sip::TransactionId server = asked.server;
    const sip::Message& request = asked.request;
    Route found = route(request, asked.upstream, asked.stripped, now.wall);
    if (found.status == 0 && !found.lookup.empty()) {
        if (lacks_proof(asked, found, now, out)) return;
        const sip::Message copy = request;
        if (!park(std::move(asked), std::move(found.lookup), out)) reject(server, copy, 503, {}, now, out);
        return;
    }
    if (found.status != 0) {
        const auto level = found.status == 403 ? LogLevel::problems : LogLevel::low_level;
        out.log(level, std::string(request.method()) + " from " + to_string(asked.upstream.flow.remote) +
                           " refused: " + std::to_string(found.status) + " " + found.reason);
        if (found.status == 430 && request.method() == "BYE") end_without_peer(asked, now, out);
        return reject(server, request, found.status, found.reason, now, out);
    }
    if (lacks_proof(asked, found, now, out) || has_too_many(asked, found, now, out)) return;
    contexts_.emplace(server, Context{.request = std::move(asked.request),
                                      .upstream = asked.upstream,
                                      .stripped = std::move(asked.stripped)});
    forward(server, std::move(found), now, out);
}

void Edge::reject(sip::TransactionId server, const sip::Message& request, int status, std::string reason, Now now,
                  Output& out, const std::vector<std::pair<std::string, std::string>>& extra) {
    if (reason.empty()) reason = sip::reason_of(status);
    std::string bytes = sip::make_response(request, status, reason, tag_of(request), extra);
    if (refuse(server, request, status, bytes, out)) return;
    respond(server, status, std::move(bytes), now, out);
}

/// The To-tag of what we answer ourselves: the same for each copy of a request (RFC 3261 section 8.2.7), and for the
/// ACK of an INVITE. Nobody else can make it: who shows it has seen the answer.
std::string Edge::tag_of(const sip::Message& request) const {
    const auto& via = request.top_via();
    const auto& cseq = request.cseq();
    std::string text = "to-tag\n";
    if (via) ((text += via->host) += '\n') += via->branch;
    ((text += '\n') += request.call_id()) += '\n';
    ((text += request.from_tag()) += '\n') += std::to_string(cseq ? cseq->number : 0);
    const auto code = secrets_.mac({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    return print_text(print_of(code));
}

/// Whether it is the ACK of an answer of our own, or belongs to one otherwise.
bool Edge::has_own_tag(const sip::Message& request) const {
    const std::string tag = request.to_tag();
    return is_print_text(tag) && tag == tag_of(request);  // other tags cost no cryptography
}

/// A failure of our own to who may not be where its packets come from: one answer to each copy, and nothing is kept
/// (RFC 3261 sections 8.2.7 and 26.3.2.4). At most three times as long as the copy, or a small request would make a
/// large answer hit somebody else. False: it must be answered otherwise.
bool Edge::refuse(sip::TransactionId server, const sip::Message& request, int status, std::string bytes, Output& out) {
    // Inside a dialog its ACK could not be told from others.
    const bool alone = request.to_tag().empty() || status == 403;
    if (status < 300 || arrived_ == 0 || !alone) return false;
    sip::TransactionOutput produced;
    if (!layer_.refuse(server, std::move(bytes), produced)) return false;
    unanswered_.done(server);
    for (sip::Packet& packet : produced.packets) {
        if (packet.bytes->size() <= 3 * arrived_) out.packets.push_back(std::move(packet));
    }
    return true;
}

void Edge::respond(sip::TransactionId server, int status, std::string bytes, Now now, Output& out) {
    if (status >= 200) unanswered_.done(server);
    sip::TransactionOutput produced;
    layer_.respond(server, status, std::move(bytes), now.steady, produced);
    std::ranges::move(produced.packets, std::back_inserter(out.packets));
}

void Edge::on_leg_opened(std::uint64_t ticket, Result<Leg> leg, Now now, Output& out) {
    media_.on_leg_opened(ticket, std::move(leg), now.steady, out);
}

void Edge::on_client_dead(std::string_view binding_id, std::string_view reason, Now now, Output& out) {
    auto changes = registrar_.remove(binding_id);
    for (const auto& change : changes) {
        out.log(LogLevel::major, "client " + change.binding.aor + " at " + to_string(change.binding.flow.remote) +
                                     " removed: " + text::printable(reason));
    }
    apply(std::move(changes), now, out);
}

void Edge::on_time(Now now, Output& out) {
    sip::TransactionOutput produced;
    layer_.on_time(now.steady, produced);
    absorb(produced, now, out);
    media_.on_time(now.steady, out);
    apply(registrar_.expire(now.wall), now, out);
    while (const auto server = no_answer_.pop_due(now.steady)) start_next(*server, now, out);
    forget_finished(now.steady);
    while (const auto flow = unavoid_.pop_due(now.steady)) avoided_.erase(*flow);
    look_up_servers(now, out);
}

std::optional<Instant> Edge::next_deadline() const {
    std::optional<Instant> next = layer_.next_deadline();
    for (const auto& other :
         {media_.next_deadline(), forget_.next(), no_answer_.next(), unavoid_.next(), servers_due_}) {
        if (other && (!next || *other < *next)) next = other;
    }
    return next;
}

}  // namespace natkit::edge
