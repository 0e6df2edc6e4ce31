#include "natkit/diagnose/phases.hpp"

#include <algorithm>
#include <functional>
#include <string>

#include "natkit/dialog/observed_exchange.hpp"

namespace natkit::diagnose {
namespace {

/// A description as it was said once, on all hops that the capture has.
struct Said {
    const SessionDescription* first = nullptr;      ///< in time
    const SessionDescription* written = nullptr;    ///< nearest to its writer
    const SessionDescription* delivered = nullptr;  ///< nearest to the other party
    bool other_branch = false;                      ///< of a fork: not the one that the call goes on with

    [[nodiscard]] End requester() const { return first->request ? first->writer : other(first->writer); }
};

bool same(const Said& said, const SessionDescription& one) {
    const SessionDescription& first = *said.first;
    return first.writer == one.writer && first.request == one.request && first.cseq == one.cseq &&
           first.method == one.method && first.tag == one.tag && first.status == one.status;
}

/// Of the branches of a fork the one that leads to who answers.
bool nearer_to_receiver(const Call& call, const SessionDescription& one, const SessionDescription& best) {
    if (one.vias != best.vias) return one.request ? one.vias > best.vias : one.vias < best.vias;
    const auto& receiver = one.writer == End::caller ? call.callee_source : call.caller_source;
    return receiver && one.destination == *receiver && best.destination != *receiver;
}

std::vector<Said> all_said(const Call& call) {
    std::vector<Said> all;
    std::int64_t answered_ns = 0;
    for (const SessionDescription& one : call.descriptions) {
        if (one.streams.empty()) continue;
        const bool other_branch = !call.callee_tag.empty() && !one.tag.empty() && one.tag != call.callee_tag;
        if (other_branch && answered_ns != 0 && one.time_ns > answered_ns) continue;
        if (!other_branch && !one.request && one.status >= 200 && answered_ns == 0) answered_ns = one.time_ns;
        const auto known = std::ranges::find_if(all, [&](const Said& said) { return same(said, one); });
        if (known == all.end()) {
            all.push_back({.first = &one, .written = &one, .delivered = &one, .other_branch = other_branch});
            continue;
        }
        // A request gathers Vias on its way; a response loses them.
        const SessionDescription& best = *known->written;
        if (one.request ? one.vias < best.vias : one.vias > best.vias) known->written = &one;
        if (nearer_to_receiver(call, one, *known->delivered)) known->delivered = &one;
    }
    return all;
}

/// What the description is to who has seen those before it.
dialog::Role role_of(dialog::ObservedExchange& exchange, const Call& call, const Said& said) {
    const SessionDescription& first = *said.first;
    const auto kind = dialog::kind_of_message(first.method, first.request);
    if (!kind) return dialog::Role::neither;
    const bool invite_response = *kind == dialog::ObservedMessage::Kind::invite_response;
    if (invite_response) {
        const bool requested = std::ranges::any_of(call.requests, [&](const Request& one) {
            return one.method == "INVITE" && one.cseq == first.cseq && one.sender == said.requester();
        });
        const bool described = std::ranges::any_of(call.descriptions, [&](const SessionDescription& one) {
            return one.request && one.cseq == first.cseq && one.writer == said.requester() && one.method == "INVITE";
        });
        if (requested && !described) exchange.expect_late_offer(said.requester(), first.cseq);
        if (!requested && !described) return dialog::Role::answer;  // to an offer before the capture began
    }
    return exchange.observe({.kind = *kind,
                             .from = first.writer,
                             .cseq = first.cseq,
                             .described = true,
                             .fork = invite_response ? std::hash<std::string>()(first.tag) | 1U : 0});
}

const MediaDescription* line_of(const SessionDescription* description, std::size_t line) {
    return description != nullptr && line < description->streams.size() ? &description->streams[line] : nullptr;
}

bool says_the_same(const SessionDescription* a, const SessionDescription* b) {
    if (a == nullptr || b == nullptr) return a == b;
    return a->streams == b->streams;
}

bool changes_nothing(const Phase& before, const Phase& now) {
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
        if (!says_the_same(before.written[i], now.written[i]) || !says_the_same(before.delivered[i], now.delivered[i]))
            return false;
    }
    return true;
}

/// In another response to the same offer of one dialog.
bool answers_again(const Phase& before, const SessionDescription& now) {
    const SessionDescription* first = before.written[static_cast<std::size_t>(now.writer)];
    return first != nullptr && !first->request && !now.request && first->cseq == now.cseq &&
           first->method == now.method && first->tag == now.tag;
}

}  // namespace

const MediaDescription* Phase::written_by(End party, std::size_t line) const {
    return line_of(written[static_cast<std::size_t>(party)], line);
}

const MediaDescription* Phase::delivered_of(End party, std::size_t line) const {
    return line_of(delivered[static_cast<std::size_t>(party)], line);
}

std::vector<Phase> phases_of(const Call& call, std::int64_t end_ns) {
    const std::vector<Said> all = all_said(call);
    std::vector<Phase> phases;
    dialog::ObservedExchange exchange;
    std::array<const Said*, 2> last{};  ///< description of each party
    for (const Said& said : all) {
        const Said* theirs = last[static_cast<std::size_t>(other(said.first->writer))];
        const dialog::Role role = role_of(exchange, call, said);
        last[static_cast<std::size_t>(said.first->writer)] = &said;
        const bool repeats_answer = role == dialog::Role::neither && !said.first->request && said.first->status >= 200;
        if (role != dialog::Role::answer && !repeats_answer) continue;
        Phase phase = phases.empty() ? Phase{} : phases.back();
        phase.from_ns = said.first->time_ns;
        phase.frame = said.first->frame;
        phase.second_answer = !phases.empty() && answers_again(phases.back(), *said.first);
        const bool provisional = !said.first->request && said.first->status < 200 && said.first->method == "INVITE";
        phase.early = said.other_branch || (provisional && (phases.empty() || phases.back().early));
        const auto put = [&](const Said& one) {
            phase.written[static_cast<std::size_t>(one.first->writer)] = one.written;
            phase.delivered[static_cast<std::size_t>(one.first->writer)] = one.delivered;
        };
        put(said);
        phase.offer_frame = theirs != nullptr ? theirs->first->frame : 0;
        phase.offerer = other(said.first->writer);
        if (theirs != nullptr) put(*theirs);
        if (!phases.empty() && changes_nothing(phases.back(), phase)) {
            phases.back().early = phases.back().early && phase.early;
            continue;
        }
        if (!phases.empty()) phases.back().to_ns = phase.from_ns;
        phases.push_back(phase);
    }
    if (!phases.empty()) phases.back().to_ns = std::max(end_ns, phases.back().from_ns);
    return phases;
}

}  // namespace natkit::diagnose
