#include "call_requests.hpp"

#include <algorithm>
#include <utility>

#include "natkit/base/text.hpp"

namespace natkit::explain {
namespace {

using diagnose::Request;
using diagnose::Response;

constexpr std::size_t most_requests = 64;
constexpr std::size_t most_responses = 8;
constexpr std::size_t longest_text = 120;

std::string shortened(std::string_view text) {
    return std::string(text.substr(0, longest_text));
}

/// "text" of `Reason: Q.850;cause=16;text="…"`, or of `Warning: 370 host "…"`; empty: it has none.
std::string text_of_reason(const sip::Message& message) {
    for (const sip::Header& header : message.headers()) {
        const bool warning = text::iequals(header.name_text, "Warning");
        if (header.name != sip::Name::reason && !warning) continue;
        const std::size_t open = header.value.find('"');
        const std::size_t close = open == std::string_view::npos ? open : header.value.find('"', open + 1);
        if (close != std::string_view::npos && close > open + 1)
            return text::printable(header.value.substr(open + 1, close - open - 1), longest_text);
    }
    return {};
}

/// That, or the phrase of the start line.
std::string reason_of(const sip::Message& message) {
    std::string text = text_of_reason(message);
    return text.empty() ? text::printable(message.reason(), longest_text) : text;
}

/// A challenge with stale=true, or one whose phrase tells the same.
bool is_stale(const sip::Message& message) {
    for (const sip::Name name : {sip::Name::www_authenticate, sip::Name::proxy_authenticate}) {
        const std::string value = text::lower(message.value(name));
        if (value.find("stale=true") != std::string::npos || value.find("stale=\"true\"") != std::string::npos)
            return true;
    }
    return text::lower(message.reason()).find("nonce") != std::string::npos;
}

std::string_view value_of_session_expires(const sip::Message& message) {
    for (const sip::Header& header : message.headers()) {
        if (text::iequals(header.name_text, "Session-Expires") || header.name_text == "x") return header.value;
    }
    return {};
}

std::optional<std::uint32_t> session_expires(const sip::Message& message) {
    const std::string_view text = value_of_session_expires(message);
    const auto value = text::parse_number(text::trim(text.substr(0, text.find(';'))), 0xffffffff);
    return value ? std::optional(static_cast<std::uint32_t>(*value)) : std::nullopt;
}

/// refresher=uac
bool asks_sender_to_refresh(const sip::Message& message) {
    return text::lower(value_of_session_expires(message)).find("refresher=uac") != std::string::npos;
}

Request made(const MessageSeen& seen, const sip::CSeq& cseq, End sender, const std::string& tag) {
    const sip::Message& message = seen.message;
    Request request{.method = shortened(cseq.method),
                    .cseq = cseq.number,
                    .source = seen.arrival.source,
                    .destination = seen.arrival.destination.value_or(Endpoint{}),
                    .first_ns = seen.time_ns,
                    .last_ns = seen.time_ns,
                    .copies = 1,
                    .sender = sender,
                    .frame = seen.frame,
                    .last_frame = seen.frame,
                    .tag = tag,
                    .in_dialog = !message.to_tag().empty(),
                    .vias = seen.facts.via_count};
    request.bytes = message.bytes().size();
    request.incomplete = seen.incomplete;
    request.tcp = seen.arrival.transport != "udp";
    request.contact = endpoint_of(seen.facts.contact);
    if (const auto& via = seen.facts.via) {
        request.branch = shortened(via->branch);
        request.rport = via->rport_asked;
    }
    request.credentials =
        message.find(sip::Name::authorization) != nullptr || message.find(sip::Name::proxy_authorization) != nullptr;
    request.routed = message.find(sip::Name::route) != nullptr;
    request.session_expires = session_expires(message);
    request.reason = text_of_reason(message);
    return request;
}

/// A response goes where the request came from; by its branch it is known where it goes to another port.
bool answers(const MessageSeen& seen, const Request& request) {
    const Endpoint to = seen.arrival.destination.value_or(Endpoint{});
    if (request.destination != seen.arrival.source || request.source.address != to.address) return false;
    const bool branch = seen.facts.via && !request.branch.empty() && seen.facts.via->branch == request.branch;
    return request.source.port == to.port || branch;
}

/// Of a capture on a NAT the first copy of a request is of one side, and that of its response of the other: they share
/// one end and the branch.
bool answers_across_nat(const MessageSeen& seen, const Request& request) {
    const bool branch = seen.facts.via && !request.branch.empty() && seen.facts.via->branch == request.branch;
    return branch && (request.destination == seen.arrival.source || request.source == seen.arrival.destination);
}

/// The request that a response is for, or null.
Request* request_of(diagnose::Call& call, const MessageSeen& seen, const sip::CSeq& cseq) {
    for (const auto fits : {answers, answers_across_nat}) {
        for (Request& one : call.requests) {
            if (one.cseq == cseq.number && one.method == cseq.method && fits(seen, one)) return &one;
        }
    }
    return nullptr;
}

void note_response(Request& request, const MessageSeen& seen) {
    const int status = seen.message.status();
    request.status = status;
    for (Response& old : request.responses) {
        if (old.status != status) continue;
        ++old.copies;
        old.last_ns = seen.time_ns;
        return;
    }
    if (request.responses.size() >= most_responses) return;
    request.responses.push_back({.status = status,
                                 .frame = seen.frame,
                                 .first_ns = seen.time_ns,
                                 .last_ns = seen.time_ns,
                                 .destination = seen.arrival.destination.value_or(Endpoint{}),
                                 .contact = endpoint_of(seen.facts.contact),
                                 .record_routed = seen.facts.record_routes > 0,
                                 .stale = is_stale(seen.message),
                                 .reason = reason_of(seen.message),
                                 .session_expires = session_expires(seen.message),
                                 .receiver_refreshes = asks_sender_to_refresh(seen.message)});
}

/// The ACK of a failure belongs to its INVITE (RFC 3261 section 17.1.1.3).
bool acknowledges_failure(const diagnose::Call& call, const Request& ack) {
    return std::ranges::any_of(call.requests, [&](const Request& one) {
        return one.method == "INVITE" && one.cseq == ack.cseq && one.branch == ack.branch && one.status >= 300;
    });
}

}  // namespace

void note_request(diagnose::Call& call, const MessageSeen& seen, End sender, const std::string& tag,
                  std::optional<std::int64_t> heard_ns) {
    const auto& cseq = seen.message.cseq();
    if (!cseq) return;
    if (!seen.message.is_request()) {
        if (Request* const request = request_of(call, seen, *cseq)) note_response(*request, seen);
        return;
    }
    Request request = made(seen, *cseq, sender, tag);
    for (Request& one : call.requests) {
        if (one.cseq != request.cseq || one.method != request.method || one.source != request.source ||
            one.destination != request.destination)
            continue;
        ++one.copies;
        one.last_ns = seen.time_ns;
        one.last_frame = seen.frame;
        return;
    }
    if (call.requests.size() >= most_requests) return;
    if (request.method == "ACK" && acknowledges_failure(call, request)) return;
    request.heard_ns = heard_ns;
    call.requests.push_back(std::move(request));
}

std::size_t bytes_of_requests(const std::vector<Request>& requests) {
    std::size_t bytes = requests.capacity() * sizeof(Request);
    for (const Request& one : requests)
        bytes += one.responses.capacity() * (sizeof(Response) + longest_text) + one.branch.capacity() + one.tag.size() +
                 one.reason.capacity();
    return bytes;
}

}  // namespace natkit::explain
