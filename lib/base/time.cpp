#include "natkit/base/time.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "natkit/base/text.hpp"

namespace natkit {
namespace {

struct Unit {
    std::string_view name;
    std::int64_t milliseconds;
};
constexpr std::array<Unit, 4> units = {{{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::int64_t longest = std::int64_t{365} * 24 * 3'600'000;

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto count = text::parse_number(text.substr(0, digits), static_cast<std::uint64_t>(longest));
    if (count) {
        for (const Unit& unit : units) {
            if (text.substr(digits) != unit.name) continue;
            if (static_cast<std::int64_t>(*count) > longest / unit.milliseconds) break;
            return std::chrono::milliseconds(static_cast<std::int64_t>(*count) * unit.milliseconds);
        }
    }
    return fail(Errc::bad_input,
                "not a duration: '" + text::printable(text, 30) + "'; write a number and ms, s, m or h");
}

std::string to_string(std::chrono::milliseconds duration) {
    for (const Unit& unit : units) {
        if (duration.count() % unit.milliseconds == 0 && duration.count() != 0) {
            return std::to_string(duration.count() / unit.milliseconds) + std::string(unit.name);
        }
    }
    return "0s";
}

}  // namespace natkit
