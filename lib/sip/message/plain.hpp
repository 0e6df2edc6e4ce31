#pragma once

#include <optional>
#include <string_view>

#include "natkit/sip/message/grammar.hpp"

/// The forms that nearly all values have, read in one pass: no escapes, no comments, no IPv6 literals, no spaces where
/// most write none. What these functions read, sofia-sip reads as the same; of anything else they say nothing, and it
/// is for sofia-sip. tests/fuzz/sip_fuzz.cpp compares the two.
namespace natkit::sip::plain {

/// "sip:bob@192.168.1.5:5060;transport=udp"
[[nodiscard]] std::optional<Uri> read_uri(std::string_view text);
/// "SIP/2.0/UDP 192.168.1.5:5060;branch=z9hG4bK1;rport"
[[nodiscard]] std::optional<Via> read_via(std::string_view text);
/// "\"Bob\" <sip:bob@example.com>;tag=1"
[[nodiscard]] std::optional<NameAddr> read_name_addr(std::string_view text);

}  // namespace natkit::sip::plain
