// natkit.toml with one setting changed: any text is edited or refused; what was edited reads back, and again it is not
// edited.
// links: text
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/settings/edit.hpp"
#include "natkit/settings/layout.hpp"

namespace {

using namespace natkit;

/// Returns the edited text, or the old one where it was refused.
std::string edit(const std::string& text, const char* section, const char* key, const settings::Value& value) {
    const auto edited = settings::set_value(text, section, key, value);
    if (!edited) return text;
    const auto there = settings::value_in(*edited, section, key);
    if (!there || !settings::lay_out(*edited)) std::abort();
    const auto again = settings::set_value(*edited, section, key, value);
    if (!again || *again != *edited) std::abort();
    const auto without = settings::reset_value(*edited, section, key);
    if (without && settings::value_in(*without, section, key)) std::abort();
    return *edited;
}

}  // namespace

/// The same with a list and its comments.
std::string edit_list(const std::string& text, const std::vector<settings::ListEntry>& list) {
    if (settings::read_guide_list(settings::guide_text(list)) != list) std::abort();
    const auto edited = settings::set_list(text, "network", "lan", list);
    if (!edited) return text;
    const auto there = settings::list_in(*edited, "network", "lan");
    if (!there || *there != list) std::abort();
    const auto again = settings::set_list(*edited, "network", "lan", list);
    if (!again || *again != *edited) std::abort();
    return *edited;
}

/// The lines before an empty one are the list; the rest is the file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view all(reinterpret_cast<const char*>(data), size);
    const std::size_t half = all.find("\n\n");
    std::string text(half == std::string_view::npos ? all : all.substr(half + 2));
    std::vector<settings::ListEntry> entries =
        settings::read_guide_list(half == std::string_view::npos ? std::string_view("a,b") : all.substr(0, half));
    const std::vector<std::string> list = settings::items_of(entries);
    text = edit(text, "network", "lan", list);
    text = edit(text, "network", "lan", std::vector<std::string>(list.rbegin(), list.rend()));
    text = edit_list(text, entries);
    std::ranges::reverse(entries);
    text = edit_list(text, entries);
    text = edit(text, "network", "lan", std::vector<std::string>());
    text = edit(text, "media_proxy.addresses", "lan", list);
    text = edit(text, "pinger", "method", "crlf");
    text = edit(text, "pinger", "clients_limit", std::int64_t{7});
    return 0;
}
