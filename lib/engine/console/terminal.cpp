#include "terminal.hpp"

#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <string>

#include "natkit/base/text.hpp"

#define NCURSES_NOMACROS 1  // its macros have the names of functions of the standard library
#include <curses.h>
#include <term.h>

namespace natkit::console {
namespace {

/// What a process that dies of a fault still does. Async-signal-safe: all of it was made before.
struct AtDeath {
    std::array<char, 256> bytes{};  ///< that make the terminal what it was
    std::size_t size = 0;
    termios modes{};
    bool has_modes = false;
};
AtDeath at_death;

constexpr std::array deaths = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT};
std::array<struct sigaction, deaths.size()> before_us;

extern "C" void die_in_order(int number, siginfo_t* info, void* /*context*/) {
    static_cast<void>(::write(STDOUT_FILENO, at_death.bytes.data(), at_death.size) < 0);
    if (at_death.has_modes) static_cast<void>(::tcsetattr(STDIN_FILENO, TCSANOW, &at_death.modes));
    for (std::size_t i = 0; i < deaths.size(); ++i) static_cast<void>(::sigaction(deaths[i], &before_us[i], nullptr));
    // A fault of the processor comes again by itself, and finds whoever watched before us.
    if (info == nullptr || info->si_code <= 0) static_cast<void>(::raise(number));
}

int keep_byte(int byte) {
    if (at_death.size < at_death.bytes.size()) at_death.bytes[at_death.size++] = static_cast<char>(byte);
    return byte;
}

/// A capability of the terminal that is a text; null: it has none.
const char* capability(const char* name) {
    // Known names are never answered with what a wrong one is, (char*)-1.
    return ::tigetstr(const_cast<char*>(name));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

/// As it is before ncurses changes anything.
void remember_terminal() {
    at_death = {};
    at_death.has_modes = ::tcgetattr(STDIN_FILENO, &at_death.modes) == 0;
    for (const char* name : {"sgr0", "rmkx", "cnorm", "rmcup"}) {
        if (const char* text = capability(name); text != nullptr) ::tputs(text, 1, keep_byte);
    }
}

}  // namespace

void prepare_for_death() {
    struct sigaction action{};
    action.sa_sigaction = die_in_order;
    action.sa_flags = SA_SIGINFO;
    for (std::size_t i = 0; i < deaths.size(); ++i) static_cast<void>(::sigaction(deaths[i], &action, &before_us[i]));
}

void forget_death() {
    for (std::size_t i = 0; i < deaths.size(); ++i) static_cast<void>(::sigaction(deaths[i], &before_us[i], nullptr));
}

Result<void> look_at_terminal() {
    const char* term = std::getenv("TERM");
    if (term == nullptr || *term == '\0') {
        return fail(Errc::refused, "TERM is not set, so nothing is known of this terminal; set it, as in TERM=linux");
    }
    const std::string name = "TERM is '" + text::printable(term, 40) + "'";
    int found = 0;
    if (::setupterm(nullptr, STDOUT_FILENO, &found) != OK) {
        return fail(Errc::refused, name +
                                       ", which ncurses does not know here; set another one, as TERM=linux, or "
                                       "install ncurses-term");
    }
    remember_terminal();
    const bool drawable = capability("cup") != nullptr && capability("clear") != nullptr;
    static_cast<void>(::del_curterm(cur_term));
    if (drawable) return {};
    return fail(Errc::refused, name + ", a terminal that cannot be drawn on");
}

}  // namespace natkit::console
