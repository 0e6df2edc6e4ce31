// Files of a cluster's keys: any text gives keys or problems with their lines, and what was read is read again.
// links: text
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "natkit/base/text.hpp"
#include "natkit/config/cluster_keys.hpp"

using namespace natkit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto keys = config::parse_cluster_keys({reinterpret_cast<const char*>(data), size}, "key");
    if (!keys) {
        if (keys.error().empty()) std::abort();
        return 0;
    }
    std::string text = text::hex(keys->first) + "\n";
    if (keys->second) text += text::hex(*keys->second) + "\n";
    const auto again = config::parse_cluster_keys(text, "key");
    if (!again || *again != *keys) std::abort();
    return 0;
}
