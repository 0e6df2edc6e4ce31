#pragma once

#include <string_view>

#include "natkit/sip/message/grammar.hpp"

/// Every form that the grammar allows, read by sofia-sip, of which nothing shows outside sofia.cpp. Total.
namespace natkit::sip::sofia {

[[nodiscard]] Result<Uri> read_uri(std::string_view text);
[[nodiscard]] Result<Via> read_via(std::string_view text);
[[nodiscard]] Result<NameAddr> read_name_addr(std::string_view text);

}  // namespace natkit::sip::sofia
