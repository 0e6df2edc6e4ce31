// links: text
// Objects read without a tree: what the reader takes, the tree's parser takes too, and both see the same; what only the
// parser takes are the few things that the reader is to refuse.
#include <algorithm>
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

/// What of a text the reader may refuse: looked for in the text, because a tree does not show what a later member of
/// the same name has replaced. The names are the library's.
struct Oddities {
    bool large = false;  ///< a whole number of more than 64 bits
    std::size_t depth = 0;
    std::size_t deepest = 0;

    bool open() {
        deepest = std::max(deepest, ++depth);
        return true;
    }
    bool close() {
        --depth;
        return true;
    }
    bool null() { return true; }
    bool boolean(bool /*value*/) { return true; }
    bool number_integer(Json::number_integer_t /*value*/) { return true; }
    bool number_unsigned(Json::number_unsigned_t /*value*/) { return true; }
    bool number_float(Json::number_float_t /*value*/, const std::string& text) {
        large = large || text.find_first_of(".eE") == std::string::npos;
        return true;
    }
    bool string(const std::string& /*value*/) { return true; }
    bool binary(const Json::binary_t& /*value*/) { return true; }
    bool start_object(std::size_t /*size*/) { return open(); }
    bool key(const std::string& /*name*/) { return true; }
    bool end_object() { return close(); }
    bool start_array(std::size_t /*size*/) { return open(); }
    bool end_array() { return close(); }
    bool parse_error(std::size_t /*at*/, const std::string& /*token*/, const Json::exception& /*error*/) {
        return false;
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    record::ObjectReader reader;
    const auto read = reader.read(text);
    const Json tree = Json::parse(text, nullptr, false);
    if (!read) {
        if (!tree.is_object() || text.starts_with("\xef") || text.find('\0') != std::string_view::npos) return 0;
        Oddities odd;
        (void)Json::sax_parse(text, &odd);
        assert(odd.large || odd.deepest > record::max_depth);
        return 0;
    }
    assert(tree.is_object());
    compare_object(*read, tree);
    for (const auto& [key, value] : tree.items()) assert(read->text_of(key) == read->find(key)->text());
    const std::string written = read->text();
    assert(Json::parse(written, nullptr, false) == tree);
    record::ObjectReader other;
    assert(other.read(written)->text() == written);
    return 0;
}
