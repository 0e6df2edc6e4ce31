#include <algorithm>

#include "description.hpp"
#include "natkit/base/hash.hpp"
#include "natkit/base/text.hpp"
#include "proxy.hpp"

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
    return hash(description) ^ (kind * natkit::hash::golden);
}

/// RFC 3262: a response that its receiver acknowledges, with PRACK or ACK.
bool reliable(const sip::Message& response) {
    if (response.status() >= 200) return true;
    if (response.value(sip::Name::rseq).empty()) return false;
    return std::ranges::any_of(response.values(sip::Name::require),
                               [](std::string_view option) { return text::iequals(text::trim(option), "100rel"); });
}

}  // namespace

void Proxy::wait(Waiting waiting) {
    waiting_.emplace(next_waiting_++, std::move(waiting));
}

std::optional<Proxy::Waiting> Proxy::take_waiting(std::uint64_t message) {
    const auto found = waiting_.find(message);
    if (found == waiting_.end()) return std::nullopt;
    Waiting waiting = std::move(found->second);
    waiting_.erase(found);
    return waiting;
}

/// The session of a response's dialog: each To-tag of an INVITE has its own (RFC 3261 section 12.1.2).
std::optional<SessionId> Proxy::session_of(const Context& context, Branch& branch, const sip::Message& response,
                                           Now now) {
    Media& media = parts_.media;
    if (!branch.session || !media.contains(*branch.session)) return std::nullopt;
    const std::string tag = response.to_tag();
    if (context.dialog || context.request.method() != "INVITE" || tag.empty() || response.status() >= 300)
        return branch.session;
    if (media.callee_tag(*branch.session).empty()) media.set_callee_tag(*branch.session, tag);
    if (media.callee_tag(*branch.session) == tag) return branch.session;
    for (const SessionId fork : branch.forks) {
        if (media.contains(fork) && media.callee_tag(fork) == tag) return fork;
    }
    if (branch.forks.size() >= most_forks) {  // it takes the place of the last one
        if (!media.contains(branch.forks.back())) return std::nullopt;
        media.set_callee_tag(branch.forks.back(), tag);
        return branch.forks.back();
    }
    std::optional<dialog::Offer> open;
    if (description_of(context.request))
        open = dialog::Offer{.offerer = End::caller, .owner = context.server, .cseq = number_of(context.request)};
    branch.forks.push_back(media.fork(*branch.session, tag, open, now.steady));
    return branch.forks.back();
}

/// An offer in a dialog that is not known, after a restart perhaps: its token says that it is one of ours, and which
/// flows are its ends.
void Proxy::adopt(Context& context, const sip::DialogToken& token, const Target& target, Now now) {
    const sip::Message& request = context.request;
    const std::string_view method = request.method();
    if (method != "INVITE" && method != "UPDATE") return;
    // Where a party behind another edge is, nobody knows any more: the call had no relay, and goes on without.
    if (parts_.settings.by_peer(target.flow)) return;
    const EndInfo sender{.flow = context.upstream.flow,
                         .verdict = context.upstream.verdict,
                         .tag = request.from_tag(),
                         .uri = uri_in(request.from()),
                         .asked_for = asks_for_relay(request.from()),
                         .origin = context.upstream.origin};
    const EndInfo receiver{.flow = target.flow,
                           .verdict = target.verdict,
                           .tag = request.to_tag(),
                           .uri = uri_in(request.to()),
                           .asked_for = asks_for_relay(request.to())};
    const bool to_callee = target.flow == token.callee || sender.flow == token.caller;
    context.dialog = to_callee ? parts_.media.create(std::string(request.call_id()), sender, receiver, now.steady)
                               : parts_.media.create(std::string(request.call_id()), receiver, sender, now.steady);
    parts_.media.set_token(*context.dialog, token);
    parts_.media.set_payer(*context.dialog, parts_.admission.payer_of(request, context.upstream));
    Output nothing;  // of a session without legs
    parts_.media.prove_caller(*context.dialog, nothing);
    context.adopted = true;
}

