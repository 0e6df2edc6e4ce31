#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "natkit/base/endpoint.hpp"

namespace natkit::record {

/// The text of a JSON string with that content, quotes included: any bytes, what is not UTF-8 is replaced.
[[nodiscard]] std::string json_string(std::string_view content);

/// The text of a JSON object, written member by member without a tree of values between: for what is written often.
/// Keys are ours and need no escapes.
class ObjectText {
  public:
    ObjectText() = default;
    /// Writes at the end of `before`, whose room is used.
    explicit ObjectText(std::string before) : out_(std::move(before)) { out_ += '{'; }

    void text(std::string_view key, std::string_view value);  ///< as json_string()
    void text(std::string_view key, const IpAddress& value);  ///< as to_string()
    void text(std::string_view key, const Endpoint& value);
    void raw(std::string_view key, std::string_view value);  ///< the text of a JSON value
    void flag(std::string_view key, bool value) { raw(key, value ? "true" : "false"); }
    void number(std::string_view key, std::int64_t value);
    /// The members from here to leave() are those of an object within.
    void enter(std::string_view key);
    void leave() { out_ += '}'; }
    void reserve(std::size_t bytes) { out_.reserve(bytes); }
    /// The whole object. Nothing can be added afterwards.
    [[nodiscard]] std::string close();

  private:
    char* add(std::string_view key, std::size_t room);

    std::string out_ = "{";
};

}  // namespace natkit::record
