#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "../output.hpp"
#include "natkit/sdp/document.hpp"
#include "natkit/sip/message/message.hpp"

/// The session description in a SIP message: its body, or one part of a multipart body (RFC 5621).
namespace natkit::edge {

struct Carried {
    std::optional<sdp::Span> description;  ///< in the body: the one that can be rewritten safely
    std::string why_not;                   ///< there is, or may be, one that cannot be
};

[[nodiscard]] Carried carried_by(const sip::Message& message);

/// Where the message carries one that can be rewritten: its text.
[[nodiscard]] std::optional<std::string> description_of(const sip::Message& message);

/// The message's body with another text in the place of its description, which description_of() has found.
[[nodiscard]] std::string with_description(const sip::Message& message, std::string_view text);

/// Tells where a body is passed on unchanged that may hold a description.
void warn_unchanged(const sip::Message& message, Output& out);

}  // namespace natkit::edge
