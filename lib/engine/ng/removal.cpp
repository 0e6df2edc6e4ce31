// delete: of a call, of a branch of it, of one that answered.
#include <algorithm>

#include "calls.hpp"
#include "natkit/base/text.hpp"

namespace natkit::ng {

/// Of several that answered one is gone: where it was the last, the one before it counts again.
void Calls::remove_answerer(Branch& branch, const std::string& tag) {
    const bool counted = !branch.names.answerers.empty() && branch.names.answerers.back() == tag;
    std::erase(branch.names.answerers, tag);
    std::erase_if(branch.answerers, [&](const Answerer& each) { return each.tag == tag; });
    if (!counted || branch.answerers.empty()) return;
    const auto& before = branch.answerers.back().parties;
    for (std::size_t line = 0; line < branch.call.streams().size() && line < before.size(); ++line) {
        const dialog::Stream& stream = branch.call.streams()[line];
        const auto pair = branch.pairs.find(stream.legs);
        if (pair == branch.pairs.end() || !before[line]) continue;
        pair->second.parties[index(End::callee)] = before[line];
        if (!face(branch, pair->second, End::callee, stream)) continue;
        (void)connect(pair->second);
    }
}

std::optional<Dictionary> Calls::remove(const Request& request, const Respond& respond) {
    Call* call = find(request.call_id);
    Dictionary not_found{{"warning", "Call-ID not found or tags didn't match"}, {"result", "ok"}};
    if (call == nullptr) return not_found;
    const auto found = find_removed(names_of(*call), request);
    if (found.empty()) return not_found;
    tell(*call, {}, respond);  // what it has counted, before it is gone
    const auto delay = request.delete_delay.value_or(settings_.delete_delay);
    std::vector<Branch*> over;
    for (const Removed& each : found) {
        Branch& branch = *call->branches[each.branch];
        if (!each.answerer.empty()) {
            remove_answerer(branch, each.answerer);
            keep(*call, branch);
        } else if (delay.count() == 0) {
            over.push_back(&branch);
        } else {
            branch.deleted = true;
            branch.ends_at = loop_.now() + delay;
            look_again(request.call_id, *branch.ends_at);
            keep(*call, branch);
        }
    }
    for (Branch* branch : over) drop(*call, *branch, "delete");
    end_if_empty(request.call_id);
    return std::nullopt;
}

}  // namespace natkit::ng