/// What a 2xx means for its session: the exchange is over, its dialog is there, and other answers to the INVITE are not
/// the one.
void Proxy::succeed(Context& context, SessionId session, const sip::Message& response, Now now, Output& out) {
    Media& media = parts_.media;
    const bool invite = context.request.method() == "INVITE";
    // Another transaction's exchange is not this one's to close, and a late offer waits for its ACK.
    if (media.exchange(session).closed_by_response_to(context.server)) media.close_exchange(session, now.steady, out);
    learn_answerer(context, session, response);
    if (invite && !context.dialog && !media.established(session)) media.win(session, now.steady, out);
    if (invite || context.adopted) media.set_established(session, now.steady, out);
    if (invite || context.request.method() == "UPDATE") media.set_timer(session, session_timer(response), now.steady);
    if (!invite || context.dialog) return;
    for (const Branch& branch : context.branches) {
        if (branch.session && *branch.session != session) media.retire(*branch.session, now.steady, out);
        for (const SessionId fork : branch.forks) {
            if (fork != session) media.retire(fork, now.steady, out);
        }
    }
}

/// A failure ends all early dialogs of its branch. Where it asks for a password the INVITE will come again, and finds
/// its ports as they were.
void Proxy::end_branch(Branch& branch, int status, Now now, Output& out) {
    const std::string why = std::to_string(status) + " " + std::string(sip::reason_of(status));
    for (const SessionId fork : branch.forks) {
        if (!parts_.media.established(fork)) parts_.media.end(fork, why, now.steady, out);
    }
    if (!branch.session || !parts_.media.contains(*branch.session) || parts_.media.established(*branch.session)) return;
    const bool again = (status == 401 || status == 407) && !branch.refused_here;
    if (again) return parts_.media.park(*branch.session, why, now.steady, out);
    parts_.media.end(*branch.session, why, now.steady, out);
}

/// Why no request may bring an offer now, where none may.
std::optional<Answer> Proxy::refusal_of(dialog::Role role) const {
    if (role == dialog::Role::glare) return Answer{.status = 491};
    if (role != dialog::Role::too_many) return std::nullopt;
    const std::size_t seconds = std::hash<std::string>()(parts_.secrets.random_hex()) % 11;
    return Answer{.status = 500, .fields = {{"Retry-After", std::to_string(seconds)}}};
}

/// The PRACK that answers an offer.
void Proxy::send_answer(Context& context, Branch& branch, End from, const std::string& body, Now now, Output& out) {
    auto after = parts_.media.answer(*branch.session, from, body, now.steady, out);
    if (!after) return refuse_branch(context, branch, {.status = 488}, now, out);
    parts_.media.close_exchange(*branch.session, now.steady, out);
    send_branch(context, branch, with_description(context.request, *after), now, out);
}

/// What is one too many, or not to be read, is told once a minute for a source: there may be a flood of it.
void Proxy::refuse_offer(Context& context, Branch& branch, const Error& why, Now now, Output& out) {
    const bool no_media = why.code == Errc::exhausted || why.code == Errc::system || why.code == Errc::timed_out;
    const bool repeated = why.code == Errc::exhausted || why.code == Errc::bad_input;
    const IpAddress& source = context.upstream.source().address;
    Answer answer{.status = no_media ? 503 : 488};
    if (!repeated || context.upstream.sender == proxy::Sender::lan ||
        parts_.admission.first_refusal(source, now.steady)) {
        const std::string text = "call " + text::printable(context.request.call_id()) + " from " + to_string(source) +
                                 ": " + std::to_string(answer.status) + ": " + to_string(why);
        why.code == Errc::refused ? out.log_loop(LogLevel::problems, text) : out.log(LogLevel::problems, text);
    }
    if (why.code == Errc::exhausted) answer.fields.emplace_back("Retry-After", "10");
    refuse_branch(context, branch, answer, now, out);
}

/// Once its names are known. By then a preview may have come too late.
void Proxy::read_response(Context& context, Branch& branch, const sip::Message& response, Description description,
                          Now now, Output& out) {
    const bool trusted = parts_.neighbours.trusted(branch.flow, branch.verdict);
    const Upstream from{
        .flow = branch.flow, .verdict = branch.verdict, .sender = trusted ? proxy::Sender::lan : proxy::Sender::user};
    if (!parts_.names.must_wait(description.body, from, next_waiting_, now, out))
        return take_response(context, branch, response, std::move(description), now, out);
    wait(WaitingResponse{.server = context.server,
                         .branch = branch.number,
                         .session = description.session,
                         .response = response,
                         .body = std::move(description.body)});
}

