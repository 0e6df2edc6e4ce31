#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "natkit/base/endpoint.hpp"

namespace natkit::record {

/// The `sip` record: a message and how it travelled. What is not known is absent.
struct Sip {
    std::string time = {};  ///< "2026-01-02T03:04:05.678901Z"
    std::optional<std::uint64_t> frame = std::nullopt;
    std::string transport = {};  ///< "udp", "tcp", "tls"
    std::optional<Endpoint> source = std::nullopt;
    std::optional<Endpoint> destination = std::nullopt;
    std::string message = {};  ///< the raw bytes
    bool cut = false;          ///< the capture has less of it than was sent
};

/// What stands in the start line and the header of the message, for the record.
struct SipSummary {
    std::string method = {};  ///< of a request
    int status = 0;           ///< of a response
    std::string call_id = {};
    std::string cseq = {};
};

/// "type" first; `message`, or `message_base64` when the bytes are not UTF-8.
[[nodiscard]] nlohmann::ordered_json to_json(const Sip& sip, const SipSummary& summary);

/// Reads a `sip` record: `type` may be missing where there is a message. Unknown keys are ignored. Errc::bad_input,
/// naming the key.
[[nodiscard]] Result<Sip> read_sip(const nlohmann::ordered_json& json);

/// Puts other bytes in a `sip` record in place of its message.
void set_message(nlohmann::ordered_json& json, std::string_view message);

/// One JSON object from one line, its keys in their order. Errc::bad_input: "not a JSON object". Nesting above 64
/// levels, an object of more than 1024 keys and more than 200,000 elements are refused: time and memory stay bounded.
[[nodiscard]] Result<nlohmann::ordered_json> parse_line(std::string_view line);
/// One line, its end included. Bytes that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string to_line(const nlohmann::ordered_json& json);

/// RFC 3339 in UTC, with microseconds.
[[nodiscard]] std::string time_text(std::int64_t nanoseconds_since_1970);

}  // namespace natkit::record
