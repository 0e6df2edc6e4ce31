#pragma once

#include "natkit/base/error.hpp"

/// What of terminfo is needed before ncurses draws, and when it no longer can.
namespace natkit::console {

/// $TERM is known, and a place of its screen can be reached. Errc::refused, with what to do. Remembers how the terminal
/// is now.
[[nodiscard]] Result<void> look_at_terminal();

/// From now on a process that dies of SIGSEGV, SIGABRT and the like leaves the terminal as it was when it was looked
/// at. Whoever watched for these before still gets them.
void prepare_for_death();
void forget_death();

}  // namespace natkit::console
