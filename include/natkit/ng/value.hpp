#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// rtpengine's ng protocol, as far as it is words: what requests and replies say, not what is done.
namespace natkit::ng {

struct Value;
struct Entry;
using List = std::vector<Value>;
/// In the order of the message. Keys may repeat: Kamailio sends `received-from` as a string and again as a list.
using Dictionary = std::vector<Entry>;

/// What bencode and JSON have in common. Regular.
struct Value {
    std::variant<std::string, std::int64_t, List, Dictionary> is;

    Value();
    Value(const Value& other);
    Value(Value&& other) noexcept;
    Value& operator=(const Value& other);
    Value& operator=(Value&& other) noexcept;
    ~Value();
    Value(std::string text);       // NOLINT(google-explicit-constructor): replies read
    Value(std::string_view text);  // NOLINT(google-explicit-constructor): as they are
    Value(const char* text);       // NOLINT(google-explicit-constructor): written so
    Value(std::int64_t number);    // NOLINT(google-explicit-constructor)
    Value(List list);              // NOLINT(google-explicit-constructor)
    Value(Dictionary dictionary);  // NOLINT(google-explicit-constructor)

    /// Null where it is of another kind.
    [[nodiscard]] const std::string* text() const noexcept { return std::get_if<std::string>(&is); }
    [[nodiscard]] const std::int64_t* number() const noexcept { return std::get_if<std::int64_t>(&is); }
    [[nodiscard]] const List* list() const noexcept { return std::get_if<List>(&is); }
    [[nodiscard]] const Dictionary* dictionary() const noexcept { return std::get_if<Dictionary>(&is); }

    friend bool operator==(const Value& a, const Value& b);
};

struct Entry {
    std::string key;
    Value value;

    friend bool operator==(const Entry&, const Entry&) = default;
};

// What needs to know an Entry.
inline Value::Value() = default;
inline Value::Value(const Value& other) = default;
inline Value::Value(Value&& other) noexcept = default;
inline Value& Value::operator=(const Value& other) = default;
inline Value& Value::operator=(Value&& other) noexcept = default;
inline Value::~Value() = default;
inline Value::Value(std::string text) : is(std::move(text)) {}
inline Value::Value(std::string_view text) : is(std::string(text)) {}
inline Value::Value(const char* text) : is(std::string(text)) {}
inline Value::Value(std::int64_t number) : is(number) {}
inline Value::Value(List list) : is(std::move(list)) {}
inline Value::Value(Dictionary dictionary) : is(std::move(dictionary)) {}
inline bool operator==(const Value& a, const Value& b) {
    return a.is == b.is;
}

/// The first value with that key; null: none.
[[nodiscard]] const Value* find(const Dictionary& dictionary, std::string_view key) noexcept;

}  // namespace natkit::ng
