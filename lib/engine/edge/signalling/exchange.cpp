#include <algorithm>

#include "description.hpp"
#include "edge.hpp"
#include "natkit/base/text.hpp"

/// Which session description is an offer and which an answer: it follows from the messages that carry them (RFC 3261
/// section 13.2.1, RFC 3262 section 5, RFC 3311; RFC 6337 section 2 has the table). What is neither changes nothing.
namespace natkit::edge {
namespace {

constexpr std::size_t most_copies = 16;  ///< of a branch
constexpr std::size_t most_forks = 8;    ///< To-tags of a branch besides its first

/// RFC 4028: how long the session lasts without a refresh, with some time more for the BYE.
std::optional<std::chrono::seconds> session_timer(const sip::Message& response) {
    constexpr std::uint64_t least = 90;
    constexpr std::uint64_t most = 30 * 24 * 3600;
    for (const sip::Header& header : response.headers()) {
        if (!text::iequals(header.name_text, "Session-Expires") && !text::iequals(header.name_text, "x")) continue;
        const auto seconds = text::parse_number(text::trim(header.value.substr(0, header.value.find(';'))), most);
        if (seconds) return std::chrono::seconds(std::max(*seconds, least) + 32);
    }
    return std::nullopt;
}

std::uint64_t print_of_copy(const sip::Message& response, const std::string& description) {
    const std::hash<std::string> hash;
    const std::uint64_t kind = hash(response.to_tag()) * 2 + (response.status() >= 200 ? 1 : 0);
    return hash(description) ^ (kind * 0x9e3779b97f4a7c15ULL);
}

std::uint32_t number_of(const sip::Message& message) {
    const auto& cseq = message.cseq();
    return cseq ? cseq->number : 0;
}

}  // namespace

/// RFC 3262: a provisional response that its receiver acknowledges with PRACK.
bool Edge::reliable(const sip::Message& response) {
    if (response.status() >= 200) return true;
    if (response.value(sip::Name::rseq).empty()) return false;
    return std::ranges::any_of(response.values(sip::Name::require),
                               [](std::string_view option) { return text::iequals(text::trim(option), "100rel"); });
}

void Edge::warn_unchanged(const sip::Message& message, Output& out) {
    const std::string why = carried_by(message).why_not;
    if (why.empty()) return;
    out.log(LogLevel::problems, "call " + text::printable(message.call_id(), 80) +
                                    ": a body is passed on unchanged: " + text::printable(why, 100));
}

/// The session of a response's dialog: each To-tag of an INVITE has its own (RFC 3261 section 12.1.2).
std::optional<SessionId> Edge::session_of(sip::TransactionId server, Branch& branch, const sip::Message& response,
                                          Now now) {
    const Context& context = contexts_.at(server);
    if (!branch.session || !media_.contains(*branch.session)) return std::nullopt;
    const std::string tag = response.to_tag();
    if (context.dialog || context.request.method() != "INVITE" || tag.empty() || response.status() >= 300)
        return branch.session;
    if (media_.callee_tag(*branch.session).empty()) media_.set_callee_tag(*branch.session, tag);
    if (media_.callee_tag(*branch.session) == tag) return branch.session;
    for (const SessionId fork : branch.forks) {
        if (media_.contains(fork) && media_.callee_tag(fork) == tag) return fork;
    }
    if (branch.forks.size() >= most_forks) {  // it takes the place of the last one
        if (!media_.contains(branch.forks.back())) return std::nullopt;
        media_.set_callee_tag(branch.forks.back(), tag);
        return branch.forks.back();
    }
    std::optional<Exchange> open;
    if (description_of(context.request))
        open = Exchange{.offerer = End::caller, .owner = server, .cseq = number_of(context.request)};
    branch.forks.push_back(media_.fork(*branch.session, tag, open, now.steady));
    return branch.forks.back();
}

/// An offer in a dialog that is not known, after a restart perhaps: its token says that it is one of ours, and which
/// flows are its ends.
void Edge::adopt(Context& context, const Target& target, Now now) {
    const sip::Message& request = context.request;
    const std::string_view method = request.method();
    if (!context.stripped.token || (method != "INVITE" && method != "UPDATE")) return;
    const EndInfo sender{.flow = context.upstream.flow,
                         .party = context.upstream.party,
                         .tag = request.from_tag(),
                         .asked_for = asks_for_relay(request.from())};
    const EndInfo receiver{
        .flow = target.flow, .party = target.party, .tag = request.to_tag(), .asked_for = asks_for_relay(request.to())};
    const sip::DialogToken& token = *context.stripped.token;
    const bool to_callee = target.flow == token.callee || sender.flow == token.caller;
    context.dialog = to_callee ? media_.create(std::string(request.call_id()), sender, receiver, now.steady)
                               : media_.create(std::string(request.call_id()), receiver, sender, now.steady);
    media_.set_token(*context.dialog, token);
    media_.set_payer(*context.dialog, payer_of(request, context.upstream));
    Output nothing;  // of a session without legs
    media_.prove_caller(*context.dialog, nothing);
    context.adopted = true;
}

/// What a 2xx means for its session: the exchange is over, its dialog is there, and other answers to the INVITE are not
/// the one.
void Edge::settle(sip::TransactionId server, SessionId session, const sip::Message& response, Now now, Output& out) {
    const Context& context = contexts_.at(server);
    const bool invite = context.request.method() == "INVITE";
    // Another transaction's exchange is not this one's to close, and a late offer waits for its ACK.
    const Exchange* open = media_.exchange(session);
    if (open != nullptr && open->owner == server && !open->in_response) media_.close_exchange(session, now.steady, out);
    if (invite && !context.dialog && !media_.established(session)) media_.win(session, now.steady, out);
    if (invite || context.adopted) media_.set_established(session, out);
    if (invite || context.request.method() == "UPDATE") media_.set_timer(session, session_timer(response), now.steady);
    if (!invite || context.dialog) return;
    for (const Branch& branch : context.branches) {
        if (branch.session && *branch.session != session) media_.retire(*branch.session, now.steady, out);
        for (const SessionId fork : branch.forks) {
            if (fork != session) media_.retire(fork, now.steady, out);
        }
    }
}

/// A failure ends all early dialogs of its branch. Where it asks for a password the INVITE will come again, and finds
/// its ports as they were.
void Edge::end_branch(Branch& branch, int status, Now now, Output& out) {
    const std::string why = std::to_string(status) + " " + std::string(sip::reason_of(status));
    for (const SessionId fork : branch.forks) {
        if (!media_.established(fork)) media_.end(fork, why, now.steady, out);
    }
    if (!branch.session || !media_.contains(*branch.session) || media_.established(*branch.session)) return;
    const bool again = (status == 401 || status == 407) && !branch.refused_here;
    if (again) return media_.park(*branch.session, why, now.steady, out);
    media_.end(*branch.session, why, now.steady, out);
}

/// The description in a request: an offer, or in a PRACK perhaps the answer to the offer of a reliable response.
void Edge::take_request(sip::TransactionId server, std::size_t index, const std::string& body, Now now, Output& out) {
    Context& context = contexts_.at(server);
    const SessionId session = *context.branches[index].session;
    const sip::Message& request = context.request;
    const End end = context.dialog ? context.from : End::caller;
    if (const Exchange* open = media_.exchange(session)) {
        if (request.method() == "PRACK" && open->in_response && open->offerer == other(end)) {
            auto after = media_.answer(session, end, body, now.steady, out);
            if (!after) return refuse_branch(server, index, 488, now, out);
            media_.close_exchange(session, now.steady, out);
            return send_branch(server, index, with_description(request, *after), now, out);
        }
        // RFC 3261 section 14.2, RFC 3311 section 5.2: glare, or one offer too many from the same end.
        if (open->offerer == other(end)) return refuse_branch(server, index, 491, now, out);
        const std::size_t wait = std::hash<std::string>()(secrets_.random_hex()) % 11;
        return refuse_branch(server, index, 500, now, out, {{"Retry-After", std::to_string(wait)}});
    }
    const WallTime wall = now.wall;
    media_.offer(session, {.offerer = end, .owner = server, .cseq = number_of(request)}, body, now.steady, out,
                 [this, server, index, wall](Result<std::string> after, Instant then, Output& later) {
                     const Now at{.steady = then, .wall = wall};
                     if (!contexts_.contains(server)) return;
                     const sip::Message& asked = contexts_.at(server).request;
                     if (after) return send_branch(server, index, with_description(asked, *after), at, later);
                     refuse_offer(server, index, after.error(), at, later);
                 });
}

/// What is one too many, or not to be read, is told once a minute for a source: there may be a flood of it.
void Edge::refuse_offer(sip::TransactionId server, std::size_t index, const Error& why, Now now, Output& out) {
    const Context& context = contexts_.at(server);
    const bool no_media = why.code == Errc::exhausted || why.code == Errc::system || why.code == Errc::timed_out;
    const bool repeated = why.code == Errc::exhausted || why.code == Errc::bad_input;
    const IpAddress& source = context.upstream.flow.remote.address;
    const int status = no_media ? 503 : 488;
    if (!repeated || context.upstream.sender == proxy::Sender::lan || flood_.first_refusal(source, now.steady)) {
        const std::string text = "call " + text::printable(context.request.call_id()) + " from " + to_string(source) +
                                 ": " + std::to_string(status) + ": " + to_string(why);
        why.code == Errc::refused ? out.log_loop(LogLevel::problems, text) : out.log(LogLevel::problems, text);
    }
    std::vector<std::pair<std::string, std::string>> extra;
    if (why.code == Errc::exhausted) extra.emplace_back("Retry-After", "10");
    refuse_branch(server, index, status, now, out, extra);
}

/// Once its names are known. By then a preview may have come too late.
void Edge::read_response(sip::TransactionId server, std::size_t index, const sip::Message& response, SessionId session,
                         std::string body, Now now, Output& out) {
    const Branch& branch = contexts_.at(server).branches[index];
    const Upstream from{.flow = branch.flow,
                        .party = branch.party,
                        .sender = trusted(branch.flow, branch.party) ? proxy::Sender::lan : proxy::Sender::user};
    if (names_known(body, now)) return take_response(server, index, response, session, std::move(body), now, out);
    with_names(body, from, now, out, [this, server, index, response, session, body](Now then, Output& later) {
        const auto found = contexts_.find(server);
        if (found == contexts_.end() || !media_.contains(session)) return;
        const bool late = response.status() < 200 && (found->second.succeeded || found->second.finished);
        if (!late) take_response(server, index, response, session, body, then, later);
    });
}

/// The description in a provisional response or a 2xx: the answer to the request's offer, or where the INVITE had none
/// an offer, or neither. The same bytes that come again are given the same as before.
void Edge::take_response(sip::TransactionId server, std::size_t index, const sip::Message& response, SessionId session,
                         std::string body, Now now, Output& out, bool legs_are_open) {
    Context& context = contexts_.at(server);
    Branch& branch = context.branches[index];
    const std::string tag = response.to_tag();
    const bool final = response.status() >= 200;
    const End end = context.dialog ? other(context.from) : End::callee;
    const std::uint64_t print = print_of_copy(response, body);
    if (const auto known = std::ranges::find(branch.copies, print, &Copy::print); known != branch.copies.end()) {
        if (!known->passed) return;  // its legs are being opened: the first copy will be passed back
        if (known->after) return pass_back(server, index, response, session, known->after, now, out);
        const auto again = media_.repeat(session, end, body, out);  // one that others have followed
        std::string shown = again ? with_description(response, *again) : std::string();
        return pass_back(server, index, response, session, std::move(shown), now, out);
    }
    if (branch.copies.size() >= most_copies) branch.copies.erase(branch.copies.begin());
    branch.copies.push_back({.print = print, .final = final, .passed = false, .after = {}});
    const Exchange* open = media_.exchange(session);
    const bool own = open != nullptr && open->owner == server;
    const bool may_offer = (open == nullptr || (own && open->in_response)) && context.request.method() == "INVITE" &&
                           std::ranges::find(branch.offered, tag) == branch.offered.end();
    const Carried asked = may_offer ? carried_by(context.request) : Carried();
    if (may_offer && !asked.description && asked.why_not.empty()) {
        return take_late_offer(server, index, response, session, std::move(body), now, out);
    }
    const bool answers = own && open->offerer == other(end);
    if (answers && std::ranges::find(branch.forks, session) != branch.forks.end() && !legs_are_open) {
        // The fork's own legs: the answer will show them.
        branch.copies.pop_back();
        media_.open_for_answer(session, now.steady, out,
                               [this, server, index, session, response, body, wall = now.wall](
                                   const Result<std::string>&, Instant then, Output& later) {
                                   if (!contexts_.contains(server) || !media_.contains(session)) return;
                                   take_response(server, index, response, session, body, {.steady = then, .wall = wall},
                                                 later, true);
                               });
        return;
    }
    auto after = answers ? media_.answer(session, end, body, now.steady, out) : media_.repeat(session, end, body, out);
    if (!after) {
        // Nobody must be shown an address it cannot use, and the caller has a right to an end of its call.
        out.log(LogLevel::problems,
                "call " + text::printable(response.call_id()) + ": answer not rewritten: " + to_string(after.error()));
    }
    if (own && after && reliable(response) && !open->in_response) media_.close_exchange(session, now.steady, out);
    give_back(server, index, response, session, body, after, now, out);
}

void Edge::take_late_offer(sip::TransactionId server, std::size_t index, const sip::Message& response,
                           SessionId session, std::string body, Now now, Output& out) {
    Context& context = contexts_.at(server);
    if (reliable(response)) context.branches[index].offered.push_back(response.to_tag());
    const Exchange opened{.offerer = context.dialog ? other(context.from) : End::callee,
                          .owner = server,
                          .cseq = number_of(context.request),
                          .in_response = true};
    const std::string before = std::move(body);
    media_.offer(session, opened, before, now.steady, out,
                 [this, server, index, session, response, before, wall = now.wall](const Result<std::string>& after,
                                                                                   Instant then, Output& later) {
                     if (!contexts_.contains(server)) return;
                     if (!after) {
                         later.log(LogLevel::problems, "call " + text::printable(response.call_id()) +
                                                           ": offer not rewritten: " + to_string(after.error()));
                     }
                     give_back(server, index, response, session, before, after, {.steady = then, .wall = wall}, later);
                 });
}

/// A response whose description was rewritten, or must not be shown (an error): remembered, and passed back.
void Edge::give_back(sip::TransactionId server, std::size_t index, const sip::Message& response, SessionId session,
                     const std::string& before, const Result<std::string>& after, Now now, Output& out) {
    std::string body = after ? with_description(response, *after) : std::string();
    const std::uint64_t print = print_of_copy(response, before);
    for (Copy& copy : contexts_.at(server).branches[index].copies) {
        if (copy.print == print) {
            copy.passed = true;
            copy.after = body;
        } else if (copy.final == (response.status() >= 200)) {
            copy.after.reset();
        }
    }
    weigh(server);
    pass_back(server, index, response, session, std::move(body), now, out);
}

/// An ACK travels statelessly; its description, or that it has none, ends a late offer's exchange. Nothing: it must not
/// be sent on.
std::optional<std::string> Edge::take_ack(const sip::Message& ack, SessionId session, Now now, Output& out) {
    const auto body = description_of(ack);
    if (!body) warn_unchanged(ack, out);
    auto after = media_.acknowledge(session, media_.end_of(session, ack.from_tag()), number_of(ack),
                                    body.value_or(std::string()), now.steady, out);
    if (after) return body ? with_description(ack, *after) : std::string(ack.body());
    out.log(LogLevel::problems,
            "call " + text::printable(ack.call_id()) + ": answer in ACK not rewritten: " + to_string(after.error()));
    return std::nullopt;
}

}  // namespace natkit::edge
