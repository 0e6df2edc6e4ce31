#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace natkit::ng {

/// A JSON text in parts of at most `room` bytes, each an object of JSON, for legs that carry no more than that. A
/// `room` of less than 256 bytes is taken for that. Pure.
[[nodiscard]] std::vector<std::string> divide(std::string_view text, std::size_t room);

/// Puts them together again, in whatever order they come. Pure.
class Parts {
  public:
    struct Whole {
        std::string text;
        std::vector<std::string> carriers;  ///< what was named with each part, in their order
    };
    /// Whether `text` is a part of something; `carrier` names where it was found.
    [[nodiscard]] bool add(const std::string& text, const std::string& carrier);
    /// Those of which no part is missing.
    [[nodiscard]] std::vector<Whole> complete() const;

  private:
    struct Found {
        std::string text;
        std::string carrier;
    };
    struct Known {
        std::size_t count = 0;
        std::map<std::size_t, Found> parts;
    };
    std::map<std::string, Known> known_;  ///< by digest of the whole
};

}  // namespace natkit::ng
