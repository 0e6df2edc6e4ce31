#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "show.hpp"

namespace natkit_tool {

/// What natkit answered last.
struct View {
    Json status;
    Json calls;
    Json clients;
    std::string trouble;  ///< instead of it
};

/// All of it, as lines.
[[nodiscard]] std::vector<std::string> lines_of(const View& view);

/// What of a View is seen on a terminal, and what its keys do: scrolling, the order of calls and clients, which of
/// them.
class Window {
  public:
    enum class Wish : std::uint8_t { go_on, end };

    /// What was typed: q, Ctrl-D or Escape end it; arrows, Page Up and Down, Home and End scroll; s changes the order;
    /// / begins a filter, which Enter keeps and Escape takes away.
    [[nodiscard]] Wish on_keys(std::string_view bytes);
    /// As many lines as there are rows: a part of the view, and what the keys do.
    [[nodiscard]] std::vector<std::string> lines(const View& view, std::size_t rows);

  private:
    enum class Order : std::uint8_t { as_told, user, address, time };

    [[nodiscard]] std::string_view order_word() const;
    [[nodiscard]] Json chosen(const Json& records) const;
    [[nodiscard]] std::string footer(std::size_t shown, std::size_t total) const;
    void scroll(std::string_view key);
    void type(std::string_view keys);

    std::size_t first_ = 0;  ///< line at the top
    std::size_t page_ = 20;  ///< lines that were seen last
    std::size_t last_ = 0;   ///< the highest first_ that makes sense
    Order order_ = Order::as_told;
    std::string filter_;
    bool typing_ = false;
};

}  // namespace natkit_tool
