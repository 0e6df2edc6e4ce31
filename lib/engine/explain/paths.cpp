#include "natkit/engine/explain/paths.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "natkit/loop/scheme.hpp"

namespace natkit::explain {
namespace {

constexpr double ns_per_s = 1e9;

/// Hops in order, of one Call-ID or of several that a B2BUA ties together.
struct Chain {
    std::vector<std::string> call_ids;
    std::vector<const Hop*> hops;
    std::int64_t first_ns = 0, last_ns = 0;
    std::array<std::string, 2> hosts;  ///< of the URIs of caller and callee
    bool pass = false;                 ///< one pass through an edge
};

/// Goes on from a hop to those by which the INVITE was sent on, and adds each way it took to `chains`. Of a fork only
/// branches that were answered count.
void follow(const Exchange& exchange, const Hop& hop, Chain chain, std::vector<Chain>& chains) {
    chain.hops.push_back(&hop);
    bool went_on = false;
    if (chain.hops.size() < exchange.hops.size()) {
        for (const Hop& next : exchange.hops) {
            if (next.back.empty() || next.previous_branch.empty() || next.previous_branch != hop.branch) continue;
            follow(exchange, next, chain, chains);
            went_on = true;
        }
    }
    if (!went_on) chains.push_back(std::move(chain));
}

std::vector<Chain> chains_of(const Exchange& exchange) {
    std::vector<Chain> chains;
    std::set<std::string> branches;
    for (const Hop& hop : exchange.hops) branches.insert(hop.branch);
    for (const Hop& hop : exchange.hops) {
        if (hop.back.empty() || hop.onward.empty() || branches.contains(hop.previous_branch)) continue;
        follow(exchange, hop,
               {.call_ids = {exchange.call_id},
                .hops = {},
                .first_ns = exchange.first_ns,
                .last_ns = exchange.last_ns,
                .hosts = exchange.hosts,
                .pass = exchange.pass},
               chains);
    }
    return chains;
}

std::optional<Endpoint> media(const std::vector<MediaDescription>& streams, std::size_t i) {
    return i < streams.size() ? streams[i].rtp : std::nullopt;
}

/// Whether the hop comes from there. Passes by two phones behind one NAT are told apart by its ports.
bool is_neighbour(const Hop& hop, const Endpoint& there, bool passes) {
    if (passes && hop.from_place == nat::Place::far_end) return hop.from == there;
    return hop.from.address == there.address;
}

/// The chain that goes on where this one ends: under another Call-ID, by a B2BUA that leaves the endpoints as they are;
/// or the next pass of the same call.
Chain* continued(const Chain& chain, const std::multimap<Endpoint, Chain*>& starts) {
    const auto endpoint = media(chain.hops.back()->onward, 0);
    if (!endpoint) return nullptr;
    const auto [first, last] = starts.equal_range(*endpoint);
    for (auto at = first; at != last; ++at) {
        const Chain& other = *at->second;
        const bool passes = chain.pass && other.pass && &chain != &other;
        if (other.call_ids.front() == chain.call_ids.front() && !passes) continue;
        if (!is_neighbour(*other.hops.front(), chain.hops.back()->to, passes)) continue;
        if (other.first_ns <= chain.last_ns && chain.first_ns <= other.last_ns) return at->second;
    }
    return nullptr;
}

std::vector<Chain> tie_together(std::vector<Chain> chains) {
    std::multimap<Endpoint, Chain*> starts;
    for (Chain& chain : chains) {
        if (const auto endpoint = media(chain.hops.front()->onward, 0)) starts.emplace(*endpoint, &chain);
    }
    std::map<const Chain*, const Chain*> next;
    std::set<const Chain*> later;
    for (const Chain& chain : chains) {
        const Chain* following = continued(chain, starts);
        if (following != nullptr && later.insert(following).second) next[&chain] = following;
    }
    std::vector<Chain> tied;
    for (const Chain& chain : chains) {
        if (later.contains(&chain)) continue;  // chains in a ring have no beginning, and are left out
        Chain whole = chain;
        for (auto at = next.find(&chain); at != next.end(); at = next.find(at->second)) {
            const Chain& piece = *at->second;
            whole.hops.insert(whole.hops.end(), piece.hops.begin(), piece.hops.end());
            for (const std::string& id : piece.call_ids) {
                if (std::ranges::find(whole.call_ids, id) == whole.call_ids.end()) whole.call_ids.push_back(id);
            }
            whole.last_ns = std::max(whole.last_ns, piece.last_ns);
        }
        tied.push_back(std::move(whole));
    }
    return tied;
}

/// Which addresses belong to one host: it got an INVITE at one and sent it on from another.
class Hosts {
  public:
    void same(const IpAddress& a, const IpAddress& b) { parent_[root(a)] = root(b); }
    IpAddress root(const IpAddress& address) {
        auto found = parent_.find(address);
        while (found != parent_.end() && found->second != found->first) found = parent_.find(found->second);
        if (found == parent_.end()) found = parent_.emplace(address, address).first;
        return found->first;
    }

