// Addresses, endpoints and ranges: what is parsed prints as something that parses to the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

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
    return 0;
}
