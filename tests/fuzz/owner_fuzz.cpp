// The owner hash in Redis, ids of stream entries: any bytes give a value or an error, and a value holds what its text
// says.
#include <cassert>
#include <cstdint>
#include <string_view>
#include <vector>

#include "natkit/base/text.hpp"
#include "natkit/cluster/owner.hpp"

using namespace natkit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    std::vector<std::pair<std::string_view, std::string_view>> fields;
    for (const std::string_view line : text::split(input, '\n')) {
        const std::size_t at = line.find('=');
        if (at == std::string_view::npos) continue;
        fields.emplace_back(line.substr(0, at), line.substr(at + 1));
    }
    if (const auto id = cluster::StreamId::parse(input)) {
        assert(cluster::StreamId::parse(cluster::to_string(*id)) == *id);
    }
    const auto owner = cluster::parse_owner(fields);
    if (!owner) {
        assert(!owner.error().where.empty() && !owner.error().message.empty());
        return 0;
    }
    assert(owner->has_value() != fields.empty());
    if (!*owner) return 0;
    const cluster::Owner& read = **owner;
    assert(read.version <= cluster::format && !read.node.empty() && read.node.size() <= cluster::longest_node);
    const std::string version = std::to_string(read.version);
    const std::string epoch = std::to_string(read.epoch);
    const std::string after = cluster::to_string(read.after);
    const std::vector<std::pair<std::string_view, std::string_view>> written = {
        {"version", version},  {"epoch", epoch},        {"node", read.node},
        {"state", read.state}, {"stream", read.stream}, {"after", after}};
    const auto again = cluster::parse_owner(written);
    assert(again && *again == read);
    return 0;
}
