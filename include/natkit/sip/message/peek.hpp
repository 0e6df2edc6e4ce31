#pragma once

#include <string_view>

/// A look at a message without parsing it. Total; what is told lies in the text.
namespace natkit::sip {

/// Whether it begins as a SIP message does: "INVITE … SIP/2.0" or "SIP/2.0 …".
[[nodiscard]] bool looks_like_message(std::string_view text) noexcept;
/// The value of its first Call-ID field, "i" included; empty where there is none, or it is on a line of its own.
[[nodiscard]] std::string_view peek_call_id(std::string_view message) noexcept;

}  // namespace natkit::sip
