#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace natkit::record {

/// The text of a JSON string with that content, quotes included: any bytes, what is not UTF-8 is replaced.
[[nodiscard]] std::string json_string(std::string_view content);

/// The text of a JSON object, written member by member without a tree of values between: for what is written often.
/// Keys are ours and need no escapes.
class ObjectText {
  public:
    void text(const char* key, std::string_view value);  ///< as json_string()
    void raw(const char* key, std::string_view value);   ///< the text of a JSON value
    void flag(const char* key, bool value) { raw(key, value ? "true" : "false"); }
    void number(const char* key, std::int64_t value) { raw(key, std::to_string(value)); }
    void reserve(std::size_t bytes) { out_.reserve(bytes); }
    /// The whole object. Nothing can be added afterwards.
    [[nodiscard]] std::string close();

  private:
    void begin(const char* key);

    std::string out_ = "{";
};

}  // namespace natkit::record
