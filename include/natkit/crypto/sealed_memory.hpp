#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace natkit::crypto {

/// What was sealed or opened lately, at most so many texts: who reads the same one again and again, as the token of a
/// dialog comes with each of its requests, need not open it each time. A text has the one place that its hash gives it,
/// and a newer one takes that.
class SealedMemory {
  public:
    using Bytes = std::span<const std::uint8_t>;

    /// `places`: more than none.
    explicit SealedMemory(std::size_t places) : places_(places) {}

    void note(Bytes sealed, Bytes context, Bytes plain);
    /// What was noted for this very text in this very context.
    [[nodiscard]] std::optional<std::vector<std::uint8_t>> find(Bytes sealed, Bytes context);

  private:
    struct Known {
        std::string key;  ///< empty: nothing yet
        std::vector<std::uint8_t> plain;
    };

    [[nodiscard]] Known& place_of(Bytes sealed, Bytes context);  ///< sets `key_`

    std::vector<Known> places_;
    std::string key_;  ///< of the text that is being looked at
};

}  // namespace natkit::crypto
