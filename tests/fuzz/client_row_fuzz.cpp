// Registrations of several nodes, as they stand in Redis: any bytes give rows or errors; all who know the rows come to
// the same decision, in whatever order they have heard of them.
// links: text
#include <algorithm>
#include <cassert>
#include <cstdint>
#include <string_view>
#include <vector>

#include "natkit/base/text.hpp"
#include "natkit/record/client_row.hpp"

using namespace natkit;

namespace {

using Rows = std::vector<cluster::ClientRow>;

std::string owner(const char* me, const Rows& rows, bool backwards) {
    cluster::Clients clients(me, {"a", "b", "c"});
    cluster::Clients::LiveNodes live = {{"a", {}}, {"b", {}}};
    if (!rows.empty()) live["b"] = {rows.front().local};
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::size_t at = backwards ? rows.size() - 1 - i : i;
        clients.put(at, "id", rows[at]);
    }
    (void)clients.set_live(live);
    const auto verdict = clients.verdict("id");
    return verdict.owner == cluster::Clients::nobody ? "" : clients.name(verdict.owner);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    record::ObjectReader reader;
    Rows rows;
    for (const std::string_view line : text::split(input, '\n')) {
        const auto row = record::parse_client_row(line, static_cast<std::int64_t>(rows.size()) * 100, reader);
        if (!row) {
            assert(!row.error().message.empty());
        } else if (rows.size() < 3) {
            assert(cluster::compare(*row, *row) == 0);
            rows.push_back(*row);
        }
    }
    const std::string first = owner("a", rows, false);
    for (const char* me : {"a", "b"}) {
        for (const bool backwards : {false, true}) assert(owner(me, rows, backwards) == first);
    }
    return 0;
}
