#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "natkit/dialog/end.hpp"
#include "natkit/ng/request.hpp"

namespace natkit::ng {

/// What names an offer and its answers: who offered first, and who has answered. A request that forked has several
/// answerers in one branch, where the proxy made one offer for all, or a branch for each.
struct BranchNames {
    std::string offerer;                 ///< tag of who made the first offer
    std::vector<std::string> answerers;  ///< tags; the one that answered last is the last
    std::string via_branch;              ///< of the first offer; may be empty
    bool answered = false;

    [[nodiscard]] bool has_answerer(std::string_view tag) const noexcept;
    friend bool operator==(const BranchNames&, const BranchNames&) = default;
};

/// A branch of a call, and the end of it that a request speaks for.
struct Spoken {
    std::size_t branch = 0;
    dialog::End end{};

    friend bool operator==(const Spoken&, const Spoken&) = default;
};

/// The branches that an offer may renew, and who offers, the likeliest first; none: it begins one. With a to-tag the
/// two tags name it; a call that comes through twice has two such branches, which their descriptions tell apart.
/// Without a to-tag it is the first offer of a call that comes again (401, 407, a retransmission): the same from-tag
/// and via-branch.
[[nodiscard]] std::vector<Spoken> find_offers(std::span<const BranchNames> branches, const Request& offer);

/// The branches that an answer may be of, and who answers, the likeliest first. Its from-tag is the offerer's, its
/// to-tag the answerer's. A new to-tag answers the offer with its via-branch; else one that nobody has answered, the
/// last first.
[[nodiscard]] std::vector<Spoken> find_answers(std::span<const BranchNames> branches, const Request& answer);

/// What a delete takes away.
struct Removed {
    std::size_t branch = 0;
    std::string answerer;  ///< that one alone, others of the branch stay; empty: all of it

    friend bool operator==(const Removed&, const Removed&) = default;
};

/// Without from-tag all of the call; else what has the via-branch, if there is no to-tag; else what has the to-tag, or
/// the from-tag where there is none; else what has the via-branch; else what the from-tag has offered and nobody has
/// answered. What matches nothing ends the only dialog there is, unless the offerer is known: then it is about a phone
/// that has never answered. Nothing: there are several, or none.
[[nodiscard]] std::vector<Removed> find_removed(std::span<const BranchNames> branches, const Request& removal);

}  // namespace natkit::ng
