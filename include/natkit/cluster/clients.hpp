#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "natkit/base/ip.hpp"
#include "natkit/base/transport.hpp"

namespace natkit::cluster {

/// What of a registration decides whose client it is.
struct ClientRow {
    Transport transport = Transport::udp;
    IpAddress local;        ///< the edge's address of its flow
    bool anywhere = false;  ///< the client can be reached from any address: no NAT of others is before it
    std::string call_id;
    std::uint32_t cseq = 0;
    std::int64_t expires_ms = 0;     ///< by the clock of Redis
    std::int64_t registered_ms = 0;  ///< the same

    /// It says that the client is registered nowhere any more: that ended at a node which did not have it.
    [[nodiscard]] bool over() const noexcept { return expires_ms <= registered_ms; }

    friend bool operator==(const ClientRow&, const ClientRow&) = default;
};

/// Which of two registrations of one id is newer: of one Call-ID the one with the higher CSeq, of different ones the
/// later one. Where neither is, they are equivalent: the same request, known to two nodes.
[[nodiscard]] std::weak_ordering compare(const ClientRow& one, const ClientRow& other) noexcept;

/// Whose each registered client is among several active nodes. Every node that knows the same comes to the same
/// decision: from what the nodes have registered, which of them live, and which addresses those have.
class Clients {
  public:
    /// A node, by its place in the order of names; former() is another one.
    using Slot = std::size_t;
    static constexpr Slot nobody = SIZE_MAX;
    struct Verdict {
        Slot owner = nobody;
        Slot row = nobody;  ///< whose row counts
        bool over = false;  ///< it says that there is no such client any more
        friend bool operator==(const Verdict&, const Verdict&) = default;
    };
    enum class Whose : std::uint8_t {
        own,
        taken,  ///< ours now, by another's row
        foreign,
        leaving,  ///< another's by the row that we have: it stays with us until he has taken it
        nobody,
        over,  ///< it has unregistered, at a node that did not have it
    };
    using LiveNodes = std::map<std::string, std::vector<IpAddress>, std::less<>>;
    using Rows = std::vector<std::pair<std::string, ClientRow>>;
    using Ids = std::vector<std::string>;

    /// `nodes`: all of the cluster, with `me` or without it.
    Clients(const std::string& me, std::vector<std::string> nodes);

    [[nodiscard]] std::optional<Slot> find(std::string_view node) const;
    [[nodiscard]] Slot me() const noexcept { return me_; }
    /// What this node had registered before it was started anew: of a dead node of its name.
    [[nodiscard]] Slot former() const noexcept { return nodes_.size() - 1; }
    [[nodiscard]] const std::string& name(Slot slot) const { return nodes_[slot].name; }
    [[nodiscard]] bool live(Slot slot) const { return nodes_[slot].live; }

    /// A node has this row now, or has it no more. True where others have to hear of that client.
    bool put(Slot slot, std::string_view id, ClientRow row);
    bool drop(Slot slot, std::string_view id);
    /// All that a node has. The ids that others have to hear of.
    [[nodiscard]] Ids replace(Slot slot, Rows rows);
    /// Who is live, and with which addresses. Names that are none of the nodes' are left out. Where that is news, all
    /// is decided anew; the ids whose decision is another one.
    [[nodiscard]] Ids set_live(const LiveNodes& live);
    /// What dead nodes have left behind is over with its time. The ids whose decision is another one.
    [[nodiscard]] Ids expire(std::int64_t now_ms);

    [[nodiscard]] Verdict verdict(std::string_view id) const;
    [[nodiscard]] Whose whose(const Verdict& verdict) const noexcept;
    /// Of all clients that any node has.
    [[nodiscard]] std::size_t count(Whose whose) const noexcept { return counts_[static_cast<std::size_t>(whose)]; }
    /// What dead nodes have left behind, and a row of our own has caught up with, since this was asked last: a node
    /// that reads it later must not take it for a client that there still is.
    using Overtaken = std::vector<std::pair<Slot, std::string>>;
    [[nodiscard]] Overtaken take_overtaken() { return std::exchange(overtaken_, {}); }
    /// Whether our edge is told of it: who has it, or that it is over; of all others, that there is no such client.
    [[nodiscard]] bool is_told(const Verdict& verdict) const noexcept;
    /// All of those.
    [[nodiscard]] Ids told() const;

  private:
    struct Node {
        std::string name;
        bool live = false;
        std::vector<IpAddress> addresses;
    };
    struct Entry {
        std::vector<std::pair<Slot, ClientRow>> rows;
        Verdict verdict;
    };
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view id) const noexcept { return std::hash<std::string_view>{}(id); }
    };
    using Entries = std::unordered_map<std::string, Entry, Hash, std::equal_to<>>;

    [[nodiscard]] Slot claimant(Slot of, const ClientRow& row, std::string_view id) const;
    [[nodiscard]] Verdict decide(std::string_view id, const Entry& entry) const;
    /// True where the verdict is another one.
    bool decide_anew(std::string_view id, Entry& entry);
    template <class Gone>
    bool erase_rows(Entries::iterator at, const Gone& gone);
    template <class Needed>
    [[nodiscard]] Slot heir(std::string_view id, const Needed& needed) const;
    void forget_overtaken(std::string_view id, Entry& entry);
    /// Nobody is there who would tell when it is gone.
    [[nodiscard]] bool left_behind(Slot slot) const { return slot != me_ && !nodes_[slot].live; }

    std::vector<Node> nodes_;  ///< by name, and last the former one
    Slot me_ = nobody;
    Entries entries_;
    Overtaken overtaken_;
    std::array<std::size_t, 6> counts_{};
};

}  // namespace natkit::cluster
