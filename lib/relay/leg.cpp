#include "natkit/relay/leg.hpp"

#include "natkit/base/text.hpp"

namespace natkit::relay {
namespace {

constexpr std::size_t id_digits = 10;

}  // namespace

std::string id_of(LegKey key) {
    return text::hex(key, id_digits);
}

LegKey key_of(std::string_view id) noexcept {
    return id.size() == id_digits ? text::parse_hex(id).value_or(0) : 0;
}

}  // namespace natkit::relay
