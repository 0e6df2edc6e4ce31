#include <algorithm>

#include "description.hpp"
#include "edge.hpp"
#include "natkit/proxy/forking.hpp"

namespace natkit::edge {
namespace {

/// How long a finished context waits for late 2xx: as long as its client transactions do (RFC 6026).
constexpr std::chrono::seconds late_answers{33};

/// RFC 3326: a phone that rang on need not show a missed call.
constexpr std::string_view answered_elsewhere = "SIP;cause=200;text=\"Call completed elsewhere\"";

}  // namespace

void Edge::on_event(const sip::ResponseEvent& event, Now now, Output& out) {
    const auto server = server_of_client_.find(event.client);
    const auto found = server == server_of_client_.end() ? contexts_.end() : contexts_.find(server->second);
    if (found == contexts_.end()) return;
    Context& context = found->second;
    const auto at = std::ranges::find(context.branches, event.client, &Branch::client);
    if (at == context.branches.end()) return;
    Branch& branch = *at;
    const auto index = static_cast<std::size_t>(at - context.branches.begin());
    const sip::Message& response = event.message;
    const int status = response.status();
    if (status < 200) {
        const bool first = !branch.provisional;
        branch.provisional = true;
        if (first && branch.cancel_wanted) cancel_branch(branch, {}, now, out);
        if (status == 100 || context.finished || context.succeeded) return;
    }
    if (branch.registering && status >= 200 && on_registered(found->first, index, response, now, out)) return;
    if (status < 300) return on_success(found->first, index, response, now, out);
    if (status == 487 && branch.rang_out) return refuse_branch(found->first, index, 408, now, out);
    if (status == 503 && try_next(found->first, index, now, out)) return;
    sip::Edit edit(response);
    edit.pop_value(sip::Name::via);
    remove_identities(edit, response, trusted(branch.flow, branch.party),
                      trusted(context.upstream.flow, context.upstream.party));
    remove_own_challenges(edit, response);
    if (branch.registering) undo_plan(edit, context.request, response, *branch.registering);
    branch_failed(found->first, index, status, edit.finish(), now, out);
}

/// A provisional response or a 2xx: passed back at once, its SDP rewritten.
void Edge::on_success(sip::TransactionId server, std::size_t index, const sip::Message& response, Now now,
                      Output& out) {
    Context& context = contexts_.at(server);
    const auto session = session_of(server, context.branches[index], response, now);
    if (!session || !media_.contains(*session)) return pass_back(server, index, response, {}, std::nullopt, now, out);
    if (auto body = description_of(response)) {
        return read_response(server, index, response, *session, std::move(*body), now, out);
    }
    warn_unchanged(response, out);
    pass_back(server, index, response, session, std::nullopt, now, out);
}

void Edge::pass_back(sip::TransactionId server, std::size_t index, const sip::Message& response,
                     std::optional<SessionId> session, std::optional<std::string> body, Now now, Output& out) {
    Context& context = contexts_.at(server);
    Branch& branch = context.branches[index];
    const int status = response.status();
    sip::Edit edit(response);
    edit.pop_value(sip::Name::via);
    remove_identities(edit, response, trusted(branch.flow, branch.party),
                      trusted(context.upstream.flow, context.upstream.party));
    if (body) edit.set_body(std::move(*body));
    if (branch.registering) undo_plan(edit, context.request, response, *branch.registering);
    if (status >= 200) {
        branch.final_status = status;
        branch.sent.reset();
        if (!context.succeeded) forget_.add(now.steady + late_answers, server);
        context.succeeded = true;
        context.later.clear();
        if (session && media_.contains(*session)) settle(server, *session, response, now, out);
        finish_dialog_request(context, status, now, out);
    }
    respond(server, status, edit.finish(), now, out);
    if (status < 200 || context.request.method() != "INVITE") return;
    for (Branch& other_branch : contexts_.at(server).branches) {
        if (other_branch.final_status == 0) cancel_branch(other_branch, answered_elsewhere, now, out);
    }
}

void Edge::branch_failed(sip::TransactionId server, std::size_t index, int status, std::string bytes, Now now,
                         Output& out) {
    Context& context = contexts_.at(server);
    Branch& branch = context.branches[index];
    if (branch.final_status != 0) return;
    branch.final_status = status;
    branch.sent.reset();
    branch.final_bytes = std::move(bytes);
    if (!context.dialog) {
        end_branch(branch, status, now, out);
    } else {
        media_.reject(*context.dialog, server, now.steady, out);
        if (context.adopted && !media_.established(*context.dialog))
            media_.end(*context.dialog, std::to_string(status), now.steady, out);
    }
    finish_dialog_request(context, status, now, out);
    if (status >= 600) {
        context.later.clear();
        for (Branch& other_branch : context.branches) {
            if (other_branch.final_status == 0) cancel_branch(other_branch, {}, now, out);
        }
    }
    pass_best(server, now, out);
}

/// A failure as it is passed back: with the challenges of all branches (RFC 3261 section 16.7 step 7), and its status.
std::string Edge::completed(const std::string& bytes, int status, const std::vector<Branch>& branches,
                            std::size_t chosen) {
    const auto message = sip::Message::parse(bytes);
    if (!message) return bytes;
    sip::Edit edit(*message);
    if (status != message->status()) {
        edit.set_start_line("SIP/2.0 " + std::to_string(status) + " " + std::string(sip::reason_of(status)));
    }
    for (std::size_t i = 0; i < branches.size(); ++i) {
        const int other = branches[i].final_status;
        if (i == chosen || (other != 401 && other != 407)) continue;
        const auto more = sip::Message::parse(branches[i].final_bytes);
        if (!more) continue;
        for (const sip::Header& header : more->headers()) {
            const bool challenge =
                header.name == sip::Name::www_authenticate || header.name == sip::Name::proxy_authenticate;
            if (challenge) edit.append(header.name, header.value);
        }
    }
    return edit.finish();
}

/// When every branch has failed, one failure is passed back (RFC 3261 section 16.7 step 6).
void Edge::pass_best(sip::TransactionId server, Now now, Output& out) {
    Context& context = contexts_.at(server);
    if (context.finished || context.succeeded) return;
    std::vector<int> statuses;
    for (const Branch& branch : context.branches) {
        if (branch.final_status == 0) return;
        statuses.push_back(branch.final_status);
    }
    if (!context.later.empty()) return start_next(server, now, out);
    const auto best = proxy::best_response(statuses);
    if (!best) return;
    context.finished = true;
    forget_.add(now.steady + late_answers, server);
    Branch& chosen = context.branches[*best];
    int status = statuses[*best];
    if (status == 503 && !chosen.refused_here) status = 500;  // it is not we who cannot (RFC 3261 section 16.7)
    std::string bytes = std::move(chosen.final_bytes);
    if (status == 401 || status == 407 || status != statuses[*best]) {
        bytes = completed(bytes, status, context.branches, *best);
    }
    // Nothing was sent anywhere: as if it had been refused at once.
    const bool at_once = std::ranges::all_of(
        context.branches, [](const Branch& branch) { return branch.refused_here && branch.client == 0; });
    if (at_once && refuse(server, context.request, status, bytes, out)) return forget_.add(now.steady, server);
    respond(server, status, std::move(bytes), now, out);
    weigh(server);
}

void Edge::on_event(const sip::TimeoutEvent& event, Now now, Output& out) {
    const auto server = server_of_client_.find(event.client);
    const auto found = server == server_of_client_.end() ? contexts_.end() : contexts_.find(server->second);
    if (found == contexts_.end()) return;
    Context& context = found->second;
    const auto at = std::ranges::find(context.branches, event.client, &Branch::client);
    if (at == context.branches.end() || at->final_status != 0) return;
    const auto index = static_cast<std::size_t>(at - context.branches.begin());
    if (event.ringing) {  // timer C: the phone rings for ever, and must be told that nobody waits any more
        at->rang_out = true;
        return cancel_branch(*at, {}, now, out);
    }
    if (!at->provisional && try_next(found->first, index, now, out)) return;
    // The client's own connection is over (RFC 5626 section 5.3), the server cannot be reached, or nobody answers.
    const int status = !event.unreachable ? 408 : at->flow.connection != 0 ? 430 : 503;
    refuse_branch(found->first, index, status, now, out);
}

void Edge::on_cancel(const sip::RequestEvent& event, Now now, Output& out) {
    const auto invite = layer_.find_cancelled(event.message);
    const auto found = invite ? contexts_.find(*invite) : contexts_.end();
    if (invite && cancel_parked(*invite, now, out)) return reject(event.server, event.message, 200, {}, now, out);
    if (found == contexts_.end()) return reject(event.server, event.message, 481, {}, now, out);
    reject(event.server, event.message, 200, {}, now, out);
    if (found->second.succeeded || found->second.finished) return;
    found->second.later.clear();
    for (Branch& branch : found->second.branches) {
        if (branch.final_status == 0) cancel_branch(branch, event.message.value(sip::Name::reason), now, out);
    }
}

/// A CANCEL waits for a provisional response (RFC 3261 section 9.1), and a branch that is not sent yet is not sent.
void Edge::cancel_branch(Branch& branch, std::string_view reason, Now now, Output& out) {
    branch.cancel_wanted = true;
    if (!reason.empty()) branch.cancel_reason = reason;
    if (!branch.sent || !branch.provisional) return;
    const auto invite = sip::Message::parse(*branch.sent->bytes);
    if (!invite) return;
    layer_.expect_end(branch.client, now.steady);
    sip::TransactionOutput produced;
    const sip::Sent cancel{
        .bytes = std::make_shared<const std::string>(sip::make_cancel(*invite, branch.cancel_reason)),
        .method = "CANCEL",
        .branch = branch.sent->branch};
    if (layer_.request(cancel, branch.flow, now.steady, produced)) {
        std::ranges::move(produced.packets, std::back_inserter(out.packets));
    }
}

/// BYE ends its dialog with whatever final response it gets, unless it is to be repeated with credentials; so do 408
/// and 481 to any request inside it (RFC 5057).
void Edge::finish_dialog_request(Context& context, int status, Now now, Output& out) {
    if (!context.dialog) return;
    if (context.request.method() == "BYE" && status != 401 && status != 407) {
        media_.end(*context.dialog, "BYE", now.steady, out);
    } else if (status == 408 || status == 481) {
        media_.end(*context.dialog, std::to_string(status), now.steady, out);
    }
}

void Edge::forget_finished(Instant now) {
    while (const auto server = forget_.pop_due(now)) {
        const auto found = contexts_.find(*server);
        if (found == contexts_.end()) continue;
        for (const Branch& branch : found->second.branches) server_of_client_.erase(branch.client);
        keep(-static_cast<std::ptrdiff_t>(found->second.weight));
        contexts_.erase(found);
    }
}

void Edge::keep(std::ptrdiff_t bytes) {
    kept_ += static_cast<std::size_t>(bytes);
    layer_.set_kept_besides(kept_);
}

std::size_t Edge::weight_of(const sip::Message& message) {
    return message.bytes().size() + message.headers().size() * sizeof(sip::Header);
}

/// What a context keeps has changed: it counts for the bound in bytes.
void Edge::weigh(sip::TransactionId server) {
    const auto found = contexts_.find(server);
    if (found == contexts_.end()) return;
    Context& context = found->second;
    std::size_t weight = sizeof(Context) + weight_of(context.request) + context.later.size() * sizeof(Target);
    for (const Branch& branch : context.branches) {
        weight += sizeof(Branch) + branch.uri.size() + branch.final_bytes.size() + branch.copies.size() * sizeof(Copy);
        if (branch.body) weight += branch.body->size();
        for (const Copy& copy : branch.copies) weight += copy.after ? copy.after->size() : 0;
    }
    keep(static_cast<std::ptrdiff_t>(weight) - static_cast<std::ptrdiff_t>(context.weight));
    context.weight = weight;
}

}  // namespace natkit::edge
