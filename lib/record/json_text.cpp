#include "natkit/record/json_text.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace natkit::record {
namespace {

bool is_plain(std::string_view text) noexcept {
    return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
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

void ObjectText::begin(const char* key) {
    if (out_.size() > 1) out_ += ',';
    ((out_ += '"') += key) += "\":";
}

void ObjectText::text(const char* key, std::string_view value) {
    if (!is_plain(value)) return raw(key, json_string(value));
    begin(key);
    ((out_ += '"') += value) += '"';
}

void ObjectText::raw(const char* key, std::string_view value) {
    begin(key);
    out_ += value;
}

std::string ObjectText::close() {
    out_ += '}';
    return std::move(out_);
}

}  // namespace natkit::record
