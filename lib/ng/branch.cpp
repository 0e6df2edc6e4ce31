#include "natkit/ng/branch.hpp"

#include <algorithm>

namespace natkit::ng {
namespace {

using dialog::End;

template <class Wanted>
std::vector<Removed> all_where(std::span<const BranchNames> branches, const Wanted& wanted) {
    std::vector<Removed> found;
    for (std::size_t i = 0; i < branches.size(); ++i) {
        if (wanted(branches[i])) found.push_back({.branch = i, .answerer = {}});
    }
    return found;
}

/// The answerer's part of each branch that it has answered; all of it where it is the only one.
std::vector<Removed> of_answerer(std::span<const BranchNames> branches, std::string_view tag, std::string_view other) {
    std::vector<Removed> found;
    for (std::size_t i = 0; i < branches.size(); ++i) {
        const BranchNames& branch = branches[i];
        if (!branch.has_answerer(tag) || (!other.empty() && other != branch.offerer)) continue;
        const bool alone = branch.answerers.size() == 1;
        found.push_back({.branch = i, .answerer = alone ? std::string() : std::string(tag)});
    }
    return found;
}

std::vector<Removed> by_tags(std::span<const BranchNames> branches, const Request& removal) {
    const std::string& from = removal.from_tag;
    const std::string& to = removal.to_tag;
    if (!to.empty()) {
        auto found = of_answerer(branches, to, from);
        // A request of the answerer has its own tag in From.
        return found.empty() ? of_answerer(branches, from, to) : found;
    }
    auto found = of_answerer(branches, from, {});
    if (!found.empty()) return found;
    return all_where(branches, [&](const BranchNames& each) { return each.offerer == from; });
}

std::size_t dialogs(std::span<const BranchNames> branches) {
    std::size_t count = 0;
    for (const BranchNames& each : branches) count += std::max<std::size_t>(1, each.answerers.size());
    return count;
}

}  // namespace

bool BranchNames::has_answerer(std::string_view tag) const noexcept {
    return std::ranges::find(answerers, tag) != answerers.end();
}

std::vector<Spoken> find_offers(std::span<const BranchNames> branches, const Request& offer) {
    const std::string& from = offer.from_tag;
    std::vector<Spoken> found;
    for (std::size_t i = branches.size(); i-- > 0;) {
        const BranchNames& branch = branches[i];
        if (offer.to_tag.empty()) {
            if (branch.offerer == from && branch.via_branch == offer.via_branch)
                found.push_back({.branch = i, .end = End::caller});
        } else if (branch.offerer == from && branch.has_answerer(offer.to_tag)) {
            found.push_back({.branch = i, .end = End::caller});
        } else if (branch.offerer == offer.to_tag && branch.has_answerer(from)) {
            found.push_back({.branch = i, .end = End::callee});
        }
    }
    std::ranges::stable_partition(
        found, [&](const Spoken& each) { return branches[each.branch].via_branch == offer.via_branch; });
    return found;
}

std::vector<Spoken> find_answers(std::span<const BranchNames> branches, const Request& answer) {
    const std::string& offerer = answer.from_tag;
    const std::string& answerer = answer.to_tag;
    std::vector<Spoken> same_branch;
    std::vector<Spoken> known;
    std::vector<Spoken> unanswered;
    std::vector<Spoken> others;
    for (std::size_t i = branches.size(); i-- > 0;) {
        const BranchNames& branch = branches[i];
        if (branch.offerer == answerer && branch.has_answerer(offerer))
            known.push_back({.branch = i, .end = End::caller});
        if (branch.offerer != offerer) continue;
        auto& list = !answer.via_branch.empty() && branch.via_branch == answer.via_branch ? same_branch
                     : branch.has_answerer(answerer)                                      ? known
                     : !branch.answered                                                   ? unanswered
                                                                                          : others;
        list.push_back({.branch = i, .end = End::callee});
    }
    for (const auto* list : {&known, &unanswered, &others})
        same_branch.insert(same_branch.end(), list->begin(), list->end());
    return same_branch;
}

std::vector<Removed> find_removed(std::span<const BranchNames> branches, const Request& removal) {
    const auto with_via_branch = [&] {
        if (removal.via_branch.empty()) return std::vector<Removed>();
        return all_where(branches, [&](const BranchNames& each) { return each.via_branch == removal.via_branch; });
    };
    if (removal.from_tag.empty()) return all_where(branches, [](const BranchNames&) { return true; });
    if (removal.to_tag.empty()) {
        if (auto found = with_via_branch(); !found.empty()) return found;
    }
    if (auto found = by_tags(branches, removal); !found.empty()) return found;
    if (auto found = with_via_branch(); !found.empty()) return found;
    auto unanswered = all_where(
        branches, [&](const BranchNames& each) { return each.offerer == removal.from_tag && !each.answered; });
    if (!unanswered.empty()) return unanswered;
    // Its offerer is known, and the other tag is not: of a fork's phones one that has never answered is gone.
    const bool of_another = std::ranges::any_of(
        branches, [&](const BranchNames& each) { return !removal.to_tag.empty() && each.offerer == removal.from_tag; });
    if (!of_another && dialogs(branches) == 1) return all_where(branches, [](const BranchNames&) { return true; });
    return {};
}

}  // namespace natkit::ng
