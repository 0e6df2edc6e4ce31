#include "peers.hpp"

#include <algorithm>

#include "../print.hpp"
#include "natkit/base/text.hpp"

namespace natkit::edge {
namespace {

sip::PeerContext context_of(const sip::Message& request) {
    return {.call_id = request.call_id(), .cseq = number_of(request), .method = request.method()};
}

std::optional<sip::Flow> flow_from(const PeerEdges& edges, const std::vector<PeerEdge>::const_iterator& to) {
    if (to == edges.others.end()) return std::nullopt;
    return sip::Flow{
        .transport = sip::Transport::udp, .local = edges.own.listen, .remote = to->listen, .connection = 0};
}

}  // namespace

bool is_proof(const sip::Header& header) noexcept {
    return header.name == sip::Name::other && text::iequals(header.name_text, sip::peer_field);
}

std::optional<sip::Flow> Peers::flow_to(std::string_view node) const {
    if (!settings_.peers) return std::nullopt;
    return flow_from(*settings_.peers, std::ranges::find(settings_.peers->others, node, &PeerEdge::node));
}

std::optional<sip::Flow> Peers::flow_to(std::uint64_t number) const {
    if (!settings_.peers) return std::nullopt;
    return flow_from(*settings_.peers, std::ranges::find(settings_.peers->others, number, &PeerEdge::number));
}

std::optional<sip::EdgeMark> Peers::mark(const sip::Flow& to, std::string_view caller) const {
    if (!settings_.peers) return std::nullopt;
    const bool passes = settings_.by_peer(to);
    return sip::EdgeMark{.node = settings_.peers->own.number,
                         .epoch = epoch_,
                         .passes = passes,
                         .client = passes ? print_number(caller) : 0};
}

std::optional<std::uint64_t> Peers::edge_of(const sip::DialogToken& token) const {
    if (!settings_.peers || !token.edge || !flow_to(token.edge->node)) return std::nullopt;
    for (const sip::Flow* flow : {&token.caller, &token.callee}) {
        const Listener* listener = flow->connection != 0 ? nullptr : settings_.find(flow->transport, flow->local);
        if (listener != nullptr && listener->here) return std::nullopt;
    }
    return token.edge->node;
}

std::optional<std::string> Peers::proof(const sip::Flow& to, const sip::PeerContext& of, const Upstream& from,
                                        std::string_view binding) const {
    if (!settings_.by_peer(to)) return std::nullopt;
    const auto other = std::ranges::find(settings_.peers->others, to.remote, &PeerEdge::listen);
    if (other == settings_.peers->others.end()) return std::nullopt;
    const sip::PeerToken token{.from = settings_.peers->own.number,
                               .to = other->number,
                               .epoch = clients_.epoch_of(binding),
                               .binding = print_number(binding),
                               .source = from.source(),
                               .sender = from.sender,
                               .place = from.verdict.place,
                               .rule = from.verdict.rule,
                               .claimed = from.verdict.claimed};
    return sip::encode(token, of, secrets_.cipher);
}

Result<sip::PeerToken> Peers::read(const sip::Message& request) const {
    const auto& headers = request.headers();
    const auto field = std::ranges::find_if(headers, is_proof);
    if (!settings_.peers || field == headers.end()) return fail(Errc::refused, "nothing shows that it is an edge's");
    auto token = sip::decode_peer_token(field->value, context_of(request), secrets_.cipher);
    if (token && token->to != settings_.peers->own.number) return fail(Errc::refused, "it is for another node");
    if (token && !flow_to(token->from)) return fail(Errc::refused, "no such node is among [cluster.peers]");
    return token;
}

Upstream Peers::upstream_of(const sip::PeerToken& token, const sip::Flow& flow, sip::Share share) const {
    return {.flow = flow,
            .verdict = {.place = token.place,
                        .rule = token.rule,
                        .site = nat::site_of(token.source.address, settings_.networks),
                        .claimed = token.claimed},
            .sender = token.sender,
            .share = share,
            .origin = token.source,
            .binding = token.binding,
            .epoch = token.epoch};
}

}  // namespace natkit::edge
