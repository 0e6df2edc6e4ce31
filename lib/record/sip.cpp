#include "natkit/record/sip.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "natkit/base/text.hpp"

namespace natkit::record {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr unsigned most_levels = 64;
constexpr std::size_t most_keys = 1024;  ///< of one object: they are searched one by one
constexpr std::size_t most_elements = 200'000;

std::string base64(std::string_view bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        unsigned value = 0;
        for (std::size_t j = 0; j < 3; ++j)
            value = value << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
        for (std::size_t j = 0; j < 4; ++j) text += i + j > bytes.size() ? '=' : alphabet[value >> (18 - 6 * j) & 63U];
    }
    return text;
}

std::optional<std::string> from_base64(std::string_view text) {
    while (text.ends_with('=')) text.remove_suffix(1);
    std::string bytes;
    unsigned value = 0;
    unsigned bits = 0;
    for (const char c : text) {
        const std::size_t digit = alphabet.find(c);
        if (digit == std::string_view::npos) return std::nullopt;
        value = (value << 6 | static_cast<unsigned>(digit)) & 0xffffffU;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes += static_cast<char>(value >> bits & 0xffU);
        }
    }
    return bytes;
}

bool is_utf8(std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size();) {
        const auto lead = static_cast<unsigned char>(bytes[i]);
        const std::size_t length = lead < 0x80                   ? 1
                                   : lead >= 0xc2 && lead < 0xe0 ? 2
                                   : lead >= 0xe0 && lead < 0xf0 ? 3
                                   : lead >= 0xf0 && lead < 0xf5 ? 4
                                                                 : 0;
        if (length == 0 || i + length > bytes.size()) return false;
        for (std::size_t j = 1; j < length; ++j) {
            if ((static_cast<unsigned char>(bytes[i + j]) & 0xc0U) != 0x80) return false;
        }
        if (length > 2) {  // no overlong forms, no surrogates, nothing above U+10FFFF
            const auto second = static_cast<unsigned char>(bytes[i + 1]);
            if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
                (lead == 0xf4 && second > 0x8f)) {
                return false;
            }
        }
        i += length;
    }
    return true;
}

Result<std::string> text_at(const Json& json, const char* key) {
    const auto found = json.find(key);
    if (found == json.end()) return std::string();
    if (!found->is_string()) return fail(Errc::bad_input, std::string(key) + ": not a text");
    return found->get<std::string>();
}

Result<std::optional<Endpoint>> endpoint_at(const Json& json, const char* key) {
    const auto text = text_at(json, key);
    if (!text) return std::unexpected(text.error());
    if (text->empty()) return std::nullopt;
    auto endpoint = Endpoint::parse(*text, 5060);
    if (!endpoint) return fail(Errc::bad_input, std::string(key) + ": " + endpoint.error().message);
    return *endpoint;
}

}  // namespace

Json to_json(const Sip& sip, const SipSummary& summary) {
    Json json = {{"type", "sip"}};
    if (!sip.time.empty()) json["time"] = sip.time;
    if (sip.frame) json["frame"] = *sip.frame;
    if (!sip.transport.empty()) json["transport"] = sip.transport;
    if (sip.source) json["source"] = to_string(*sip.source);
    if (sip.destination) json["destination"] = to_string(*sip.destination);
    if (!summary.method.empty()) json["method"] = summary.method;
    if (summary.status != 0) json["status"] = summary.status;
    if (!summary.call_id.empty()) json["call_id"] = summary.call_id;
    if (!summary.cseq.empty()) json["cseq"] = summary.cseq;
    if (sip.cut) json["cut"] = true;
    set_message(json, sip.message);
    return json;
}

Result<Sip> read_sip(const Json& json) {
    Sip sip;
    auto message = text_at(json, "message");
    if (!message) return std::unexpected(message.error());
    if (json.contains("message_base64")) {
        const auto coded = text_at(json, "message_base64");
        if (!coded) return std::unexpected(coded.error());
        auto bytes = from_base64(*coded);
        if (!bytes) return fail(Errc::bad_input, "message_base64: not base64");
        message = *std::move(bytes);
    }
    if (message->empty()) return fail(Errc::bad_input, "message: missing");
    sip.message = *std::move(message);
    auto time = text_at(json, "time");
    if (time) sip.time = *std::move(time);
    auto transport = text_at(json, "transport");
    if (!transport) return std::unexpected(transport.error());
    sip.transport = text::lower(*transport);
    const auto source = endpoint_at(json, "source");
    if (!source) return std::unexpected(source.error());
    sip.source = *source;
    const auto destination = endpoint_at(json, "destination");
    if (!destination) return std::unexpected(destination.error());
    sip.destination = *destination;
    if (const auto frame = json.find("frame"); frame != json.end() && frame->is_number_unsigned()) {
        sip.frame = frame->get<std::uint64_t>();
    }
    if (const auto cut = json.find("cut"); cut != json.end()) sip.cut = *cut == true;
    return sip;
}

void set_message(Json& json, std::string_view message) {
    if (is_utf8(message)) {
        json["message"] = std::string(message);
        json.erase("message_base64");
    } else {
        json["message_base64"] = base64(message);
        json.erase("message");
    }
}

Result<Json> parse_line(std::string_view line) {
    bool refused = false;
    std::size_t elements = 0;
    std::array<std::size_t, most_levels + 2> keys{};  // of the object that is open at each level
    const auto limit = [&](int depth, Json::parse_event_t event, Json&) {
        const auto level = static_cast<std::size_t>(depth);
        refused = refused || level > most_levels || ++elements > most_elements;
        if (refused) return false;
        if (event == Json::parse_event_t::object_start) keys[level + 1] = 0;
        if (event == Json::parse_event_t::key) refused = ++keys[level] > most_keys;
        return !refused;
    };
    Json json = Json::parse(line, limit, /*allow_exceptions=*/false);
    if (refused || json.is_discarded() || !json.is_object()) return fail(Errc::bad_input, "not a JSON object");
    return json;
}

std::string to_line(const Json& json) {
    return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n";
}

std::string time_text(std::int64_t nanoseconds_since_1970) {
    using namespace std::chrono;
    const sys_time<nanoseconds> time{nanoseconds(nanoseconds_since_1970)};
    const auto day = floor<days>(time);
    const year_month_day date(day);
    const hh_mm_ss clock(floor<microseconds>(time - day));
    std::array<char, 80> buffer{};
    const int length = std::snprintf(
        buffer.data(), buffer.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
        static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
        static_cast<int>(clock.subseconds().count()));
    return {buffer.data(), static_cast<std::size_t>(length)};
}

}  // namespace natkit::record
