#pragma once

#include <string>

#include "natkit/proxy/unanswered.hpp"
#include "request.hpp"
#include "secrets.hpp"

namespace natkit::edge {

/// An extension that the sender insists on in this field, and the edge does not have (RFC 3261 sections 16.3 and 10.3).
[[nodiscard]] std::optional<Answer> unsupported(const sip::Message& request, sip::Name field);

/// The responses that requests get: those of our own, and those that are passed back.
class Answers {
  public:
    /// All of them outlive it. `unanswered` learns which calls have their final answer.
    Answers(const Secrets& secrets, sip::TransactionLayer& layer, proxy::Unanswered& unanswered)
        : secrets_(secrets), layer_(layer), unanswered_(unanswered) {}

    /// A final response of our own.
    void answer(sip::TransactionId server, const sip::Message& request, const Answer& answer, Now now, Output& out);
    /// A response that is ready.
    void respond(sip::TransactionId server, int status, std::string bytes, Now now, Output& out);
    /// A failure of our own to who may not be where its packets come from: one answer to each copy, and nothing is kept
    /// (RFC 3261 sections 8.2.7 and 26.3.2.4). False: it must be answered otherwise.
    [[nodiscard]] bool refuse(sip::TransactionId server, const sip::Message& request, int status, std::string bytes,
                              Output& out);
    /// The To-tag of what we answer ourselves: the same for each copy of a request (RFC 3261 section 8.2.7), and for
    /// the ACK of an INVITE. Nobody else can make it: who shows it has seen the answer.
    [[nodiscard]] std::string tag_of(const sip::Message& request) const;
    /// Whether it is the ACK of an answer of our own, or belongs to one otherwise.
    [[nodiscard]] bool has_own_tag(const sip::Message& request) const;

  private:
    const Secrets& secrets_;
    sip::TransactionLayer& layer_;
    proxy::Unanswered& unanswered_;
};

}  // namespace natkit::edge
