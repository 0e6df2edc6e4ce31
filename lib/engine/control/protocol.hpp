#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "natkit/base/error.hpp"
#include "natkit/engine/control/server.hpp"
#include "natkit/record/json_view.hpp"

/// The form of requests and replies, shared by the two ends.
namespace natkit::control {

/// Longest request id. Ids are kept for 60 s.
inline constexpr std::size_t max_id = 128;

struct Request {
    record::ObjectView body;
    std::string id;
    std::string_view command;  ///< as long as the body
    std::size_t descriptors = 0;
    bool brief = false;  ///< only whether it was done is to be answered
};

/// Reads a request line; total. The body is good until the reader reads again. The error's `where` is the id when there
/// was a usable one.
[[nodiscard]] Result<Request> parse_request(record::ObjectReader& reader, std::string_view line);

/// One line; bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string dump(const Json& value);

[[nodiscard]] std::string error_reply(std::string_view id, const Error& error);
/// `result` is the text of an object.
[[nodiscard]] std::string ok_reply(std::string_view id, std::string_view result, std::size_t descriptors);

/// The error object of a reply.
[[nodiscard]] Error read_error(const record::ValueView& value);

}  // namespace natkit::control
