#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace natkit::io {

/// The kernel's random numbers (getrandom), which nobody can guess from earlier ones; for the distributions of
/// <random>. Fetched by the block: std::random_device asks the processor for each number, and where that traps, as in
/// a virtual machine, a number costs more than opening a socket. Not thread-safe, and of one process: a fork would
/// repeat what is left of a block.
class Random {
  public:
    using result_type = std::uint32_t;
    [[nodiscard]] static constexpr result_type min() noexcept { return 0; }
    [[nodiscard]] static constexpr result_type max() noexcept { return std::numeric_limits<result_type>::max(); }
    [[nodiscard]] result_type operator()() noexcept;

  private:
    std::array<result_type, 256> block_{};  ///< numbers that were given out are zero
    std::size_t next_ = block_.size();
};

}  // namespace natkit::io
