#include "answers.hpp"

#include <algorithm>

#include "../print.hpp"
#include "natkit/sip/message/serialize.hpp"

namespace natkit::edge {

std::optional<Answer> unsupported(const sip::Message& request, sip::Name field) {
    std::string all;
    for (const std::string_view tag : request.values(field)) all += (all.empty() ? "" : ", ") + std::string(tag);
    if (all.empty()) return std::nullopt;
    return Answer{.status = 420, .fields = {{"Unsupported", all}}};
}

void Answers::answer(sip::TransactionId server, const sip::Message& request, const Answer& answer, Now now,
                     Output& out) {
    const std::string_view reason = answer.reason.empty() ? sip::reason_of(answer.status) : answer.reason;
    std::string bytes = sip::make_response(request, answer.status, reason, tag_of(request), answer.fields);
    if (refuse(server, request, answer.status, bytes, out)) return;
    respond(server, answer.status, std::move(bytes), now, out);
}

std::string Answers::tag_of(const sip::Message& request) const {
    const auto& via = request.top_via();
    const auto& cseq = request.cseq();
    std::string text = "to-tag\n";
    if (via) ((text += via->host) += '\n') += via->branch;
    ((text += '\n') += request.call_id()) += '\n';
    ((text += request.from_tag()) += '\n') += std::to_string(cseq ? cseq->number : 0);
    const auto code = secrets_.mac({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    return print_text(print_of(code));
}

bool Answers::has_own_tag(const sip::Message& request) const {
    const std::string tag = request.to_tag();
    return is_print_text(tag) && tag == tag_of(request);  // other tags cost no cryptography
}

bool Answers::refuse(sip::TransactionId server, const sip::Message& request, int status, std::string bytes,
                     Output& out) {
    // Inside a dialog its ACK could not be told from others.
    const bool alone = request.to_tag().empty() || status == 403;
    if (status < 300 || !alone) return false;
    sip::TransactionOutput produced;
    if (!layer_.refuse(server, std::move(bytes), produced)) return false;
    unanswered_.done(server);
    std::ranges::move(produced.packets, std::back_inserter(out.packets));
    return true;
}

void Answers::respond(sip::TransactionId server, int status, std::string bytes, Now now, Output& out) {
    if (status >= 200) unanswered_.done(server);
    sip::TransactionOutput produced;
    layer_.respond(server, status, std::move(bytes), now.steady, produced);
    std::ranges::move(produced.packets, std::back_inserter(out.packets));
}

}  // namespace natkit::edge
