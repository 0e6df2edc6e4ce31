#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/engine/console/show.hpp"

namespace natkit::console {

/// What a record shows in a column, and by what it is sorted: the number where there is one, else the text.
struct Cell {
    std::string text;
    std::optional<double> number;
};

struct Column {
    std::string_view name;
    std::size_t width = 0;  ///< at least; what the terminal has more is shared by those that grow
    bool grows = false;
    Align align = Align::left;
    bool high_first = false;  ///< sorted by it, the highest number comes first
    Cell (*cell)(const Json& record) = nullptr;
};

/// The columns of `call` and `client` records, the most important ones first.
[[nodiscard]] std::span<const Column> call_columns();
[[nodiscard]] std::span<const Column> client_columns();

/// How wide each column is where the terminal has so many: the first ones that fit, with a blank between them.
[[nodiscard]] std::vector<std::size_t> widths_of(std::span<const Column> columns, std::size_t total);

/// Records in an order, and those of them that a filter chooses.
class Table {
  public:
    struct Row {
        std::vector<Cell> cells;  ///< one a column
        std::string id;           ///< tells it from all others
        std::string words;        ///< why it is treated as it is
        std::string everything;   ///< in small letters, for the filter
    };

    Table(std::span<const Column> columns, std::string (*id)(const Json& record),
          std::string (*words)(const Json& record))
        : columns_(columns), id_(id), words_(words) {}

    void take(const Json& records);
    /// The records that have this text anywhere, in capital letters or small ones; empty: all.
    void filter(std::string text);
    /// By a column's number; nothing: as natkit tells them.
    void sort(std::optional<std::size_t> column);
    void turn();

    [[nodiscard]] std::size_t total() const noexcept { return all_.size(); }
    /// How many the filter has chosen, and one of them by its place.
    [[nodiscard]] std::size_t size() const noexcept { return seen_.size(); }
    [[nodiscard]] const Row& row(std::size_t place) const { return all_[seen_[place]]; }
    [[nodiscard]] std::span<const Column> columns() const noexcept { return columns_; }
    [[nodiscard]] std::optional<std::size_t> sorted_by() const noexcept { return sorted_by_; }
    /// Whether the order is the other way round than the column begins with.
    [[nodiscard]] bool turned() const noexcept { return turned_; }
    /// Whether small numbers, or the first letters, are at the top.
    [[nodiscard]] bool ascending() const;

  private:
    void choose();

    std::span<const Column> columns_;
    std::string (*id_)(const Json& record);
    std::string (*words_)(const Json& record);
    std::vector<Row> all_;
    std::vector<std::size_t> seen_;  ///< of all_
    std::string filter_;
    std::optional<std::size_t> sorted_by_;
    bool turned_ = false;
};

}  // namespace natkit::console
