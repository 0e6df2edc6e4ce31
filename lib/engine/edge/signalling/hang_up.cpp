#include "hang_up.hpp"

#include <algorithm>

#include "../print.hpp"
#include "natkit/base/text.hpp"
#include "proxy.hpp"

/// Calls that the edge itself ends, and what it keeps of each dialog to be able to: a BYE of its own is addressed as
/// the other end's would be (RFC 3261 section 12.2.1.1).
namespace natkit::edge {
namespace {

constexpr std::size_t longest_contact = 256;
constexpr std::size_t longest_routes = 1024;
/// Higher than any that the other end has used (section 8.1.1.5): nothing comes after it in this dialog.
constexpr std::uint32_t last_cseq = 2147483647;

std::string joined(const std::vector<std::string_view>& values) {
    std::string text;
    for (const std::string_view value : values) (text += text.empty() ? "" : ", ") += value;
    return text.size() <= longest_routes ? text : std::string();
}

/// A Request-URI for an end whose Contact is not known: its user, at the address that it is seen at.
std::string uri_at(const EndInfo& end) {
    const std::string_view uri = end.uri;
    const std::size_t user = uri.find(':') + 1;  // 0: none
    const std::size_t host = uri.find('@');
    const bool named = user > 0 && host != std::string_view::npos && host > user;
    return "sip:" + (named ? std::string(uri.substr(user, host - user + 1)) : "") + to_string(end.source());
}

std::string field_of(const EndInfo& end) {
    std::string field = "<" + (end.uri.empty() ? "sip:anonymous@anonymous.invalid" : end.uri) + ">";
    if (!end.tag.empty()) field += ";tag=" + end.tag;
    return field;
}

}  // namespace

std::string contact_of(const sip::Message& message) {
    const auto values = message.values(sip::Name::contact);
    const auto contact = values.empty() ? sip::NameAddr::parse("") : sip::NameAddr::parse(values.front());
    if (!contact || contact->uri.size() > longest_contact || !sip::Uri::parse(contact->uri)) return {};
    return std::string(contact->uri);
}

std::string routes_of(const sip::Message& request) {
    return joined(request.values(sip::Name::record_route));
}

/// A request inside the dialog may say that its sender is elsewhere now (target refresh).
void Proxy::learn_caller(const Context& context) {
    const std::string_view method = context.request.method();
    if (method == "INVITE" || method == "UPDATE")
        parts_.media.set_contact(*context.dialog, context.from, contact_of(context.request));
}

/// So may its 2xx; that of the first INVITE also names the proxies between here and who answers: what they recorded
/// stands above what the edge did.
void Proxy::learn_answerer(const Context& context, SessionId session, const sip::Message& response) {
    const std::string_view method = context.request.method();
    if (method != "INVITE" && method != "UPDATE") return;
    const End end = context.dialog ? other(context.from) : End::callee;
    parts_.media.set_contact(session, end, contact_of(response));
    if (context.dialog) return;
    auto recorded = response.values(sip::Name::record_route);
    const auto own = std::ranges::find_if(recorded, [&](std::string_view value) {
        const auto named = sip::NameAddr::parse(value);
        const auto uri = named ? sip::Uri::parse(named->uri) : sip::Uri::parse("");
        return uri && parts_.settings.is_own(*uri);
    });
    recorded.erase(own, recorded.end());
    std::ranges::reverse(recorded);
    parts_.media.set_routes(session, end, joined(recorded));
}

void Proxy::send_bye(std::string_view call_id, SessionId session, End to, std::string_view why, Now now, Output& out) {
    const EndInfo& target = parts_.media.end_info(session, to);
    const EndInfo& peer = parts_.media.end_info(session, other(to));
    const std::string branch = std::string(branch_prefix) + parts_.secrets.random_hex() + "-" + print_text({});
    std::string bytes = "BYE " + (target.contact.empty() ? uri_at(target) : target.contact) +
                        " SIP/2.0\r\nVia: " + own_via(target.flow, branch) + "\r\nMax-Forwards: 70\r\n";
    if (!target.routes.empty()) bytes += "Route: " + target.routes + "\r\n";
    bytes += "From: " + field_of(peer) + "\r\nTo: " + field_of(target) + "\r\nCall-ID: " + std::string(call_id) +
             "\r\nCSeq: ";
    bytes += std::to_string(last_cseq);
    bytes += " BYE\r\nReason: Q.850;cause=16;text=\"";
    bytes += why;
    bytes += "\"\r\n";
    const Upstream from{
        .flow = peer.flow, .verdict = peer.verdict, .sender = proxy::Sender::server, .origin = peer.origin};
    const sip::PeerContext of{.call_id = call_id, .cseq = last_cseq, .method = "BYE"};
    if (const auto proof = parts_.peers.proof(target.flow, of, from, {}))
        bytes += std::string(sip::peer_field) + ": " + *proof + "\r\n";
    bytes += "Content-Length: 0\r\n\r\n";
    const sip::Sent bye{
        .bytes = std::make_shared<const std::string>(std::move(bytes)), .method = "BYE", .branch = branch};
    sip::TransactionOutput produced;
    if (parts_.layer.request(bye, target.flow, now.steady, produced))
        std::ranges::move(produced.packets, std::back_inserter(out.packets));
}

std::size_t Proxy::hang_up(std::string_view call_id, std::string_view why, Now now, Output& out) {
    std::size_t ended = 0;
    for (auto& [server, context] : contexts_) {
        const sip::Message& request = context.request;
        const bool rings = request.method() == "INVITE" && request.to_tag().empty() && !context.succeeded;
        if (!rings || context.finished || request.call_id() != call_id) continue;
        ++ended;
        cancel(server, "SIP;cause=487;text=\"" + std::string(why) + "\"", now, out);
    }
    for (const SessionId session : parts_.media.of_call(call_id)) {
        if (!parts_.media.established(session)) continue;
        ++ended;
        for (const End end : {End::caller, End::callee}) send_bye(call_id, session, end, why, now, out);
        parts_.media.end(session, why, now.steady, out);
    }
    return ended;
}

}  // namespace natkit::edge
