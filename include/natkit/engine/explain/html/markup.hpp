#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

/// HTML and SVG as text. What comes from a capture can only get in as a value, and values are escaped: here, and
/// nowhere else.
namespace natkit::html {

/// Markup as the program has it: a string literal with "{}" where a value goes, as many as there are values. Text that
/// is made while the program runs cannot become one.
template <std::size_t Values>
class Template {
  public:
    // NOLINTNEXTLINE(google-explicit-constructor): a literal is what is written at the call
    consteval Template(const char* literal) : text(literal) {
        std::size_t places = 0;
        for (std::size_t at = text.find("{}"); at != std::string_view::npos; at = text.find("{}", at + 2)) ++places;
        if (places != Values) throw "not as many values as places";
    }

    std::string_view text;
};

/// Markup that is being written.
class Markup {
  public:
    /// Adds `markup` with its values in their places: text, which is escaped, numbers, and other Markup.
    template <class... Values>
    Markup& put(Template<sizeof...(Values)> markup, const Values&... values) {
        std::string_view rest = markup.text;
        ((take_until_place(rest), add(values)), ...);
        bytes_ += rest;
        return *this;
    }

    [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
    [[nodiscard]] const std::string& str() const noexcept { return bytes_; }

  private:
    void add(std::string_view text);  ///< escaped; at most longest_text bytes of it
    void add(std::integral auto number) { bytes_ += std::to_string(number); }
    void add(const Markup& markup) { bytes_ += markup.bytes_; }
    /// Moves what is before the next "{}" of the template.
    void take_until_place(std::string_view& rest);

    std::string bytes_;
};

/// Of one value, in bytes; the rest is left out with "…".
inline constexpr std::size_t longest_text = 2000;

/// Text for an element or a quoted attribute: & < > " ' as references; control characters, what is no UTF-8, and what
/// turns the direction of writing round (Unicode 15, section 23.2) as "\xHH" for each byte.
[[nodiscard]] std::string escaped(std::string_view text);

/// The text, or its beginning and "…" where it has more than so many characters; nothing is cut in two.
[[nodiscard]] std::string cut(std::string_view text, std::size_t characters);

}  // namespace natkit::html
