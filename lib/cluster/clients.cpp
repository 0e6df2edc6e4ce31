#include "natkit/cluster/clients.hpp"

#include <algorithm>
#include <cassert>
#include <tuple>
#include <unordered_set>

#include "natkit/base/hash.hpp"

namespace natkit::cluster {
namespace {

/// Highest random weight (rendezvous hashing): of all who could, the one with the highest is the same for everybody,
/// and another one only for the clients of a node that is gone.
std::uint64_t weight(std::string_view node, std::string_view id) noexcept {
    return hash::mix(hash::fnv(hash::fnv(hash::fnv(hash::fnv_basis, node), 0), id));
}

bool same_dialog(const ClientRow& one, const ClientRow& other) noexcept {
    return !one.call_id.empty() && one.call_id == other.call_id;
}

}  // namespace

std::weak_ordering compare(const ClientRow& one, const ClientRow& other) noexcept {
    if (same_dialog(one, other)) return one.cseq <=> other.cseq;
    return one.registered_ms <=> other.registered_ms;
}

Clients::Clients(const std::string& me, std::vector<std::string> nodes) {
    nodes.push_back(me);
    std::ranges::sort(nodes);
    const auto twice = std::ranges::unique(nodes);
    nodes.erase(twice.begin(), twice.end());
    for (std::string& node : nodes) nodes_.push_back({.name = std::move(node), .live = false, .addresses = {}});
    me_ = *find(me);
    nodes_.push_back({.name = me, .live = false, .addresses = {}});
}

std::optional<Clients::Slot> Clients::find(std::string_view node) const {
    const auto found = std::ranges::find(nodes_, node, &Node::name);
    if (found == nodes_.end()) return std::nullopt;
    return static_cast<Slot>(found - nodes_.begin());
}

template <class Needed>
Clients::Slot Clients::heir(std::string_view id, const Needed& needed) const {
    Slot best = nobody;
    std::uint64_t highest = 0;
    for (Slot slot = 0; slot < nodes_.size(); ++slot) {
        if (!nodes_[slot].live || !needed(nodes_[slot])) continue;
        const std::uint64_t its = weight(nodes_[slot].name, id);
        if (best != nobody && its <= highest) continue;
        best = slot;
        highest = its;
    }
    return best;
}

/// Who can reach the client by this row.
Clients::Slot Clients::claimant(Slot of, const ClientRow& row, std::string_view id) const {
    const Node& node = nodes_[of];
    // A connection ends with the host that has it.
    if (row.transport != Transport::udp) return node.live ? of : nobody;
    // A NAT lets in what comes from the address that the client has sent to, and from no other: whoever has it now.
    const auto has_it = [&](const Node& one) {
        return std::ranges::find(one.addresses, row.local) != one.addresses.end();
    };
    const Slot same_name = of == former() ? me_ : of;
    if (nodes_[same_name].live && has_it(nodes_[same_name])) return same_name;
    if (const Slot holder = heir(id, has_it); holder != nobody) return holder;
    if (node.live) return of;
    return row.anywhere ? heir(id, [](const Node&) { return true; }) : nobody;
}

/// Of the rows that somebody can reach the client by, the newest. A row that a later one of its Call-ID has replaced
/// is none of them, whatever its time is: so that it does not matter which two are looked at first.
Clients::Verdict Clients::decide(std::string_view id, const Entry& entry) const {
    struct Candidate {
        Verdict verdict;
        const ClientRow* row;
        /// Of those that are as new: its own node's first. The last one is for two rows of one name.
        std::tuple<bool, std::uint64_t, Slot> rank;
    };
    std::vector<Candidate> all;
    all.reserve(entry.rows.size());
    for (const auto& [slot, row] : entry.rows) {
        const Slot owner = claimant(slot, row, id);
        if (owner == nobody) continue;
        all.push_back({.verdict = {.owner = owner, .row = slot, .over = row.over()},
                       .row = &row,
                       .rank = {owner == slot, weight(nodes_[slot].name, id), nodes_.size() - slot}});
    }
    const auto replaced = [&](const Candidate& one) {
        return std::ranges::any_of(all, [&](const Candidate& other) {
            return same_dialog(*other.row, *one.row) &&
                   std::tie(other.row->cseq, other.rank) > std::tie(one.row->cseq, one.rank);
        });
    };
    const Candidate* best = nullptr;
    for (const Candidate& one : all) {
        if (replaced(one)) continue;
        if (best == nullptr ||
            std::tie(one.row->registered_ms, one.rank) > std::tie(best->row->registered_ms, best->rank))
            best = &one;
    }
    return best == nullptr ? Verdict{} : best->verdict;
}

/// What a dead node has left behind, and a live one has as new or newer, must not come up again when the live one's is
/// gone: the client may have unregistered there.
void Clients::forget_overtaken(std::string_view id, Entry& entry) {
    if (entry.verdict.row == nobody || !nodes_[entry.verdict.row].live) return;
    const auto counts = std::ranges::find(entry.rows, entry.verdict.row, [](const auto& one) { return one.first; });
    const ClientRow row = counts->second;
    std::erase_if(entry.rows, [&](const auto& one) {
        const bool over = left_behind(one.first) && compare(one.second, row) <= 0;
        if (over && entry.verdict.row == me_) overtaken_.emplace_back(one.first, id);
        return over;
    });
}

bool Clients::decide_anew(std::string_view id, Entry& entry) {
    const Verdict before = entry.verdict;
    entry.verdict = decide(id, entry);
    forget_overtaken(id, entry);
    --counts_[static_cast<std::size_t>(whose(before))];
    ++counts_[static_cast<std::size_t>(whose(entry.verdict))];
    return entry.verdict != before;
}

Clients::Whose Clients::whose(const Verdict& verdict) const noexcept {
    if (verdict.owner == nobody) return Whose::nobody;
    if (verdict.over) return Whose::over;
    if (verdict.owner != me_) return verdict.row == me_ ? Whose::leaving : Whose::foreign;
    return verdict.row == me_ ? Whose::own : Whose::taken;
}

bool Clients::put(Slot slot, std::string_view id, ClientRow row) {
    assert(slot < nodes_.size());
    auto at = entries_.find(id);
    if (at == entries_.end()) {
        at = entries_.try_emplace(std::string(id)).first;
        ++counts_[static_cast<std::size_t>(Whose::nobody)];
    }
    Entry& entry = at->second;
    const auto known = std::ranges::find(entry.rows, slot, [](const auto& one) { return one.first; });
    if (known == entry.rows.end()) {
        entry.rows.emplace_back(slot, std::move(row));
    } else {
        known->second = std::move(row);
    }
    const bool other = decide_anew(id, entry);
    // The row that counts is told with what else stands in it.
    return other || (entry.verdict.row == slot && slot != me_);
}

template <class Gone>
bool Clients::erase_rows(Entries::iterator at, const Gone& gone) {
    Entry& entry = at->second;
    if (std::erase_if(entry.rows, gone) == 0) return false;
    const bool other = decide_anew(at->first, entry);
    if (entry.rows.empty()) {
        --counts_[static_cast<std::size_t>(Whose::nobody)];
        entries_.erase(at);
    }
    return other;
}

bool Clients::drop(Slot slot, std::string_view id) {
    const auto at = entries_.find(id);
    return at != entries_.end() && erase_rows(at, [slot](const auto& one) { return one.first == slot; });
}

Clients::Ids Clients::replace(Slot slot, Rows rows) {
    std::unordered_set<std::string_view> named;
    named.reserve(rows.size());
    for (const auto& [id, row] : rows) named.insert(id);
    Ids gone;
    for (const auto& [id, entry] : entries_) {
        const bool has = std::ranges::any_of(entry.rows, [slot](const auto& one) { return one.first == slot; });
        if (has && !named.contains(id)) gone.push_back(id);
    }
    Ids changed;
    for (std::string& id : gone) {
        if (drop(slot, id)) changed.push_back(std::move(id));
    }
    for (auto& [id, row] : rows) {
        if (put(slot, id, std::move(row))) changed.push_back(id);
    }
    return changed;
}

Clients::Ids Clients::set_live(const LiveNodes& live) {
    bool news = false;
    for (Slot slot = 0; slot < former(); ++slot) {
        Node& node = nodes_[slot];
        const auto found = live.find(node.name);
        const bool lives = found != live.end();
        if (node.live == lives && (!lives || node.addresses == found->second)) continue;
        node.live = lives;
        node.addresses = lives ? found->second : std::vector<IpAddress>();
        news = true;
    }
    Ids changed;
    if (!news) return changed;
    for (auto& [id, entry] : entries_) {
        if (decide_anew(id, entry)) changed.push_back(id);
    }
    return changed;
}

Clients::Ids Clients::expire(std::int64_t now_ms) {
    const auto is_over = [&](const auto& one) { return left_behind(one.first) && one.second.expires_ms <= now_ms; };
    Ids over;
    for (const auto& [id, entry] : entries_) {
        if (std::ranges::any_of(entry.rows, is_over)) over.push_back(id);
    }
    std::erase_if(over, [&](const std::string& id) { return !erase_rows(entries_.find(id), is_over); });
    return over;
}

Clients::Verdict Clients::verdict(std::string_view id) const {
    const auto at = entries_.find(id);
    return at == entries_.end() ? Verdict{} : at->second.verdict;
}

bool Clients::is_told(const Verdict& verdict) const noexcept {
    const Whose its = whose(verdict);
    return its == Whose::foreign || its == Whose::taken || (its == Whose::over && verdict.owner != me_);
}

Clients::Ids Clients::told() const {
    Ids ids;
    for (const auto& [id, entry] : entries_) {
        if (is_told(entry.verdict)) ids.push_back(id);
    }
    return ids;
}

}  // namespace natkit::cluster
