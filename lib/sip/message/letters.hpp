#pragma once

#include <array>
#include <string_view>

namespace natkit::sip {

/// A set of letters that is quickly asked.
class Letters {
  public:
    template <class... Texts>
    constexpr explicit Letters(const Texts&... texts) {
        (add(texts), ...);
    }
    [[nodiscard]] constexpr bool hold(char c) const noexcept { return held_[static_cast<unsigned char>(c)]; }

  private:
    constexpr void add(std::string_view letters) {
        for (const char c : letters) held_[static_cast<unsigned char>(c)] = true;
    }

    std::array<bool, 256> held_{};
};

}  // namespace natkit::sip
