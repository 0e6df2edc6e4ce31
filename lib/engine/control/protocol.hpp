#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "natkit/base/error.hpp"
#include "natkit/engine/control/server.hpp"

/// The form of requests and replies, shared by the two ends.
namespace natkit::control {

/// Longest request id. Ids are kept for 60 s.
inline constexpr std::size_t max_id = 128;

struct Request {
    std::string id;
    std::string command;
    std::size_t descriptors = 0;
    Json body;
};

/// Reads a request line; total. The error's `where` is the id when there was a usable one.
[[nodiscard]] Result<Request> parse_request(std::string_view line);

/// One line; bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string dump(const Json& value);

[[nodiscard]] std::string error_reply(const std::string& id, const Error& error);
[[nodiscard]] std::string ok_reply(const std::string& id, const Json& result, std::size_t descriptors);

/// The error object of a reply.
[[nodiscard]] Error read_error(const Json& object);

}  // namespace natkit::control
