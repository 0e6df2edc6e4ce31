#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "natkit/diagnose/diagnose.hpp"
#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// What the rules found, put in order: one finding for one cause, and behind each what came of it.
namespace natkit::diagnose {
namespace {

using All = std::vector<Finding>;

bool at_the_same_time(const Finding& a, const Finding& b) {
    const auto before = [](const Finding& one, const Finding& next) {
        return one.to_s && next.from_s && *one.to_s <= *next.from_s;
    };
    return !before(a, b) && !before(b, a);
}

/// "The caller hears nothing from 12.3 s on: why." as the part up to the colon without the party, and the part behind
/// it; both empty where a sentence does not begin so.
struct Deafness {
    std::string_view when, why;
};

Deafness deafness(std::string_view sentence, End party) {
    const std::string head = name_at_start(party) + " hears nothing";
    if (!sentence.starts_with(head)) return {};
    sentence.remove_prefix(head.size());
    const std::size_t colon = sentence.find(": ");
    if (colon == std::string_view::npos) return {};
    return {.when = sentence.substr(0, colon), .why = sentence.substr(colon + 2)};
}

/// "the same for both: this of one" and "the same for both: that of the other": the second without what both have.
std::string_view without_common_head(std::string_view one, std::string_view two) {
    const auto differ = std::ranges::mismatch(one, two).in1;
    const std::string_view common = one.substr(0, static_cast<std::size_t>(differ - one.begin()));
    const std::size_t colon = common.rfind(": ");
    return colon == std::string_view::npos ? two : two.substr(colon + 2);
}

/// "it announces…" of somebody who is named here.
std::string with_name(std::string_view why, End party) {
    constexpr std::string_view it = "it ";
    return why.starts_with(it) ? name(party) + " " + std::string(why.substr(it.size())) : std::string(why);
}

std::string both_sentences(const Finding& to_caller, const Finding& to_callee) {
    const Deafness one = deafness(to_caller.sentence, End::caller), two = deafness(to_callee.sentence, End::callee);
    if (one.why.empty() || two.why.empty() || one.when != two.when)
        return "Neither hears the other. " + to_caller.sentence + " " + to_callee.sentence;
    const std::string begin = "Neither hears the other" + std::string(one.when) + ": ";
    std::string first = with_name(one.why, End::caller);
    const std::string second = with_name(two.why, End::callee);
    if (first == second) return begin + first;
    const std::string_view rest = without_common_head(first, second);
    if (first.ends_with('.')) first.pop_back();
    return begin + first + "; " + std::string(rest);
}

void take_in(Finding& first, const Finding& second) {
    const bool caller_first = first.hears_nothing->includes(End::caller);
    first.sentence = caller_first ? both_sentences(first, second) : both_sentences(second, first);
    if (first.change != second.change) first.change += " " + second.change;
    first.hears_nothing = Deaf::both();
    first.confidence = std::max(first.confidence, second.confidence);  // no surer than the weaker one
    for (const std::uint64_t frame : second.frames) {
        if (first.frames.size() < 8 && std::ranges::find(first.frames, frame) == first.frames.end())
            first.frames.push_back(frame);
    }
    first.from_s =
        first.from_s && second.from_s ? std::optional(std::min(*first.from_s, *second.from_s)) : std::nullopt;
    first.to_s = first.to_s && second.to_s ? std::optional(std::max(*first.to_s, *second.to_s)) : std::nullopt;
}

/// Both directions are dead at once by the same cause.
void join_directions(All& findings) {
    for (auto first = findings.begin(); first != findings.end(); ++first) {
        if (!first->hears_nothing || harmless(*first)) continue;
        const auto second = std::find_if(first + 1, findings.end(), [&](const Finding& one) {
            return one.cause == first->cause && one.hears_nothing && !harmless(one) && at_the_same_time(*first, one);
        });
        if (second == findings.end()) continue;
        take_in(*first, *second);
        findings.erase(second);
    }
}

enum class Whom : std::uint8_t {
    the_other,  ///< who hears nothing says nothing, before long
    the_same,   ///< whose other stream is dead as well
};

struct Link {
    Cause root, consequence;
    Whom whom;
    bool of_one_fault;  ///< what is dead by the consequence is dead by the root
};

/// A box between them that fails one direction fails the other one; who is not reached at one port is not at another.
constexpr auto links = std::to_array<Link>({
    {Cause::echo, Cause::relay_not_joined, Whom::the_other, true},
    {Cause::relay_to_itself, Cause::relay_not_joined, Whom::the_other, true},
    {Cause::relay_not_joined, Cause::nothing_sent, Whom::the_other, true},
    {Cause::private_address, Cause::nothing_sent, Whom::the_same, true},
    {Cause::private_address, Cause::never_arrives, Whom::the_same, true},
    {Cause::binding_expired, Cause::never_arrives, Whom::the_same, true},
    {Cause::binding_expired, Cause::stopped, Whom::the_same, true},
    {Cause::refused_by_firewall, Cause::never_arrives, Whom::the_same, true},
    {Cause::relay_not_joined, Cause::never_arrives, Whom::the_same, true},
});

bool follows(const Finding& finding, const Finding& root) {
    if (&finding == &root || harmless(root) || !root.hears_nothing || !finding.hears_nothing) return false;
    const bool one_way = *finding.hears_nothing != Deaf::both();
    const bool same = (*root.hears_nothing | *finding.hears_nothing) == *root.hears_nothing;
    const bool the_other = one_way && (*root.hears_nothing == Deaf::both() || !same);
    // A party that hears nothing goes silent, whatever the reason.
    if (finding.cause == Cause::stopped && root.cause != Cause::stopped && the_other) return true;
    return std::ranges::any_of(links, [&](const Link& link) {
        const bool fits = link.whom == Whom::the_same ? same : the_other;
        return link.root == root.cause && link.consequence == finding.cause && fits;
    });
}

void link(All& findings) {
    for (Finding& finding : findings) {
        if (harmless(finding)) continue;
        const auto root = std::ranges::find_if(findings, [&](const Finding& one) { return follows(finding, one); });
        if (root == findings.end()) continue;
        finding.follows_from = root->cause;
        if (finding.cause != Cause::stopped) root->hears_nothing = *root->hears_nothing | *finding.hears_nothing;
    }
}

/// Who ended the call for the want of media did so because of what kept it out, where that is known.
void link_end(All& findings) {
    const auto end = std::ranges::find(findings, Cause::hung_up, &Finding::cause);
    if (end == findings.end()) return;
    const auto root = std::ranges::find_if(findings, [](const Finding& one) {
        return one.cause != Cause::hung_up && one.hears_nothing && !harmless(one);
    });
    if (root != findings.end()) end->follows_from = root->cause;
}

/// When a fault made itself felt, and whose BYE is its consequence; nothing: anybody's.
struct Felt {
    std::int64_t from_ns = 0;
    std::optional<End> by;
};

constexpr std::int64_t patience = 3 * second_ns;  ///< who hangs up sooner after media stops may have done so anyway

std::optional<Felt> felt(const Case& one, const Finding& root) {
    const auto begin = [&](double seconds) {
        return one.call().first_ns + static_cast<std::int64_t>(seconds * static_cast<double>(second_ns));
    };
    switch (root.cause) {
        case Cause::ack_lost:
        case Cause::ack_unreachable:  // RFC 3261 section 13.3.1.4: the callee gives up
            for (const Request& invite : one.call().requests) {
                for (const Response& answer : invite.responses) {
                    const bool meant = std::ranges::find(root.frames, answer.frame) != root.frames.end();
                    if (meant && answer.status < 300) return Felt{.from_ns = answer.last_ns, .by = End::callee};
                }
            }
            return std::nullopt;
        case Cause::session_expired:
            return root.from_s ? std::optional(Felt{.from_ns = begin(*root.from_s), .by = {}}) : std::nullopt;
        case Cause::stopped:
            if (!root.from_s || !root.hears_nothing || *root.hears_nothing == Deaf::both()) return std::nullopt;
            return Felt{.from_ns = begin(*root.from_s) + patience,
                        .by = root.hears_nothing->includes(End::caller) ? End::caller : End::callee};
        default: return std::nullopt;
    }
}

/// The BYE that ended the call because of a fault.
std::optional<Finding> ended_by(const Case& one, const Finding& root) {
    const auto when = felt(one, root);
    if (!when) return std::nullopt;
    const Request* bye = nullptr;
    for (const Request& request : one.call().requests) {
        if (request.method == "BYE" && (bye == nullptr || request.vias < bye->vias)) bye = &request;
    }
    const bool unheard = bye != nullptr && bye->status == 0 && bye->copies > 1;
    if (bye == nullptr || unheard || bye->first_ns < when->from_ns || (when->by && *when->by != bye->sender))
        return std::nullopt;
    return Finding{.cause = Cause::hung_up,
                   .sentence = name_at_start(bye->sender) + " ended the call at " + tenths(one.at(bye->first_ns)) +
                               " (BYE, frame " + std::to_string(bye->frame) + ").",
                   .change = "Nothing to repair here: it is a consequence.",
                   .confidence = Confidence::inferred,
                   .frames = {bye->frame},
                   .from_s = one.at(bye->first_ns),
                   .follows_from = root.cause};
}

/// What follows from a consequence follows from its root.
void lead_to_roots(All& findings) {
    for (Finding& finding : findings) {
        for (int steps = 0; finding.follows_from && steps < 3; ++steps) {
            const auto cause = std::ranges::find(findings, *finding.follows_from, &Finding::cause);
            if (cause == findings.end() || !cause->follows_from || &*cause == &finding) break;
            finding.follows_from = cause->follows_from;
        }
    }
}

/// Gravest first, each with its consequences behind it, and what is mere information last.
All in_order(All findings) {
    std::ranges::stable_sort(findings, {}, [](const Finding& one) { return harmless(one); });
    All ordered;
    for (const Finding& root : findings) {
        if (root.follows_from) continue;
        const bool again = std::ranges::find(ordered, root.cause, &Finding::cause) != ordered.end();
        ordered.push_back(root);
        for (const Finding& one : findings) {
            if (one.follows_from == root.cause && !again) ordered.push_back(one);
        }
    }
    return ordered;
}

}  // namespace

std::vector<Finding> with_consequences(const Case& one, std::vector<Finding> findings) {
    join_directions(findings);
    link(findings);
    link_end(findings);
    const bool told = std::ranges::find(findings, Cause::hung_up, &Finding::cause) != findings.end();
    All ends;
    for (const Finding& root : findings) {
        if (told || harmless(root) || !ends.empty()) continue;
        if (auto end = ended_by(one, root)) ends.push_back(*std::move(end));
    }
    for (Finding& end : ends) findings.push_back(std::move(end));
    lead_to_roots(findings);
    return in_order(std::move(findings));
}

}  // namespace natkit::diagnose