  private:
    std::map<IpAddress, IpAddress> parent_;
};

/// Makes the path of one media stream from a chain of hops.
class PathMaker {
  public:
    PathMaker(const Chain& chain, std::size_t stream, Hosts& hosts, const RtpStreams& rtp, const Rules& rules)
        : chain_(chain), stream_(stream), hosts_(hosts), rtp_(rtp), rules_(rules) {}

    std::optional<MediaPath> run();

  private:
    [[nodiscard]] std::optional<Endpoint> onward(std::size_t hop) const {
        return media(chain_.hops[hop]->onward, stream_);
    }
    [[nodiscard]] std::optional<Endpoint> back(std::size_t hop) const { return media(chain_.hops[hop]->back, stream_); }
    [[nodiscard]] nat::Whereabouts whereabouts(const IpAddress& visible, nat::Place place,
                                               const std::optional<Endpoint>& media) const;
    [[nodiscard]] nat::Whereabouts neighbour(std::size_t node) const;
    void add_nodes();
    [[nodiscard]] bool ends_need_a_relay() const;
    void ask_scheme();
    void simulate(const std::vector<std::size_t>& passes);
    void measure();

    const Chain& chain_;
    std::size_t stream_;
    Hosts& hosts_;
    const RtpStreams& rtp_;
    const Rules& rules_;
    MediaPath path_;
};

std::optional<MediaPath> PathMaker::run() {
    const Hop& first = *chain_.hops.front();
    if (stream_ >= first.onward.size() || first.onward[stream_].rejected) return std::nullopt;
    if (!onward(0) || !back(chain_.hops.size() - 1)) return std::nullopt;
    path_.call_ids = chain_.call_ids;
    path_.frame = first.frame;
    path_.stream = stream_;
    path_.kind = first.onward[stream_].kind;
    add_nodes();
    ask_scheme();
    measure();
    return path_;
}

nat::Whereabouts PathMaker::whereabouts(const IpAddress& visible, nat::Place place,
                                        const std::optional<Endpoint>& media) const {
    return nat::whereabouts(place, visible, media ? std::optional(media->address) : std::nullopt, rules_.networks);
}

void PathMaker::add_nodes() {
    const auto place = [&](const IpAddress& address) { return nat::classify_address(address, rules_.networks).place; };
    const auto& hops = chain_.hops;
    const Endpoint& origin = hops.front()->from;
    const nat::Whereabouts caller = whereabouts(origin.address, hops.front()->from_place, onward(0));
    path_.nodes.push_back({.addresses = {origin.address}, .place = caller.place, .media = onward(0), .relay = {}});
    std::map<IpAddress, unsigned> visits;
    for (std::size_t i = 0; i + 1 < hops.size(); ++i) {
        PathNode node{
            .addresses = {hops[i]->to.address}, .place = place(hops[i]->to.address), .media = {}, .relay = {}};
        if (hops[i + 1]->from.address != hops[i]->to.address) node.addresses.push_back(hops[i + 1]->from.address);
        node.visit = ++visits[hosts_.root(hops[i]->to.address)];
        // A collapsed pass shows a leg to one side alone: the other one sees the party itself.
        const bool own = onward(i + 1) != onward(0) && back(i) != back(hops.size() - 1);
        const bool changed = own && onward(i) != onward(i + 1) && back(i) != back(i + 1);
        if (changed && back(i) && onward(i + 1)) {
            node.relay = PathRelay{.towards_caller = *back(i), .towards_callee = *onward(i + 1)};
            ++path_.relays;
        }
        path_.nodes.push_back(std::move(node));
    }
    const IpAddress& last = hops.back()->to.address;
    const auto media_there = back(hops.size() - 1);
    path_.nodes.push_back({.addresses = {last},
                           .place = whereabouts(last, hops.back()->to_place.value_or(place(last)), media_there).place,
                           .media = media_there,
                           .relay = {}});
}

/// A host of the path as the scheme sees a neighbour.
nat::Whereabouts PathMaker::neighbour(std::size_t node) const {
    const PathNode& one = path_.nodes[node];
    nat::Whereabouts where = whereabouts(one.addresses.front(), one.place, one.media);
    if (node == 0) where.asked_for = rules_.policy.relay_for.names(chain_.hosts[0]);
    if (node + 1 == path_.nodes.size()) where.asked_for = rules_.policy.relay_for.names(chain_.hosts[1]);
    return where;
}

/// What natclassify says of the call: its two ends decide.
bool PathMaker::ends_need_a_relay() const {
    return nat::decide(neighbour(0), neighbour(path_.nodes.size() - 1), rules_.policy, rules_.networks).relay;
}

void PathMaker::ask_scheme() {
    std::map<IpAddress, std::vector<std::size_t>> passes;  // of each host that relays
    for (std::size_t i = 1; i + 1 < path_.nodes.size(); ++i)
        passes[hosts_.root(path_.nodes[i].addresses.front())].push_back(i);
    for (const auto& [host, nodes] : passes) {
        const auto relaying =
            std::ranges::count_if(nodes, [&](std::size_t i) { return path_.nodes[i].relay.has_value(); });
        if (relaying == 0) continue;
        path_.loop = path_.loop || nodes.size() > 1;
        if (nodes.size() > 1) {
            simulate(nodes);
        } else if (ends_need_a_relay()) {
            ++path_.relays_needed;
        } else {
            PathRelay& relay = *path_.nodes[nodes.front()].relay;
            relay.caller_side_needed = relay.callee_side_needed = false;
        }
    }
}

/// Gives the same offer and answer to the scheme, which says which slots of this host's passes stay joined.
void PathMaker::simulate(const std::vector<std::size_t>& passes) {
    loop::Scheme scheme([&](const nat::Whereabouts& a, const nat::Whereabouts& b) {
        return nat::decide(a, b, rules_.policy, rules_.networks).relay;
    });
    std::vector<loop::PassId> ids;
    std::vector<loop::Shown> shown;
    for (std::size_t p = 0; p < passes.size(); ++p) {
        const std::size_t node = passes[p];
        ids.push_back(scheme.open(neighbour(node - 1), neighbour(node + 1)));
        loop::Incoming incoming{.slot = 0, .endpoint = onward(node - 1), .rtcp = {}, .where = neighbour(node - 1)};
        const bool came_back = p > 0 && onward(passes[p - 1]) == onward(node - 1);
        if (came_back)
            incoming = {.slot = shown.back().slot, .endpoint = shown.back().raw, .rtcp = {}, .where = incoming.where};
        shown.push_back(scheme.offer(ids.back(), loop::End::caller, incoming));
    }
    loop::Shown answered;
    for (std::size_t p = passes.size(); p-- > 0;) {
        const std::size_t node = passes[p];
        loop::Incoming incoming{.slot = 0, .endpoint = back(node), .rtcp = {}, .where = neighbour(node + 1)};
        const bool came_back = p + 1 < passes.size() && back(passes[p + 1] - 1) == back(node);
        if (came_back)
            incoming = {.slot = answered.slot, .endpoint = answered.raw, .rtcp = {}, .where = incoming.where};
        answered = scheme.answer(ids[p], incoming);
    }
    for (const loop::PassId id : ids) scheme.accept(id);
    for (const loop::PassId id : ids) {
        if (const auto found = scheme.one_sided(id)) (void)scheme.bridge(*found);
    }
    std::size_t joined = 0;
    for (std::size_t p = 0; p < passes.size(); ++p) {
        const bool caller_side = scheme.mate(scheme.slot_towards(ids[p], loop::End::caller)) != 0;
        const bool callee_side = scheme.mate(scheme.slot_towards(ids[p], loop::End::callee)) != 0;
        joined += (caller_side ? 1 : 0) + (callee_side ? 1 : 0);
        auto& relay = path_.nodes[passes[p]].relay;
        if (!relay) continue;
        relay->caller_side_needed = caller_side;
        relay->callee_side_needed = callee_side;
    }
    path_.relays_needed += joined / 2;
}

/// RTP that the caller sends and is sent, where it was told to send.
void PathMaker::measure() {
    const auto there = back(0);
    if (!there) return;
    double rate = 0;
    for (const auto& streams :
         {rtp_.to(*there, chain_.first_ns, chain_.last_ns + 3600 * std::int64_t{1'000'000'000}),
          rtp_.from(*there, chain_.first_ns, chain_.last_ns + 3600 * std::int64_t{1'000'000'000})}) {
        double best = 0;
        for (const RtpStream* stream : streams) {
            const double seconds = static_cast<double>(stream->last_ns - stream->first_ns) / ns_per_s;
            if (stream->rtp >= 10 && seconds > 0) best = std::max(best, static_cast<double>(stream->rtp - 1) / seconds);
        }
        rate += best;
    }
    if (rate > 0) path_.packets_per_s = rate;
}

}  // namespace

std::optional<double> MediaPath::saved_per_s() const {
    if (!packets_per_s || !collapsible()) return std::nullopt;
    return *packets_per_s * static_cast<double>(relays - relays_needed);
}

std::vector<MediaPath> find_paths(const std::vector<Exchange>& exchanges, const RtpStreams& rtp, const Rules& rules) {
    std::vector<Chain> chains;
    for (const Exchange& exchange : exchanges) {
        for (Chain& chain : chains_of(exchange)) chains.push_back(std::move(chain));
    }
    chains = tie_together(std::move(chains));
    Hosts hosts;
    for (const Chain& chain : chains) {
        for (std::size_t i = 0; i + 1 < chain.hops.size(); ++i)
            hosts.same(chain.hops[i]->to.address, chain.hops[i + 1]->from.address);
    }
    std::vector<MediaPath> paths;
    for (const Chain& chain : chains) {
        for (std::size_t stream = 0; stream < chain.hops.front()->onward.size(); ++stream) {
            if (auto path = PathMaker(chain, stream, hosts, rtp, rules).run()) paths.push_back(*std::move(path));
        }
    }
    return paths;
}

}  // namespace natkit::explain