void Proxy::on_names_ready(std::uint64_t message, Now now, Output& out) {
    const auto waiting = take_waiting(message);
    if (!waiting) return;
    if (const auto* request = std::get_if<WaitingRequest>(&*waiting)) {
        Context* context = find(request->server);
        if (context == nullptr) return;
        Branch& branch = context->branch(request->branch);
        // Its call may have ended meanwhile.
        if (!parts_.media.contains(*branch.session)) return refuse_branch(*context, branch, {.status = 481}, now, out);
        start_branch(*context, branch, Names::known, now, out);
    } else if (const auto* answer = std::get_if<WaitingResponse>(&*waiting)) {
        Context* context = find(answer->server);
        if (context == nullptr || !parts_.media.contains(answer->session)) return;
        const bool late = answer->response.status() < 200 && (context->succeeded || context->finished);
        if (late) return;
        take_response(*context, context->branch(answer->branch), answer->response,
                      {.session = answer->session, .body = answer->body}, now, out);
    } else if (const auto* ack = std::get_if<WaitingAck>(&*waiting)) {
        take_and_pass_ack(ack->ack, ack->branch, ack->session, now, out);
    }
}

void Proxy::on_media_ready(Media::Ready ready, Now now, Output& out) {
    const auto waiting = take_waiting(ready.message);
    if (!waiting) return;
    if (const auto* request = std::get_if<WaitingRequest>(&*waiting)) {
        Context* context = find(request->server);
        if (context == nullptr) return;
        Branch& branch = context->branch(request->branch);
        if (!ready.body) return refuse_offer(*context, branch, ready.body.error(), now, out);
        send_branch(*context, branch, with_description(context->request, *ready.body), now, out);
    } else if (const auto* response = std::get_if<WaitingResponse>(&*waiting)) {
        Context* context = find(response->server);
        if (context == nullptr) return;
        Branch& branch = context->branch(response->branch);
        const Description description{.session = response->session, .body = response->body};
        if (response->offers)
            return give_offer(*context, branch, response->response, description, ready.body, now, out);
        if (!parts_.media.contains(response->session)) return;
        // A copy may have been passed back meanwhile.
        if (is_copy(*context, branch, response->response, description, now, out)) return;
        take_answer(*context, branch, response->response, description, now, out);
    }
}

/// True: the same bytes have come before, and are given the same as then.
bool Proxy::is_copy(Context& context, Branch& branch, const sip::Message& response, const Description& description,
                    Now now, Output& out) {
    const std::uint64_t print = print_of_copy(response, description.body);
    const auto known = std::ranges::find(branch.copies, print, &DescriptionCopy::print);
    if (known == branch.copies.end()) {
        if (branch.copies.size() >= most_copies) branch.copies.erase(branch.copies.begin());
        branch.copies.push_back({.print = print, .final = response.status() >= 200, .passed = false, .after = {}});
        return false;
    }
    if (!known->passed) return true;  // its legs are being opened: the first copy will be passed back
    if (known->after) {
        pass_back(context, branch, response, description.session, known->after, now, out);
        return true;
    }
    const End end = context.dialog ? other(context.from) : End::callee;
    const auto again = parts_.media.repeat(description.session, end, description.body, out);  // others have followed it
    std::string shown = again ? with_description(response, *again) : std::string();
    pass_back(context, branch, response, description.session, std::move(shown), now, out);
    return true;
}

/// What the description of a response is.
dialog::Role Proxy::role_of(const Context& context, const Branch& branch, const sip::Message& response,
                            SessionId session) const {
    const auto may_offer = [&] {
        if (context.request.method() != "INVITE") return false;
        if (std::ranges::find(branch.offered, response.to_tag()) != branch.offered.end()) return false;
        const Carried asked = carried_by(context.request);
        return !asked.description && asked.why_not.empty();
    };
    const End from = context.dialog ? other(context.from) : End::callee;
    return parts_.media.exchange(session).in_response(from, context.server, may_offer());
}

