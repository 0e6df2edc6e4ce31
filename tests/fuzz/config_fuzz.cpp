// natkit.toml: any bytes give values or problems; a configuration prints as one that reads the same.
// links: text
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "natkit/config/config.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace natkit;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const config::Surroundings surroundings;
    const auto loaded = config::parse(text, "fuzz.toml", "/base", surroundings);
    if (!loaded) {
        if (loaded.error().empty()) std::abort();
        return 0;
    }
    const auto again = config::parse(config::to_toml(loaded->config), "again.toml", "/base", surroundings);
    if (!again || !(again->config == loaded->config)) std::abort();
    return 0;
}
