#include "natkit/sdp/payload_types.hpp"

#include <algorithm>
#include <array>

#include "natkit/base/text.hpp"

namespace natkit::sdp {
namespace {

constexpr std::size_t longest_name = 32;

constexpr auto statics = std::to_array<PayloadType>({{0, "PCMU", 8000},
                                                     {3, "GSM", 8000},
                                                     {4, "G723", 8000},
                                                     {8, "PCMA", 8000},
                                                     {9, "G722", 8000},
                                                     {10, "L16", 44100},
                                                     {11, "L16", 44100},
                                                     {13, "CN", 8000},
                                                     {15, "G728", 8000},
                                                     {18, "G729", 8000},
                                                     {26, "JPEG", 90000},
                                                     {31, "H261", 90000},
                                                     {34, "H263", 90000}});

std::string capitals(std::string_view text) {
    std::string all = text::printable(text, longest_name);
    for (char& c : all) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    return all;
}

}  // namespace

const PayloadType* static_payload_type(unsigned number) noexcept {
    const auto found = std::ranges::find(statics, number, &PayloadType::number);
    return found == statics.end() ? nullptr : &*found;
}

std::string first_codec(const Document& document, const Media& media) {
    const std::string_view formats = text::trim(media.formats);
    const std::string_view format = formats.substr(0, formats.find(' '));
    const std::string wanted = "rtpmap:" + std::string(format.substr(0, longest_name)) + " ";
    for (std::size_t i = media.line; i < media.end; ++i) {
        const Line& line = document.lines()[i];
        const std::string_view value = document.text(line.value);
        if (line.type != 'a' || !value.starts_with(wanted)) continue;
        const std::string_view mapping = text::trim(value.substr(wanted.size()));
        return capitals(mapping.substr(0, mapping.find('/')));
    }
    const auto number = text::parse_number(format, 127);
    const PayloadType* known = number ? static_payload_type(static_cast<unsigned>(*number)) : nullptr;
    return known != nullptr ? std::string(known->name) : capitals(format);
}

}  // namespace natkit::sdp
