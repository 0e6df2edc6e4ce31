#pragma once

#include <cstdint>
#include <string_view>

#include "natkit/migrate/proxy_config.hpp"

namespace natkit::migrate {

/// What the first argument of a function is.
enum class Argument : std::uint8_t {
    nothing,
    offer_flags,   ///< of rtpengine, in an offer (or what may be one)
    answer_flags,  ///< in an answer
    other_flags,   ///< where no flag can be refused
    letters,       ///< rtpproxy's
};

struct Function {
    std::string_view name;
    Argument argument{};
    Verdict verdict{};
    std::string_view remark;
};

struct Parameter {
    std::string_view module;
    std::string_view name;  ///< may end with '*'
    Verdict verdict{};
    std::string_view remark;
};

/// A letter of rtpproxy_offer() and its kin.
struct Letter {
    char letter;  ///< small
    Verdict verdict{};
    std::string_view remark;
};

/// Null: none of theirs.
[[nodiscard]] const Function* find_function(std::string_view name) noexcept;
/// Null: it is of no concern to the relay.
[[nodiscard]] const Parameter* find_parameter(std::string_view module, std::string_view name) noexcept;
/// Null: not known.
[[nodiscard]] const Letter* find_letter(char letter, Proxy proxy) noexcept;

}  // namespace natkit::migrate
