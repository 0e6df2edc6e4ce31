// links: text
// Objects read without a tree: what the reader takes, the tree's parser takes too, and both see the same; what only the
// parser takes are the few things that the reader is to refuse.
#include <cassert>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "natkit/record/json_view.hpp"

using namespace natkit;
using Json = nlohmann::ordered_json;

namespace {

void compare(const record::ValueView& view, const Json& tree);

void compare_object(const record::ObjectView& view, const Json& tree) {
    for (const auto& [key, value] : tree.items()) {
        const auto member = view.find(key);
        assert(member);
        compare(*member, value);
    }
}

void compare(const record::ValueView& view, const Json& tree) {
    assert(view.string().has_value() == tree.is_string());
    assert(view.flag().has_value() == tree.is_boolean());
    assert(view.object().has_value() == tree.is_object());
    assert(view.list().has_value() == tree.is_array());
    if (tree.is_string()) assert(*view.string() == tree.get_ref<const std::string&>());
    if (tree.is_boolean()) assert(*view.flag() == tree.get<bool>());
    if (tree.is_number_unsigned()) assert(view.number() == tree.get<std::uint64_t>());
    if (tree.is_number_integer() && !tree.is_number_unsigned()) assert(view.whole_number() == tree.get<std::int64_t>());
    if (tree.is_number_float()) assert(!view.number() && !view.whole_number());
    if (tree.is_object()) compare_object(*view.object(), tree);
    if (tree.is_array()) {
        const auto list = view.list();
        assert(list->size() == tree.size());
        for (std::size_t i = 0; i < tree.size(); ++i) compare((*list)[i], tree[i]);
    }
}

bool has_float(const Json& tree) {
    if (tree.is_number_float()) return true;
    return tree.is_structured() && std::ranges::any_of(tree, has_float);
}

std::size_t depth_of(const Json& tree) {
    std::size_t deepest = 0;
    if (!tree.is_structured()) return deepest;
    for (const Json& each : tree) deepest = std::max(deepest, depth_of(each));
    return deepest + 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    record::ObjectReader reader;
    const auto read = reader.read(text);
    const Json tree = Json::parse(text, nullptr, false);
    if (!read) {
        // A byte order mark or a zero byte about it, a whole number of more than 64 bits (a float in a tree), depth.
        const bool odd = text.starts_with("\xef") || text.find('\0') != std::string_view::npos;
        assert(!tree.is_object() || odd || has_float(tree) || depth_of(tree) > record::max_depth);
        return 0;
    }
    assert(tree.is_object());
    compare_object(*read, tree);
    const std::string written = read->text();
    assert(Json::parse(written, nullptr, false) == tree);
    record::ObjectReader other;
    assert(other.read(written)->text() == written);
    return 0;
}
