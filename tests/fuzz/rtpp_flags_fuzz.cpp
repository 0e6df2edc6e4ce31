// Strings of flags: written again from what was read they are read as the same; as part of an offer they are refused or
// read, and each warning is of a printable word.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "natkit/ng/request.hpp"
#include "ng/rtpp_flags.hpp"

using namespace natkit;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

void write(std::string& out, const ng::Value& value);

void write(std::string& out, const ng::Dictionary& dictionary) {
    for (const ng::Entry& entry : dictionary) {
        if (&entry != &dictionary.front()) out += ' ';
        if (entry.key != "flags" || entry.value.text() == nullptr) (out += entry.key) += '=';
        write(out, entry.value);
    }
}

void write(std::string& out, const ng::Value& value) {
    if (const std::string* text = value.text()) {
        out += *text;
    } else if (const ng::List* list = value.list()) {
        out += '[';
        for (const ng::Value& item : *list) {
            if (&item != &list->front()) out += ' ';
            write(out, item);
        }
        out += ']';
    } else if (const ng::Dictionary* dictionary = value.dictionary()) {
        out += '[';
        write(out, *dictionary);
        out += ']';
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto flags = ng::parse_rtpp_flags(text);
    const auto request = ng::read_request(
        {{"command", "offer"}, {"call-id", "c"}, {"from-tag", "f"}, {"sdp", "v=0"}, {"rtpp-flags", std::string(text)}});
    require(request.has_value() == flags.has_value());
    if (!flags) return 0;
    for (const std::string& warning : request->warnings) {
        require(std::ranges::all_of(warning, [](char c) { return static_cast<signed char>(c) >= ' ' || c < 0; }));
    }
    std::string written;
    write(written, *flags);
    const auto again = ng::parse_rtpp_flags(written);
    if (!again) return 0;  // a word among keys is written as one more value
    std::string twice;
    write(twice, *again);
    const auto third = ng::parse_rtpp_flags(twice);
    require(!third || *third == *again);
    return 0;
}
