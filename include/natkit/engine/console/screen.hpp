#pragma once

#include <memory>
#include <string>
#include <vector>

#include "natkit/base/error.hpp"
#include "natkit/engine/console/window.hpp"

namespace natkit::console {

/// The terminal of standard output and input, by ncurses: its other screen, without echo and line editing. As it was
/// when this goes, and when the process dies of a fault of its own; who wants that at SIGINT, SIGTERM and SIGHUP
/// watches these before, and ends; and SIGTSTP, for step_aside(). One at a time. Characters are sent by the user's
/// locale, or in UTF-8 where there is none.
class Screen {
  public:
    /// Errc::refused: $TERM is nothing that can be drawn on; the message says what to do.
    [[nodiscard]] static Result<std::unique_ptr<Screen>> open();
    ~Screen();
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    [[nodiscard]] Size size() const;
    /// As many of the lines as there are rows. Nothing in them can steer the terminal.
    void show(const std::vector<Line>& lines);
    /// What was typed since, without waiting; Key::Kind::gone: the terminal is no longer there.
    [[nodiscard]] std::vector<Key> keys();
    /// After SIGWINCH.
    void fit();
    /// After SIGTSTP: the terminal is as it was, and the process stops until it is told to go on. What is shown then is
    /// drawn anew. Left to ncurses, all that would happen within the signal's handler, in the middle of whatever else.
    void step_aside();

  private:
    Screen() = default;
};

}  // namespace natkit::console
