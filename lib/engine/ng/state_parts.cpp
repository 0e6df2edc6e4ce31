#include "state_parts.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "natkit/base/hash.hpp"
#include "natkit/record/json_members.hpp"
#include "natkit/record/json_text.hpp"

namespace natkit::ng {
namespace {

constexpr std::size_t least_room = 256;
constexpr std::size_t head = 128;  ///< bytes that a part needs besides its text

std::string digest_of(std::string_view text) {
    return std::to_string(hash::fnv(hash::fnv_basis, text));
}

/// Where a text may be cut so that what is before takes `room` bytes at most as a JSON string: not within a character.
std::size_t cut(std::string_view text, std::size_t room) {
    std::size_t length = std::min(text.size(), room);
    for (;;) {
        while (length > 1 && length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80)
            --length;
        const std::size_t written = record::json_string(text.substr(0, length)).size();
        if (written <= room || length <= 1) return length;
        length = std::max<std::size_t>(1, length - std::max<std::size_t>(1, (written - room) / 2));
    }
}

}  // namespace

std::vector<std::string> divide(std::string_view text, std::size_t room) {
    std::vector<std::string_view> pieces;
    for (std::string_view rest = text; !rest.empty();) {
        pieces.push_back(rest.substr(0, cut(rest, std::max(room, least_room) - head)));
        rest.remove_prefix(pieces.back().size());
    }
    std::vector<std::string> parts;
    for (const std::string_view piece : pieces) {
        record::ObjectText one;
        one.number("part", static_cast<std::int64_t>(parts.size()));
        one.number("of", static_cast<std::int64_t>(pieces.size()));
        one.text("whole", digest_of(text));
        one.text("text", piece);
        parts.push_back(one.close());
    }
    return parts;
}

bool Parts::add(const std::string& text, const std::string& carrier) {
    if (!text.starts_with("{\"part\":")) return false;
    const auto json = nlohmann::ordered_json::parse(text, nullptr, false);
    const auto number = [&](const char* key) {
        const auto found = json.find(key);
        return found != json.end() && found->is_number_unsigned() ? found->get<std::size_t>() : 0;
    };
    Known& whole = known_[record::text_of(json, "whole")];
    whole.count = number("of");
    whole.parts[number("part")] = {.text = record::text_of(json, "text"), .carrier = carrier};
    return true;
}

std::vector<Parts::Whole> Parts::complete() const {
    std::vector<Whole> all;
    for (const auto& [digest, known] : known_) {
        Whole whole;
        for (const auto& [number, found] : known.parts) {
            whole.text += found.text;
            whole.carriers.push_back(found.carrier);
        }
        if (known.parts.size() == known.count && digest_of(whole.text) == digest) all.push_back(std::move(whole));
    }
    return all;
}

}  // namespace natkit::ng
