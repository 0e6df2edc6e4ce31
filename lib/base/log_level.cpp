#include "natkit/base/log_level.hpp"

#include "natkit/base/text.hpp"

namespace natkit {
namespace {

constexpr std::string_view names[] = {"crashes", "failures", "major", "problems", "low-level", "all"};

}  // namespace

const char* to_string(LogLevel level) noexcept {
    return names[static_cast<std::size_t>(level)].data();
}

Result<LogLevel> parse_log_level(std::string_view text) {
    for (std::size_t i = 0; i < std::size(names); ++i) {
        if (text == names[i]) return static_cast<LogLevel>(i);
    }
    return fail(Errc::bad_input, "not a log level: '" + text::printable(text, 40) + "'");
}

}  // namespace natkit
