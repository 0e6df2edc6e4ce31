#include "natkit/record/json_text.hpp"

#include <array>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>

namespace natkit::record {
namespace {

/// Whether bytes need no escape. Eight at a time: the marks of the bytes that do are gathered in their highest bits.
bool is_plain(std::string_view text) noexcept {
    constexpr std::uint64_t ones = 0x0101010101010101U;
    constexpr std::uint64_t tops = 0x8080808080808080U;
    const auto marks = [](std::uint64_t word) {
        const std::uint64_t quote = word ^ (ones * '"');
        const std::uint64_t backslash = word ^ (ones * '\\');
        // A subtraction borrows into its top bit from 0 alone, or from less than a space; from others only next to one.
        return (word | (word - ones * ' ') | (quote - ones) | (backslash - ones)) & tops;
    };
    std::uint64_t found = 0;
    for (; text.size() >= 8; text.remove_prefix(8)) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data(), 8);
        found |= marks(word);
    }
    std::uint64_t rest = ones * ' ';
    if (!text.empty()) std::memcpy(&rest, text.data(), text.size());
    return (found | marks(rest)) == 0;
}

}  // namespace

std::string json_string(std::string_view content) {
    using Json = nlohmann::ordered_json;
    if (!is_plain(content)) return Json(content).dump(-1, ' ', false, Json::error_handler_t::replace);
    std::string text;
    text.reserve(content.size() + 2);
    ((text += '"') += content) += '"';
    return text;
}

/// Adds a key, and room for a value of so many bytes, which is to be written there.
char* ObjectText::add(std::string_view key, std::size_t room) {
    const std::size_t before = out_.size();
    const bool first = out_.back() == '{';
    const std::size_t start = before + (first ? 3 : 4) + key.size();
    out_.resize_and_overwrite(start + room, [&](char* text, std::size_t /*room*/) {
        char* out = text + before;
        if (!first) *out++ = ',';
        *out++ = '"';
        out += key.copy(out, key.size());
        *out++ = '"';
        *out = ':';
        return start + room;  // libstdc++ 12 may say that there is more room than asked for
    });
    return out_.data() + start;
}

void ObjectText::text(std::string_view key, std::string_view value) {
    if (!is_plain(value)) return raw(key, json_string(value));
    char* out = add(key, value.size() + 2);
    *out++ = '"';
    out += value.copy(out, value.size());
    *out = '"';
}

void ObjectText::text(std::string_view key, const IpAddress& value) {
    std::array<char, address_chars> text;  // NOLINT(*-member-init): written below
    const char* end = write(text.data(), value);
    this->text(key, std::string_view(text.data(), end));
}

void ObjectText::text(std::string_view key, const Endpoint& value) {
    std::array<char, endpoint_chars> text;  // NOLINT(*-member-init): written below
    const char* end = write(text.data(), value);
    this->text(key, std::string_view(text.data(), end));
}

void ObjectText::raw(std::string_view key, std::string_view value) {
    value.copy(add(key, value.size()), value.size());
}

void ObjectText::number(std::string_view key, std::int64_t value) {
    std::array<char, 20> digits;  // NOLINT(*-member-init): written below
    raw(key, {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr});
}

void ObjectText::enter(std::string_view key) {
    *add(key, 1) = '{';
}

std::string ObjectText::close() {
    out_ += '}';
    return std::move(out_);
}

}  // namespace natkit::record
