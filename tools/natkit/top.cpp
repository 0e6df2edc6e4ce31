// `natkit top`: status, calls and clients, again and again.
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "commands.hpp"
#include "natkit/engine/control/pages.hpp"
#include "natkit/io/lines.hpp"
#include "show.hpp"
#include "top_view.hpp"

using namespace natkit;

namespace natkit_tool {
namespace {

struct Size {
    std::size_t rows = 24;
    std::size_t columns = 80;
};

Size terminal_size() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return {};
    return {size.ws_row, size.ws_col};
}

/// The terminal's other screen, without echo and line editing; all is as it was when this goes.
class Screen {
  public:
    Screen() {
        raw_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
        if (raw_) {
            termios now = before_;
            now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
            static_cast<void>(::tcsetattr(STDIN_FILENO, TCSANOW, &now));
        }
        write("\x1b[?1049h\x1b[?25l");
    }
    ~Screen() {
        write("\x1b[?25h\x1b[?1049l");
        if (raw_) static_cast<void>(::tcsetattr(STDIN_FILENO, TCSANOW, &before_));
    }
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    /// As many of the lines as the terminal has rows.
    void show(const std::vector<std::string>& lines) const {
        const Size size = terminal_size();
        std::string bytes = "\x1b[H";
        for (std::size_t row = 0; row < size.rows; ++row) {
            if (row > 0) bytes += "\r\n";
            if (row < lines.size()) bytes += fitted(lines[row], size.columns);
            bytes += "\x1b[K";
        }
        write(bytes);
    }

  private:
    static void write(const std::string& bytes) {
        tool::Output output(program);
        output.write(bytes);
    }

    termios before_{};
    bool raw_ = false;
};

/// Asks for all three, one after the other, and calls back.
class Asker {
  public:
    Asker(io::Loop& loop, const std::string& path) : client_(loop, path, control::random_prefix()) {
        client_.set_timeout(std::chrono::seconds(5));
    }

    void ask(std::function<void(const View&)> done) {
        if (waiting_) return;
        waiting_ = true;
        done_ = std::move(done);
        view_ = {};
        next(0);
    }

  private:
    static constexpr std::size_t most_shown = 20'000;  ///< calls, or clients

    void next(std::size_t step) {
        constexpr std::array names = {"status", "calls", "clients"};
        if (step == names.size()) return finish();
        const auto take = [this, step](Result<Json> reply) {
            if (!reply && step == 0) {
                view_.trouble = "natkit does not answer: " + to_string(reply.error());
                return finish();
            }
            // Without SIP there is nobody to ask about calls and clients.
            if (step == 0) view_.status = std::move(*reply);
            if (step == 1) view_.calls = reply ? (*reply)["calls"] : Json::array();
            if (step == 2) view_.clients = reply ? (*reply)["clients"] : Json::array();
            next(step + 1);
        };
        if (step == 0) return client_.request(names.at(step), nullptr, take);
        control::request_pages(client_, names.at(step), most_shown, take);
    }
    void finish() {
        waiting_ = false;
        done_(view_);
    }

    control::Client client_;
    View view_;
    bool waiting_ = false;
    std::function<void(const View&)> done_;
};

/// What was typed; nothing: the terminal is gone.
std::string typed() {
    std::array<char, 256> keys{};
    const ssize_t count = ::read(STDIN_FILENO, keys.data(), keys.size());
    return count <= 0 ? std::string() : std::string(keys.data(), static_cast<std::size_t>(count));
}

tool::Exit snapshot(io::Loop& loop, Asker& asker, bool json) {
    tool::Exit exit = tool::Exit::fine;
    asker.ask([&](const View& view) {
        tool::Output output(program);
        if (!view.trouble.empty()) {
            tool::complain(program, view.trouble);
            exit = tool::Exit::bad_record;
        } else if (json) {
            const Json all = {{"status", view.status}, {"calls", view.calls}, {"clients", view.clients}};
            output.write(all.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
        } else {
            for (const std::string& line : lines_of(view)) output.write(line + "\n");
        }
        loop.stop();
    });
    loop.run();
    return exit;
}

}  // namespace

tool::Exit top(const tool::CommonOptions& common, std::chrono::milliseconds every) {
    const auto path = control_socket(common);
    if (!path) return tool::Exit::usage;
    if (const auto reachable = io::connect_unix(*path); !reachable) {
        tool::complain(program, "natkit is not running here: " + to_string(reachable.error()));
        return tool::Exit::bad_record;
    }
    io::Loop loop;
    Asker asker(loop, *path);
    if (common.format == tool::Format::json || ::isatty(STDOUT_FILENO) == 0) {
        return snapshot(loop, asker, common.format == tool::Format::json);
    }
    const Screen screen;
    View view;
    Window window;
    const auto draw = [&] { screen.show(window.lines(view, terminal_size().rows)); };
    const auto look = [&] {
        asker.ask([&](const View& fresh) {
            view = fresh;
            draw();
        });
    };
    io::Timer again(loop, [&] {
        look();
        again.start_in(every);
    });
    const io::SignalWatch resized(loop, SIGWINCH, [&](int) { draw(); });
    const io::SignalWatch interrupted(loop, SIGINT, [&](int) { loop.stop(); });
    const io::SignalWatch terminated(loop, SIGTERM, [&](int) { loop.stop(); });
    const io::SignalWatch gone(loop, SIGHUP, [&](int) { loop.stop(); });
    io::Poll keys(loop, STDIN_FILENO, [&](bool, bool) {
        const std::string pressed = typed();
        if (pressed.empty() || window.on_keys(pressed) == Window::Wish::end) return loop.stop();
        draw();
    });
    if (::isatty(STDIN_FILENO) != 0) keys.watch(true, false);
    look();
    again.start_in(every);
    loop.run();
    return tool::Exit::fine;
}

}  // namespace natkit_tool
