// Addresses, endpoints and ranges: what is parsed prints as something that parses to the same. Text for a terminal:
// nothing in it steers one, and it is UTF-8.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "natkit/base/display.hpp"
#include "natkit/base/endpoint.hpp"
#include "natkit/base/ip.hpp"

namespace {

template <class T>
void round_trip(std::string_view text) {
    const auto value = T::parse(text);
    if (!value) return;
    const auto again = T::parse(to_string(*value));
    if (!again || *again != *value) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    round_trip<natkit::IpAddress>(text);
    round_trip<natkit::IpRange>(text);
    round_trip<natkit::Endpoint>(text);
    const std::string shown = natkit::text::displayable(text);
    for (const char32_t character : natkit::text::decoded(shown)) {
        if (natkit::text::steers_terminal(character)) std::abort();
    }
    if (natkit::text::encoded(natkit::text::decoded(shown)) != shown) std::abort();
    return 0;
}
