#pragma once

#include <cstddef>

#include "natkit/loop/scheme.hpp"

namespace natkit::loop {

constexpr std::size_t index(End end) noexcept {
    return static_cast<std::size_t>(end);
}

}  // namespace natkit::loop
