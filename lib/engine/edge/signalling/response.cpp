#include <algorithm>

#include "description.hpp"
#include "natkit/proxy/forking.hpp"
#include "proxy.hpp"

namespace natkit::edge {
namespace {

/// How long a finished context waits for late 2xx: as long as its client transactions do (RFC 6026).
constexpr std::chrono::seconds late_answers{33};

/// RFC 3326: a phone that rang on need not show a missed call.
constexpr std::string_view answered_elsewhere = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// A failure as it is passed back: with the challenges of all branches (RFC 3261 section 16.7 step 7), and its status.
std::string completed(const std::string& bytes, int status, const std::list<Branch>& branches, const Branch& chosen) {
    const auto message = sip::Message::parse(bytes);
    if (!message) return bytes;
    sip::Edit edit(*message);
    if (status != message->status()) {
        edit.set_start_line("SIP/2.0 " + std::to_string(status) + " " + std::string(sip::reason_of(status)));
    }
    for (const Branch& branch : branches) {
        if (&branch == &chosen || (branch.final_status != 401 && branch.final_status != 407)) continue;
        const auto more = sip::Message::parse(branch.final_bytes);
        if (!more) continue;
        for (const sip::Header& header : more->headers()) {
            const bool challenge =
                header.name == sip::Name::www_authenticate || header.name == sip::Name::proxy_authenticate;
            if (challenge) edit.append(header.name, header.value);
        }
    }
    return edit.finish();
}

}  // namespace

Context* Proxy::find(sip::TransactionId server) {
    const auto found = contexts_.find(server);
    return found == contexts_.end() ? nullptr : &found->second;
}

std::pair<Context*, Branch*> Proxy::of_client(sip::TransactionId client) {
    const auto server = server_of_client_.find(client);
    Context* context = server == server_of_client_.end() ? nullptr : find(server->second);
    if (context == nullptr) return {nullptr, nullptr};
    const auto at = std::ranges::find(context->branches, client, &Branch::client);
    return {context, at == context->branches.end() ? nullptr : &*at};
}

void Proxy::on_response(const sip::ResponseEvent& event, Now now, Output& out) {
    const auto [context, branch] = of_client(event.client);
    if (branch == nullptr) return;
    const sip::Message& response = event.message;
    const int status = response.status();
    if (status < 200) {
        const bool first = !branch->provisional;
        branch->provisional = true;
        if (first && branch->cancel_wanted) cancel_branch(*branch, {}, now, out);
        if (status == 100 || context->finished || context->succeeded) return;
    }
    if (branch->registering && status >= 200 && on_registered(*context, *branch, response, now, out)) return;
    if (status < 300) return on_success(*context, *branch, response, now, out);
    if (status == 487 && branch->rang_out) return refuse_branch(*context, *branch, {.status = 408}, now, out);
    if (status == 503 && try_next(*context, *branch, now, out)) return;
    sip::Edit edit(response);
    edit.pop_value(sip::Name::via);
    remove_identities(edit, response, parts_.neighbours.trusted(branch->flow, branch->verdict),
                      parts_.neighbours.trusted(context->upstream.flow, context->upstream.verdict));
    remove_own_challenges(edit, response);
    if (branch->registering) HomeServers::undo(edit, context->request, response, *branch->registering);
    branch_failed(*context, *branch, status, edit.finish(), now, out);
}

/// What another server makes of a REGISTER. True: it was sent again.
bool Proxy::on_registered(Context& context, Branch& branch, const sip::Message& response, Now now, Output& out) {
    auto outcome = parts_.home.on_response(context, branch, response, now, out);
    parts_.registrations.apply(std::move(outcome.changes), now, out);
    if (outcome.again == nullptr) return false;
    forget_client(branch);
    branch.registering = std::move(outcome.again);
    send_branch(context, branch, std::nullopt, now, out);
    return true;
}

/// A provisional response or a 2xx: passed back at once, its description rewritten.
void Proxy::on_success(Context& context, Branch& branch, const sip::Message& response, Now now, Output& out) {
    const auto session = session_of(context, branch, response, now);
    if (!session || !parts_.media.contains(*session))
        return pass_back(context, branch, response, {}, std::nullopt, now, out);
    if (auto body = description_of(response)) {
        return read_response(context, branch, response, {.session = *session, .body = std::move(*body)}, now, out);
    }
    warn_unchanged(response, out);
    pass_back(context, branch, response, session, std::nullopt, now, out);
}

void Proxy::pass_back(Context& context, Branch& branch, const sip::Message& response, std::optional<SessionId> session,
                      std::optional<std::string> body, Now now, Output& out) {
    const int status = response.status();
    sip::Edit edit(response);
    edit.pop_value(sip::Name::via);
    remove_identities(edit, response, parts_.neighbours.trusted(branch.flow, branch.verdict),
                      parts_.neighbours.trusted(context.upstream.flow, context.upstream.verdict));
    if (body) edit.set_body(std::move(*body));
    if (branch.registering) HomeServers::undo(edit, context.request, response, *branch.registering);
    if (status >= 200) {
        branch.final_status = status;
        branch.sent.reset();
        if (!context.succeeded) forget_.add(now.steady + late_answers, context.server);
        context.succeeded = true;
        context.later.clear();
        if (session && parts_.media.contains(*session)) succeed(context, *session, response, now, out);
        finish_dialog_request(context, status, now, out);
    }
    parts_.answers.respond(context.server, status, edit.finish(), now, out);
    if (status < 200 || context.request.method() != "INVITE") return;
    for (Branch& other_branch : context.branches) {
        if (other_branch.final_status == 0) cancel_branch(other_branch, answered_elsewhere, now, out);
    }
}

/// A branch that fails by our own decision, before or instead of an answer from beyond.
void Proxy::refuse_branch(Context& context, Branch& branch, const Answer& answer, Now now, Output& out) {
    auto bytes = sip::make_response(context.request, answer.status, sip::reason_of(answer.status),
                                    parts_.answers.tag_of(context.request), answer.fields);
    branch.refused_here = true;
    branch_failed(context, branch, answer.status, std::move(bytes), now, out);
}

void Proxy::branch_failed(Context& context, Branch& branch, int status, std::string bytes, Now now, Output& out) {
    if (branch.final_status != 0) return;
    branch.final_status = status;
    branch.sent.reset();
    branch.final_bytes = std::move(bytes);
    if (!context.dialog) {
        end_branch(branch, status, now, out);
    } else {
        parts_.media.reject(*context.dialog, context.server, now.steady, out);
        if (context.adopted && !parts_.media.established(*context.dialog))
            parts_.media.end(*context.dialog, std::to_string(status), now.steady, out);
    }
    finish_dialog_request(context, status, now, out);
    if (status >= 600) {
        context.later.clear();
        for (Branch& other_branch : context.branches) {
            if (other_branch.final_status == 0) cancel_branch(other_branch, {}, now, out);
        }
    }
    pass_best(context, now, out);
}

/// When every branch has failed, one failure is passed back (RFC 3261 section 16.7 step 6).
void Proxy::pass_best(Context& context, Now now, Output& out) {
    if (context.finished || context.succeeded) return;
    std::vector<int> statuses;
    for (const Branch& branch : context.branches) {
        if (branch.final_status == 0) return;
        statuses.push_back(branch.final_status);
    }
    if (!context.later.empty()) {
        for (Branch* branch : next_branches(context, now)) start_branch(context, *branch, Names::unknown, now, out);
        return;
    }
    const auto best = proxy::best_response(statuses);
    if (!best) return;
    context.finished = true;
    forget_.add(now.steady + late_answers, context.server);
    Branch& chosen = context.branch(*best);
    int status = statuses[*best];
    if (status == 503 && !chosen.refused_here) status = 500;  // it is not we who cannot (RFC 3261 section 16.7)
    std::string bytes = std::move(chosen.final_bytes);
    if (status == 401 || status == 407 || status != statuses[*best]) {
        bytes = completed(bytes, status, context.branches, chosen);
    }
    // Nothing was sent anywhere: as if it had been refused at once.
    const bool at_once = std::ranges::all_of(
        context.branches, [](const Branch& branch) { return branch.refused_here && branch.client == 0; });
    if (at_once && parts_.answers.refuse(context.server, context.request, status, bytes, out))
        return forget_.add(now.steady, context.server);
    parts_.answers.respond(context.server, status, std::move(bytes), now, out);
    weigh(context);
}

void Proxy::on_timeout(const sip::TimeoutEvent& event, Now now, Output& out) {
    const auto [context, branch] = of_client(event.client);
    if (branch == nullptr || branch->final_status != 0) return;
    if (event.ringing) {  // timer C: the phone rings for ever, and must be told that nobody waits any more
        branch->rang_out = true;
        return cancel_branch(*branch, {}, now, out);
    }
    if (!branch->provisional && try_next(*context, *branch, now, out)) return;
    // Another edge does not answer, the client's own connection is over (RFC 5626 section 5.3), the server cannot be
    // reached, or nobody answers.
    const bool silent_edge = parts_.settings.by_peer(branch->flow) && !branch->provisional;
    const int status = silent_edge ? 480 : !event.unreachable ? 408 : branch->flow.connection != 0 ? 430 : 503;
    refuse_branch(*context, *branch, {.status = status}, now, out);
}

void Proxy::cancel(sip::TransactionId server, std::string_view reason, Now now, Output& out) {
    Context* context = find(server);
    if (context == nullptr || context->succeeded || context->finished) return;
    context->later.clear();
    for (Branch& branch : context->branches) {
        if (branch.final_status == 0) cancel_branch(branch, reason, now, out);
    }
}

/// A CANCEL waits for a provisional response (RFC 3261 section 9.1), and a branch that is not sent yet is not sent.
void Proxy::cancel_branch(Branch& branch, std::string_view reason, Now now, Output& out) {
    branch.cancel_wanted = true;
    if (!reason.empty()) branch.cancel_reason = reason;
    if (!branch.sent || !branch.provisional) return;
    const auto invite = sip::Message::parse(*branch.sent->bytes);
    if (!invite) return;
    parts_.layer.expect_end(branch.client, now.steady);
    sip::TransactionOutput produced;
    std::string bytes = sip::make_cancel(*invite, branch.cancel_reason);
    const sip::PeerContext of{.call_id = invite->call_id(), .cseq = number_of(*invite), .method = "CANCEL"};
    const Upstream self{.flow = branch.flow, .verdict = branch.verdict, .sender = proxy::Sender::server};
    if (const auto proof = parts_.peers.proof(branch.flow, of, self, {})) {
        const auto cancelling = sip::Message::parse(std::move(bytes));
        if (!cancelling) return;
        sip::Edit edit(*cancelling);
        edit.append(sip::peer_field, *proof);
        bytes = edit.finish();
    }
    const sip::Sent cancel{.bytes = std::make_shared<const std::string>(std::move(bytes)),
                           .method = "CANCEL",
                           .branch = branch.sent->branch};
    if (parts_.layer.request(cancel, branch.flow, now.steady, produced)) {
        std::ranges::move(produced.packets, std::back_inserter(out.packets));
    }
}

/// BYE ends its dialog with whatever final response it gets, unless it is to be repeated with credentials; so do 408
/// and 481 to any request inside it (RFC 5057).
void Proxy::finish_dialog_request(Context& context, int status, Now now, Output& out) {
    if (!context.dialog) return;
    if (context.request.method() == "BYE" && status != 401 && status != 407) {
        parts_.media.end(*context.dialog, "BYE", now.steady, out);
    } else if (status == 408 || status == 481) {
        parts_.media.end(*context.dialog, std::to_string(status), now.steady, out);
    }
}

void Proxy::on_time(Now now, Output& out) {
    while (const auto server = no_answer_.pop_due(now.steady)) {
        Context* context = find(*server);
        if (context == nullptr) continue;
        for (Branch* branch : next_branches(*context, now)) start_branch(*context, *branch, Names::unknown, now, out);
    }
    forget_finished(now.steady);
}

std::optional<Instant> Proxy::next_deadline() const {
    const auto forget = forget_.next();
    const auto no_answer = no_answer_.next();
    return forget && no_answer ? std::min(*forget, *no_answer) : forget ? forget : no_answer;
}

void Proxy::forget_finished(Instant now) {
    while (const auto server = forget_.pop_due(now)) {
        const auto found = contexts_.find(*server);
        if (found == contexts_.end()) continue;
        for (const Branch& branch : found->second.branches) server_of_client_.erase(branch.client);
        parts_.layer.count_kept(-static_cast<std::ptrdiff_t>(found->second.weight));
        contexts_.erase(found);
    }
}

/// What a context keeps has changed: it counts for the bound in bytes.
void Proxy::weigh(Context& context) {
    std::size_t weight = sizeof(Context) + weight_of(context.request) + context.later.size() * sizeof(Target);
    for (const Branch& branch : context.branches) {
        weight += sizeof(Branch) + branch.uri.size() + branch.final_bytes.size() +
                  branch.copies.size() * sizeof(DescriptionCopy);
        if (branch.body) weight += branch.body->size();
        for (const DescriptionCopy& copy : branch.copies) weight += copy.after ? copy.after->size() : 0;
    }
    parts_.layer.count_kept(static_cast<std::ptrdiff_t>(weight) - static_cast<std::ptrdiff_t>(context.weight));
    context.weight = weight;
}

}  // namespace natkit::edge
