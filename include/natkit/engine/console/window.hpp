#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/engine/console/table.hpp"

namespace natkit::console {

struct Size {
    std::size_t rows = 24;
    std::size_t columns = 80;
};

/// What is typed, whatever the terminal sends for it.
struct Key {
    enum class Kind : std::uint8_t {
        character,
        up,
        down,
        left,
        right,
        page_up,
        page_down,
        home,
        end,
        tab,
        back_tab,
        enter,
        escape,
        backspace,
        gone  ///< the terminal itself
    };
    Kind kind = Kind::character;
    char32_t character = 0;

    friend bool operator==(const Key&, const Key&) = default;
};

/// What was typed at once, without the orders that ncurses knows no key for (ECMA-48 section 5.4): their escape, which
/// has something behind it, is no Escape.
[[nodiscard]] std::vector<Key> without_orders(const std::vector<Key>& typed);

enum class Style : std::uint8_t { plain, strong, head, sorted, chosen, trouble, dim };

struct Span {
    std::string text;
    Style style = Style::plain;
};
/// A row of the terminal: no wider than it, and nothing in it steers it.
using Line = std::vector<Span>;

/// All that natkit answered last, as lines of text: an object of its `status`, `calls` and `clients`, or of the
/// `trouble` that there is instead.
[[nodiscard]] std::vector<std::string> lines_of(const Json& answers);

/// What of these answers is seen on a terminal, and what the keys do. Pure: no terminal, no clock.
class Window {
  public:
    enum class Wish : std::uint8_t { go_on, end };

    Window();
    /// What natkit says now. The record that was chosen stays chosen.
    void take(const Json& answers);
    [[nodiscard]] Wish on_key(const Key& key);
    /// As many lines as there are rows.
    [[nodiscard]] std::vector<Line> lines(Size size);

  private:
    static constexpr std::size_t pages = 3;  ///< calls, clients, status

    /// One of the pages, and what of it is seen.
    struct Place {
        std::size_t first = 0;  ///< row at the top
        std::size_t at = 0;     ///< the chosen one
        std::string id;         ///< its id; empty: whichever is the first
    };

    [[nodiscard]] bool is_table() const noexcept { return page_ < tables_.size(); }
    [[nodiscard]] std::size_t rows_of_page() const;
    [[nodiscard]] Line tabs(std::size_t columns) const;
    [[nodiscard]] Line footer(std::size_t shown, std::size_t columns) const;
    void add_rows(std::vector<Line>& lines, std::size_t rows, std::size_t columns);
    void follow_chosen();
    void move(const Key& key);
    void on_letter(char32_t letter);
    void type(const Key& key);
    void choose_page(std::size_t page);
    void sort_by_next(bool forwards);

    std::string trouble_;
    std::string head_;
    std::vector<std::string> degraded_;
    std::vector<std::string> status_;
    std::array<Table, pages - 1> tables_;
    std::array<Place, pages> places_;
    std::size_t page_ = 0;
    std::size_t seen_ = 1;  ///< rows of the page that were seen last
    std::u32string filter_;
    bool typing_ = false;
};

}  // namespace natkit::console
