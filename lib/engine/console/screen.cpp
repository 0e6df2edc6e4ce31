#include "natkit/engine/console/screen.hpp"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cwchar>
#include <string_view>
#include <utility>

#include "natkit/base/display.hpp"
#include "terminal.hpp"

#define NCURSES_NOMACROS 1  // its macros have the names of functions of the standard library
#include <curses.h>

namespace natkit::console {
namespace {

constexpr int escape_wait_ms = 50;  ///< for what follows the escape of an arrow key
constexpr short red = 1;
constexpr int control_l = 0x0c;

/// Characters as the user's locale has them; who has none gets UTF-8, as all of natkit's text is.
void choose_characters() {
    const char* chosen = std::setlocale(LC_CTYPE, "");
    const std::string_view name = chosen == nullptr ? "C" : chosen;
    if (name == "C" || name == "POSIX") static_cast<void>(std::setlocale(LC_CTYPE, "C.UTF-8"));
}

/// Some terminals send these whatever mode they have been told.
void know_plain_arrows() {
    constexpr std::array plain = {
        std::pair{"\x1b[A", KEY_UP},    std::pair{"\x1b[B", KEY_DOWN}, std::pair{"\x1b[C", KEY_RIGHT},
        std::pair{"\x1b[D", KEY_LEFT},  std::pair{"\x1b[H", KEY_HOME}, std::pair{"\x1b[F", KEY_END},
        std::pair{"\x1bOA", KEY_UP},    std::pair{"\x1bOB", KEY_DOWN}, std::pair{"\x1bOC", KEY_RIGHT},
        std::pair{"\x1bOD", KEY_LEFT},  std::pair{"\x1bOH", KEY_HOME}, std::pair{"\x1bOF", KEY_END},
        std::pair{"\x1b[1~", KEY_HOME}, std::pair{"\x1b[4~", KEY_END}, std::pair{"\x1b[5~", KEY_PPAGE},
        std::pair{"\x1b[6~", KEY_NPAGE}};
    for (const auto& [bytes, key] : plain) {
        if (::key_defined(bytes) == 0) ::define_key(bytes, key);
    }
}

Key::Kind kind_of(wint_t code) {
    switch (code) {
        case KEY_UP: return Key::Kind::up;
        case KEY_DOWN: return Key::Kind::down;
        case KEY_LEFT: return Key::Kind::left;
        case KEY_RIGHT: return Key::Kind::right;
        case KEY_PPAGE: return Key::Kind::page_up;
        case KEY_NPAGE: return Key::Kind::page_down;
        case KEY_HOME:
        case KEY_FIND: return Key::Kind::home;
        case KEY_END:
        case KEY_SELECT: return Key::Kind::end;
        case KEY_BTAB: return Key::Kind::back_tab;
        case KEY_ENTER: return Key::Kind::enter;
        case KEY_BACKSPACE:
        case KEY_DC: return Key::Kind::backspace;
        default: return Key::Kind::character;  // with no character
    }
}

Key key_of_character(wint_t character) {
    switch (character) {
        case '\t': return {.kind = Key::Kind::tab};
        case '\r':
        case '\n': return {.kind = Key::Kind::enter};
        case 0x1b: return {.kind = Key::Kind::escape};
        case '\b':
        case 0x7f: return {.kind = Key::Kind::backspace};
        default: return {.kind = Key::Kind::character, .character = static_cast<char32_t>(character)};
    }
}

attr_t attributes_of(Style style) {
    switch (style) {
        case Style::strong: return A_BOLD;
        case Style::head: return A_REVERSE;
        case Style::sorted: return A_BOLD;
        case Style::chosen: return A_STANDOUT;
        case Style::trouble: return ::has_colors() ? A_BOLD | static_cast<attr_t>(COLOR_PAIR(red)) : A_BOLD;
        case Style::dim: return A_DIM;
        case Style::plain: break;
    }
    return A_NORMAL;
}

/// What may be sent: no order to the terminal, and nothing that the locale cannot say.
std::wstring sendable(const std::string& utf8) {
    std::wstring characters;
    for (const char32_t character : text::decoded(utf8)) {
        const auto wide = static_cast<wchar_t>(character);
        characters += text::steers_terminal(character) || ::wcwidth(wide) < 0 ? L'?' : wide;
    }
    return characters;
}

SCREEN* screen = nullptr;

}  // namespace

Result<std::unique_ptr<Screen>> Screen::open() {
    choose_characters();
    if (auto drawable = look_at_terminal(); !drawable) return std::unexpected(std::move(drawable.error()));
    std::unique_ptr<Screen> opened(new Screen);
    ::set_escdelay(escape_wait_ms);
    screen = ::newterm(nullptr, stdout, stdin);
    if (screen == nullptr) return fail(Errc::refused, "ncurses cannot draw on this terminal");
    prepare_for_death();
    ::cbreak();
    ::noecho();
    ::nonl();
    ::keypad(stdscr, true);
    know_plain_arrows();
    ::nodelay(stdscr, true);
    ::typeahead(-1);  // what is drawn is drawn whole, whatever is typed meanwhile
    ::curs_set(0);
    if (::has_colors()) {
        ::start_color();
        ::use_default_colors();
        ::init_pair(red, COLOR_RED, -1);
    }
    opened->fit();
    return opened;
}

Screen::~Screen() {
    if (screen == nullptr) return;
    ::endwin();
    forget_death();
    ::delscreen(std::exchange(screen, nullptr));
}

Size Screen::size() const {
    return {.rows = static_cast<std::size_t>(std::max(getmaxy(stdscr), 1)),
            .columns = static_cast<std::size_t>(std::max(getmaxx(stdscr), 1))};
}

void Screen::show(const std::vector<Line>& lines) {
    ::erase();
    const std::size_t rows = std::min(lines.size(), size().rows);
    for (std::size_t row = 0; row < rows; ++row) {
        if (::move(static_cast<int>(row), 0) == ERR) break;
        for (const Span& span : lines[row]) {
            ::attrset(static_cast<int>(attributes_of(span.style)));
            ::addwstr(sendable(span.text).c_str());
        }
    }
    ::attrset(A_NORMAL);
    ::refresh();
}

std::vector<Key> Screen::keys() {
    int waiting = 0;
    const bool asked = ::ioctl(STDIN_FILENO, FIONREAD, &waiting) == 0;
    if (!asked || waiting == 0) return {{.kind = Key::Kind::gone}};
    std::vector<Key> keys;
    wint_t got = 0;
    for (int kind = ::get_wch(&got); kind != ERR; kind = ::get_wch(&got)) {
        if (kind == KEY_CODE_YES) {
            if (const Key::Kind known = kind_of(got); known != Key::Kind::character) keys.push_back({.kind = known});
        } else if (got == control_l) {
            ::clearok(curscr, true);
        } else {
            keys.push_back(key_of_character(got));
        }
    }
    return without_orders(keys);
}

void Screen::fit() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return;
    if (::resizeterm(size.ws_row, size.ws_col) == ERR) return;
    // It puts KEY_RESIZE before what was typed.
    wint_t got = 0;
    const int kind = ::get_wch(&got);
    if (kind == OK) ::unget_wch(static_cast<wchar_t>(got));
    if (kind == KEY_CODE_YES && got != KEY_RESIZE) ::ungetch(static_cast<int>(got));
}

void Screen::step_aside() {
    ::endwin();
    struct sigaction usual{};
    usual.sa_handler = SIG_DFL;
    struct sigaction ours{};
    if (::sigaction(SIGTSTP, &usual, &ours) == 0) {
        static_cast<void>(::raise(SIGTSTP));
        static_cast<void>(::sigaction(SIGTSTP, &ours, nullptr));
    }
    fit();
    ::clearok(curscr, true);
}

}  // namespace natkit::console
