// Configurations of proxies: whatever the text, what is found has a place in it and a sentence, in the order of the
// file, and each once; a line in front moves all of it down by one.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <tuple>

#include "natkit/base/text.hpp"
#include "natkit/migrate/proxy_config.hpp"

using namespace natkit;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto proxy = (data[0] & 1) != 0 ? migrate::Proxy::opensips : migrate::Proxy::kamailio;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto findings = migrate::examine(text, proxy);
    const auto lines = text::split(text, '\n');
    for (const migrate::Finding& finding : findings) {
        require(finding.line >= 1 && finding.line <= lines.size());
        require(finding.column >= 1 && finding.column <= lines[finding.line - 1].size() + 1);
        require(!finding.message.empty());
    }
    const auto place = [](const migrate::Finding& f) { return std::tuple(f.line, f.column); };
    require(std::ranges::is_sorted(findings, {}, place));
    require(std::ranges::adjacent_find(findings) == findings.end());

    auto moved = migrate::examine("\n" + std::string(text), proxy);
    for (migrate::Finding& finding : moved) --finding.line;
    require(moved == findings);
    return 0;
}
