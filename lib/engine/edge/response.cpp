#include <algorithm>

#include "natkit/base/text.hpp"
#include "natkit/engine/edge/edge.hpp"
#include "natkit/proxy/forking.hpp"

namespace natkit::edge {
namespace {

bool has_sdp(const sip::Message& message) {
    return message.content_type() == "application/sdp" && !message.body().empty();
}

/// How long a finished context waits for late 2xx: as long as its client transactions do (RFC 6026).
constexpr std::chrono::seconds late_answers{33};

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
        if (first && branch.cancel_wanted) cancel_branch(branch, now, out);
        if (status == 100 || context.finished || context.succeeded) return;
    }
    const bool initial_invite = context.request.method() == "INVITE" && !context.dialog;
    if (branch.session && initial_invite && media_.contains(*branch.session) && !response.to_tag().empty() &&
        status < 300) {
        media_.set_callee_tag(*branch.session, response.to_tag());
    }
    if (status < 300) return on_success(found->first, index, response, now, out);
    sip::Edit edit(response);
    edit.pop_value(sip::Name::via);
    branch_failed(found->first, index, status, edit.finish(), now, out);
}

/// A provisional response or a 2xx: passed back at once, its SDP rewritten.
void Edge::on_success(sip::TransactionId server, std::size_t index, const sip::Message& response, Now now,
                      Output& out) {
    Context& context = contexts_.at(server);
    const auto session = context.branches[index].session;
    if (!session || !media_.contains(*session) || !has_sdp(response)) {
        return pass_back(server, index, response, std::nullopt, now, out);
    }
    const End end = context.dialog ? other(context.from) : End::callee;
    std::string body(response.body());
    if (has_sdp(context.request)) {
        auto answer = media_.answer(*session, end, body, out);
        if (answer) return pass_back(server, index, response, std::move(*answer), now, out);
        // The caller must not be shown an address it cannot use, and has a right to an end of its call.
        out.log(LogLevel::problems,
                "call " + text::printable(response.call_id()) + ": answer not rewritten: " + to_string(answer.error()));
        return pass_back(server, index, response, std::string(), now, out);
    }
    media_.offer(
        *session, end, std::move(body), now.steady, out,
        [this, server, index, response, wall = now.wall](Result<std::string> offer, Instant then, Output& later) {
            if (!contexts_.contains(server)) return;
            if (!offer) {
                later.log(LogLevel::problems, "call " + text::printable(response.call_id()) +
                                                  ": offer not rewritten: " + to_string(offer.error()));
            }
            pass_back(server, index, response, offer.value_or(std::string()), {.steady = then, .wall = wall}, later);
        });
}

void Edge::pass_back(sip::TransactionId server, std::size_t index, const sip::Message& response,
                     std::optional<std::string> body, Now now, Output& out) {
    Context& context = contexts_.at(server);
    Branch& branch = context.branches[index];
    const int status = response.status();
    sip::Edit edit(response);
    edit.pop_value(sip::Name::via);
    if (body) edit.set_body(std::move(*body));
    if (status >= 200) {
        branch.final_status = status;
        if (!context.succeeded) forget_.add(now.steady + late_answers, server);
        context.succeeded = true;
        if (branch.session && media_.contains(*branch.session)) {
            const bool offered = has_sdp(context.request);
            if (offered || !has_sdp(response)) media_.close_exchange(*branch.session);
            if (context.request.method() == "INVITE") media_.set_established(*branch.session, out);
        }
        finish_dialog_request(context, status, out);
    }
    respond(server, status, edit.finish(), now, out);
    if (status < 200 || context.request.method() != "INVITE") return;
    for (Branch& other_branch : contexts_.at(server).branches) {
        if (other_branch.final_status == 0) cancel_branch(other_branch, now, out);
    }
}

void Edge::branch_failed(sip::TransactionId server, std::size_t index, int status, std::string bytes, Now now,
                         Output& out) {
    Context& context = contexts_.at(server);
    Branch& branch = context.branches[index];
    if (branch.final_status != 0) return;
    branch.final_status = status;
    branch.final_bytes = std::move(bytes);
    if (branch.session && !context.dialog) {
        media_.end(*branch.session, std::to_string(status) + " " + std::string(sip::reason_of(status)), out);
    } else if (context.dialog && has_sdp(context.request)) {
        media_.reject(*context.dialog, context.from, out);
    }
    finish_dialog_request(context, status, out);
    if (status >= 600) {
        for (Branch& other_branch : context.branches) {
            if (other_branch.final_status == 0) cancel_branch(other_branch, now, out);
        }
    }
    pass_best(server, now, out);
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
    const auto best = proxy::best_response(statuses);
    if (!best) return;
    context.finished = true;
    forget_.add(now.steady + late_answers, server);
    respond(server, statuses[*best], std::move(context.branches[*best].final_bytes), now, out);
}

void Edge::on_event(const sip::TimeoutEvent& event, Now now, Output& out) {
    const auto server = server_of_client_.find(event.client);
    const auto found = server == server_of_client_.end() ? contexts_.end() : contexts_.find(server->second);
    if (found == contexts_.end()) return;
    Context& context = found->second;
    const auto at = std::ranges::find(context.branches, event.client, &Branch::client);
    if (at == context.branches.end() || at->final_status != 0) return;
    // Timer C: the phone rings for ever, and must be told that nobody waits any more.
    if (at->provisional && context.request.method() == "INVITE") cancel_branch(*at, now, out);
    refuse_branch(found->first, static_cast<std::size_t>(at - context.branches.begin()), 408, now, out);
}

void Edge::on_cancel(const sip::RequestEvent& event, Now now, Output& out) {
    const auto invite = layer_.find_cancelled(event.message);
    const auto found = invite ? contexts_.find(*invite) : contexts_.end();
    if (found == contexts_.end()) return reject(event.server, event.message, 481, {}, now, out);
    reject(event.server, event.message, 200, {}, now, out);
    if (found->second.succeeded || found->second.finished) return;
    for (Branch& branch : found->second.branches) {
        if (branch.final_status == 0) cancel_branch(branch, now, out);
    }
}

/// A CANCEL waits for a provisional response (RFC 3261 section 9.1), and a branch that is not sent yet is not sent.
void Edge::cancel_branch(Branch& branch, Now now, Output& out) {
    branch.cancel_wanted = true;
    if (branch.sent == nullptr || !branch.provisional) return;
    sip::TransactionOutput produced;
    if (layer_.request(sip::make_cancel(*branch.sent), branch.flow, now.steady, produced)) {
        std::ranges::move(produced.packets, std::back_inserter(out.packets));
    }
}

/// BYE ends its dialog with whatever final response it gets, unless it is to be repeated with credentials; so do 408
/// and 481 to any request inside it (RFC 5057).
void Edge::finish_dialog_request(Context& context, int status, Output& out) {
    if (!context.dialog) return;
    if (context.request.method() == "BYE" && status != 401 && status != 407) {
        media_.end(*context.dialog, "BYE", out);
    } else if (status == 408 || status == 481) {
        media_.end(*context.dialog, std::to_string(status), out);
    }
}

void Edge::forget_finished(Instant now) {
    while (const auto server = forget_.pop_due(now)) {
        const auto found = contexts_.find(*server);
        if (found == contexts_.end()) continue;
        for (const Branch& branch : found->second.branches) server_of_client_.erase(branch.client);
        contexts_.erase(found);
    }
}

}  // namespace natkit::edge