/// The description in a provisional response or a 2xx: the answer to the request's offer, or where the INVITE had none
/// an offer, or neither.
void Proxy::take_response(Context& context, Branch& branch, const sip::Message& response, Description description,
                          Now now, Output& out) {
    if (is_copy(context, branch, response, description, now, out)) return;
    const SessionId session = description.session;
    const dialog::Role role = role_of(context, branch, response, session);
    if (role == dialog::Role::offer)
        return take_late_offer(context, branch, response, std::move(description), now, out);
    if (role != dialog::Role::answer || std::ranges::find(branch.forks, session) == branch.forks.end())
        return take_answer(context, branch, response, description, now, out);
    // The fork's own legs: the answer will show them.
    const auto ready = parts_.media.open_for_answer(session, next_waiting_, out);
    if (ready) return take_answer(context, branch, response, description, now, out);
    branch.copies.pop_back();
    wait(WaitingResponse{.server = context.server,
                         .branch = branch.number,
                         .session = session,
                         .response = response,
                         .body = std::move(description.body)});
}

/// The answer to the request's offer, or a description that is neither.
void Proxy::take_answer(Context& context, Branch& branch, const sip::Message& response, const Description& description,
                        Now now, Output& out) {
    Media& media = parts_.media;
    const SessionId session = description.session;
    const End end = context.dialog ? other(context.from) : End::callee;
    const bool answers = media.exchange(session).in_response(end, context.server, false) == dialog::Role::answer;
    auto after = answers ? media.answer(session, end, description.body, now.steady, out)
                         : media.repeat(session, end, description.body, out);
    if (!after) {
        // Nobody must be shown an address it cannot use, and the caller has a right to an end of its call.
        out.log(LogLevel::problems,
                "call " + text::printable(response.call_id()) + ": answer not rewritten: " + to_string(after.error()));
    }
    if (after && reliable(response) && media.exchange(session).closed_by_response_to(context.server))
        media.close_exchange(session, now.steady, out);
    give_back(context, branch, response, description, after, now, out);
}

void Proxy::take_late_offer(Context& context, Branch& branch, const sip::Message& response, Description description,
                            Now now, Output& out) {
    if (reliable(response)) branch.offered.push_back(response.to_tag());
    const dialog::Offer opened{.offerer = context.dialog ? other(context.from) : End::callee,
                               .owner = context.server,
                               .cseq = number_of(context.request),
                               .in_response = true};
    const auto ready =
        parts_.media.offer(description.session, opened, description.body, next_waiting_, now.steady, out);
    if (ready) return give_offer(context, branch, response, description, *ready, now, out);
    wait(WaitingResponse{.server = context.server,
                         .branch = branch.number,
                         .session = description.session,
                         .response = response,
                         .body = std::move(description.body),
                         .offers = true});
}

void Proxy::give_offer(Context& context, Branch& branch, const sip::Message& response, const Description& description,
                       const Result<std::string>& after, Now now, Output& out) {
    if (!after) {
        out.log(LogLevel::problems,
                "call " + text::printable(response.call_id()) + ": offer not rewritten: " + to_string(after.error()));
    }
    give_back(context, branch, response, description, after, now, out);
}

/// A response whose description was rewritten, or must not be shown (an error): remembered, and passed back.
void Proxy::give_back(Context& context, Branch& branch, const sip::Message& response, const Description& description,
                      const Result<std::string>& after, Now now, Output& out) {
    std::string body = after ? with_description(response, *after) : std::string();
    const std::uint64_t print = print_of_copy(response, description.body);
    for (DescriptionCopy& copy : branch.copies) {
        if (copy.print == print) {
            copy.passed = true;
            copy.after = body;
        } else if (copy.final == (response.status() >= 200)) {
            copy.after.reset();
        }
    }
    weigh(context);
    pass_back(context, branch, response, description.session, std::move(body), now, out);
}

/// An ACK travels statelessly; its description, or that it has none, ends a late offer's exchange. Nothing: it must not
/// be sent on.
std::optional<std::string> Proxy::take_ack(const sip::Message& ack, SessionId session, Now now, Output& out) {
    const auto body = description_of(ack);
    if (!body) warn_unchanged(ack, out);
    auto after = parts_.media.acknowledge(session, parts_.media.end_of(session, ack.from_tag()), number_of(ack),
                                          body.value_or(std::string()), now.steady, out);
    if (after) return body ? with_description(ack, *after) : std::string(ack.body());
    out.log(LogLevel::problems,
            "call " + text::printable(ack.call_id()) + ": answer in ACK not rewritten: " + to_string(after.error()));
    return std::nullopt;
}

}  // namespace natkit::edge
