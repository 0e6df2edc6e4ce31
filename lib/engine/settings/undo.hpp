#pragma once

#include <string>

#include "store.hpp"

namespace natkit::settings {

enum class Undone : std::uint8_t {
    put_back,  ///< the file is as before
    edited,    ///< somebody has written another text meanwhile, which stays
};

/// Undoes an unconfirmed change in the file and in the store. On failure it still waits.
[[nodiscard]] Result<Undone> undo(Store& store, const Unconfirmed& change);

}  // namespace natkit::settings
