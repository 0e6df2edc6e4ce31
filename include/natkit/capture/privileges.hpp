#pragma once

#include <string>

#include "natkit/base/error.hpp"

namespace natkit::capture {

/// Gives up what opening an interface took, for good: root becomes the user who ran sudo (SUDO_UID and SUDO_GID of the
/// environment), else nobody; capabilities go in any case. Nothing happens to who has none. Gives the name of the user
/// it became, empty where it stayed who it was. Errc::system: it was not possible, and nothing may be read.
[[nodiscard]] Result<std::string> drop_privileges();

}  // namespace natkit::capture
