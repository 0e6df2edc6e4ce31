#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/error.hpp"

namespace natkit::record {

/// Deep nesting costs stack wherever a tree of JSON values is walked. No request needs more.
inline constexpr std::size_t max_depth = 64;

class ObjectView;

/// A value of what an ObjectReader has read. Two words, to be passed by value; it, and what it gives, is good until the
/// reader reads again. What is asked for as another type than it has is nothing.
class ValueView {
  public:
    [[nodiscard]] std::optional<std::string_view> string() const noexcept;  ///< without escapes
    [[nodiscard]] std::optional<bool> flag() const noexcept;                ///< true or false
    [[nodiscard]] std::optional<std::uint64_t> number() const noexcept;     ///< a whole number from 0
    [[nodiscard]] std::optional<std::int64_t> whole_number() const noexcept;
    [[nodiscard]] std::optional<ObjectView> object() const noexcept;
    [[nodiscard]] std::optional<std::vector<ValueView>> list() const;
    /// Its JSON text, without white space; no more escapes in it than JSON demands.
    [[nodiscard]] std::string text() const;

  protected:
    struct Place {  ///< the reader's own notion of a value
        const void* document;
        std::size_t index;
    };
    explicit ValueView(Place place) noexcept : place_(place) {}

  private:
    friend class ObjectReader;
    friend class ObjectView;
    template <class Value>
    [[nodiscard]] std::optional<Value> get() const noexcept;

    Place place_;
};

class ObjectView : public ValueView {
  public:
    /// The last member of that name, as elsewhere. Looks at one after the other: for the small objects of requests.
    [[nodiscard]] std::optional<ValueView> find(std::string_view key) const noexcept;
    [[nodiscard]] bool contains(std::string_view key) const noexcept { return find(key).has_value(); }
    /// The string of that name; nothing when there is none, or another type.
    [[nodiscard]] std::optional<std::string_view> string(std::string_view key) const noexcept;
    /// The ValueView::text() of the last member of that name; empty when there is none. Where it stands so in what
    /// ObjectReader::read() was given, it is not written anew.
    [[nodiscard]] std::string text_of(std::string_view key) const;

  private:
    friend class ObjectReader;
    friend class ValueView;
    using ValueView::ValueView;
    ObjectView(Place place, std::string_view source) noexcept : ValueView(place), source_(source) {}

    std::string_view source_;  ///< its text; empty: of an object within another
};

/// Reads the text of JSON objects, one after the other, without a tree of values: for what is read often; the
/// counterpart of ObjectText. The whole text is checked (RFC 8259, UTF-8 included; whole numbers of 64 bits); reading
/// allocates only when a text is longer than those before.
class ObjectReader {
  public:
    /// `depth`: how far objects and lists may be nested in each other, an empty one inside not counted.
    explicit ObjectReader(std::size_t depth = max_depth);
    ~ObjectReader();
    ObjectReader(ObjectReader&&) noexcept;
    ObjectReader& operator=(ObjectReader&&) noexcept;

    /// What it gives is good until the next call, and no longer than the reader; `text` need not last. Total: an error
    /// is Errc::bad_input.
    [[nodiscard]] Result<ObjectView> read(std::string_view text);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace natkit::record
