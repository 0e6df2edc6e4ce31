// `natkit top`: status, calls and clients, again and again.
#include <unistd.h>

#include <array>
#include <csignal>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "ask.hpp"
#include "commands.hpp"
#include "natkit/engine/console/screen.hpp"
#include "natkit/engine/console/window.hpp"
#include "natkit/engine/control/pages.hpp"
#include "natkit/io/lines.hpp"

using namespace natkit;

namespace natkit_tool {
namespace {

/// Asks for all three, one after the other, and calls back.
class Asker {
  public:
    Asker(io::Loop& loop, const std::string& path) : client_(loop, path, control::random_prefix()) {
        client_.set_timeout(std::chrono::seconds(5));
    }

    void ask(std::function<void(const Json&)> done) {
        if (waiting_) return;
        waiting_ = true;
        done_ = std::move(done);
        answers_ = Json::object();
        next(0);
    }

  private:
    static constexpr std::size_t most_shown = 20'000;  ///< calls, or clients

    void next(std::size_t step) {
        static constexpr std::array names = {"status", "calls", "clients"};
        if (step == names.size()) return finish();
        const auto take = [this, step](Result<Json> reply) {
            if (!reply && step == 0) {
                answers_ = {{"trouble", "natkit does not answer: " + to_string(reply.error())}};
                return finish();
            }
            // Without SIP there is nobody to ask about calls and clients.
            const char* name = names.at(step);
            answers_[name] = !reply ? Json::array() : step == 0 ? std::move(*reply) : std::move((*reply)[name]);
            next(step + 1);
        };
        if (step == 0) return client_.request(names.at(step), nullptr, take);
        control::request_pages(client_, names.at(step), most_shown, take, {{"quality", true}});
    }
    void finish() {
        waiting_ = false;
        done_(answers_);
    }

    control::Client client_;
    Json answers_;
    bool waiting_ = false;
    std::function<void(const Json&)> done_;
};

tool::Exit snapshot(io::Loop& loop, Asker& asker, bool json) {
    tool::Exit exit = tool::Exit::fine;
    asker.ask([&](const Json& answers) {
        if (answers.contains("trouble")) {
            tool::complain(program, console::text_of(answers, "trouble"));
            exit = tool::Exit::bad_record;
        } else if (json) {
            write_lines({console::dump(answers)});
        } else {
            write_lines(console::lines_of(answers));
        }
        loop.stop();
    });
    loop.run();
    return exit;
}

/// Until q, or a signal that ends it.
tool::Exit live(io::Loop& loop, Asker& asker, console::Screen& screen, std::chrono::milliseconds every,
                std::function<void()>& on_suspend) {
    console::Window window;
    bool answered = false;
    const auto draw = [&] {
        if (answered) screen.show(window.lines(screen.size()));
    };
    const auto look = [&] {
        asker.ask([&](const Json& fresh) {
            window.take(fresh);
            answered = true;
            draw();
        });
    };
    io::Timer again(loop, [&] {
        look();
        again.start_in(every);
    });
    const io::SignalWatch resized(loop, SIGWINCH, [&](int) {
        screen.fit();
        draw();
    });
    on_suspend = [&] {
        screen.step_aside();
        draw();
    };
    io::Poll keys(loop, STDIN_FILENO, [&](bool, bool) {
        for (const console::Key& key : screen.keys()) {
            if (window.on_key(key) == console::Window::Wish::end) return loop.stop();
        }
        draw();
    });
    if (::isatty(STDIN_FILENO) != 0) keys.watch(true, false);
    look();
    again.start_in(every);
    loop.run();
    on_suspend = nullptr;
    return tool::Exit::fine;
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
    // Before the screen: ncurses leaves to others what they watch.
    const io::SignalWatch interrupted(loop, SIGINT, [&](int) { loop.stop(); });
    const io::SignalWatch terminated(loop, SIGTERM, [&](int) { loop.stop(); });
    const io::SignalWatch gone(loop, SIGHUP, [&](int) { loop.stop(); });
    std::function<void()> on_suspend;
    auto suspended = std::make_unique<io::SignalWatch>(loop, SIGTSTP, [&](int) {
        if (on_suspend) on_suspend();
    });
    const auto screen = console::Screen::open();
    if (screen) return live(loop, asker, **screen, every, on_suspend);
    suspended.reset();
    tool::complain(program, to_string(screen.error()) + "; this is one look, and no live view:");
    return snapshot(loop, asker, false);
}

}  // namespace natkit_tool
