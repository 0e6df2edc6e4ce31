// links: text
// The ng protocol's JSON: what is read and written again is read as the same, unless a text was no UTF-8, which JSON
// cannot be; and bencode says the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "natkit/ng/bencode.hpp"
#include "natkit/record/ng_json.hpp"

using namespace natkit;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto value = record::parse_ng_json(text);
    if (!value) {
        require(!value.error().message.empty());
        return 0;
    }
    const ng::Dictionary* message = value->dictionary();
    if (message == nullptr) return 0;
    const auto again = record::parse_ng_json(record::to_ng_json(*message));
    require(again.has_value() && *again == *value);
    const auto bencoded = ng::parse_bencode(ng::to_bencode(*message));
    require(bencoded.has_value() && *bencoded == *value);
    return 0;
}
